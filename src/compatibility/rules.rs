//! The rules by which changes are graded, each with its reason. `docs/compatibility.md` shows the same table; a test holds
//! them equal.
//!
//! Sources: Delta Lake protocol, "Type Widening" (which types widen in place); Spark, "ANSI compliance" (what stores and
//! compares without loss); Semantic Versioning 2.0.0 for what a version says.

use super::Grade;

macro_rules! rules {
    ($($(#[$about:meta])* $rule:ident = $name:literal, $grade:ident, $reason:literal;)*) => {
        /// A kind of change. Its grade and reason are those of the table in this file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $reason] $rule,)*
        }

        impl Rule {
            /// All rules in the order of the table.
            pub const ALL: &[Rule] = &[$(Rule::$rule),*];

            /// Its name for machines and the documentation.
            pub fn name(self) -> &'static str {
                match self { $(Rule::$rule => $name,)* }
            }

            pub fn grade(self) -> Grade {
                match self { $(Rule::$rule => Grade::$grade,)* }
            }

            /// Why it has its grade.
            pub fn reason(self) -> &'static str {
                match self { $(Rule::$rule => $reason,)* }
            }
        }
    };
}

rules! {
    ContractRemoved = "contract-removed", Breaking, "what its tables promised, nobody promises any more";
    UnboundContractRemoved = "unbound-contract-removed", Compatible, "no table kept it";
    ContractRenamed = "contract-renamed", Risky, "tables are the same; who looks the contract up by its name misses it";
    ContractAdded = "contract-added", Compatible, "a promise more";
    VersionLowered = "version-lowered", Risky, "who goes by the version takes the newer promise for an older one";
    TableRemoved = "table-removed", Breaking, "who reads the table finds nothing";
    TableUnbound = "table-unbound", Breaking, "the table keeps the promise no longer";
    TableBound = "table-bound", Compatible, "a promise more";
    ColumnRemoved = "column-removed", Breaking, "who reads the column finds nothing";
    ColumnRespelled = "column-respelled", Risky, "SQL does not care for case; pandas, Polars and JSON do";
    ColumnMoved = "column-moved", Risky, "who reads by position gets another column";
    ColumnInserted = "column-inserted", Risky, "it stands before others: who reads by position gets another column";
    ColumnAdded = "column-added", Compatible, "it stands behind all others; who reads by name or position sees no change";
    TypeChanged = "type-changed", Breaking, "values are stored, compared and computed with otherwise";
    TypeNarrowed = "type-narrowed", Breaking, "values that were allowed no longer fit, and files written before do not read as it";
    TypeConverted = "type-converted", Risky, "every value has its counterpart, but its text, comparison or arithmetic differ";
    TypeWidened = "type-widened", Compatible, "every value stays the same value, and Delta Lake widens the column in place";
    TimezoneChanged = "timezone-changed", Breaking, "times that name no zone become other instants, and instants other dates";
    FieldRemoved = "field-removed", Breaking, "who reads the field finds nothing";
    FieldMoved = "field-moved", Risky, "fields stand elsewhere: who reads structs by position gets another field";
    FieldAdded = "field-added", Compatible, "it stands behind all other fields";
    NullAllowed = "null-allowed", Breaking, "consumers may get NULL where there was none";
    NullForbidden = "null-forbidden", Compatible, "consumers that handle NULL lose nothing";
    KeyChanged = "key-changed", Breaking, "joins and merges by the old key multiply or lose rows";
    KeyRemoved = "key-removed", Breaking, "joins and merges by the old key multiply rows";
    KeyAdded = "key-added", Compatible, "a promise more";
    GuaranteeRemoved = "guarantee-removed", Breaking, "joins and merges multiply rows, lose them, or get NULL, once rows violate it";
    ExpectationRemoved = "expectation-removed", Risky, "rows may come that consumers have never seen";
    ExpectationLoosened = "expectation-loosened", Risky, "rows may come that consumers have never seen";
    ExpectationChanged = "expectation-changed", Risky, "it says something else, and rows may come that consumers have never seen";
    ValuesWidened = "values-widened", Risky, "consumers that tell the values apart meet one that they do not know";
    FreshnessLoosened = "freshness-loosened", Risky, "rows may be older than consumers count on";
    EnforcementWeakened = "enforcement-weakened", Risky, "what violates it is only recorded now, and reaches consumers";
    RowsLeftOut = "rows-left-out", Risky, "rows that violate it are missing from the table, where it had stopped";
    ExpectationTightened = "expectation-tightened", Compatible, "consumers get fewer sorts of rows; what produces them may fail";
    EnforcementStrengthened = "enforcement-strengthened", Compatible, "consumers get fewer violations; what produces the rows may fail";
    ExpectationAdded = "expectation-added", Compatible, "a promise more; what produces the rows may fail";
    WarningChanged = "warning-changed", Compatible, "it only warns: rows that violate it reached consumers before, too";
    CastFailureWeakened = "cast-failure-weakened", Risky, "what cannot be cast becomes NULL, or its row is missing, where the table had stopped";
    CastFailureStrengthened = "cast-failure-strengthened", Compatible, "consumers get fewer NULLs; what produces the rows may fail";
    WordsChanged = "words-changed", Compatible, "description, owner and tags are for people";
}
