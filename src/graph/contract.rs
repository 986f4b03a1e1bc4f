//! Contracts in core form: columns typed, keys and NULL rules turned into assertions.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Site, code, join_pointer};
use crate::exchange::Imported;
use crate::expectations::Expectation;
use crate::ir::{Assertion, Column, Contract, ContractColumn, DataType, Dimension, OnViolation, Test};
use crate::kind;
use crate::name;
use crate::resolve::{Entity, Origin};
use crate::spec;
use crate::sql::zone::{self, Zone};

mod freshness;

/// The keys, here and in ODCS, that imply that a column is not NULL or unique.
const IMPLYING: [&str; 4] = ["/primary_key", "/nullable", "/primaryKey", "/required"];

/// A contract and what it says of rows.
pub(super) struct Lowered {
    pub contract: Arc<Contract>,
    pub assertions: Vec<Assertion>,
}

/// All contracts that have no error, by name.
pub(super) fn lower_all(
    contracts: &IndexMap<String, Entity<spec::Contract>>,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, Option<Lowered>> {
    contracts.iter().map(|(name, entity)| (name.clone(), lower(name, entity, diagnostics))).collect()
}

fn lower(name: &str, entity: &Entity<spec::Contract>, diagnostics: &mut Diagnostics) -> Option<Lowered> {
    let Entity { spec, origin } = entity;
    let n_errors = diagnostics.n_errors();
    if spec.columns.is_empty() {
        diagnostics.error(
            Diagnostic::error(code::CONTRACT_FORM, format!("the contract `{name}` has no columns"))
                .at(origin.site("/columns").key(), "")
                .help("list the table's columns, e.g. `columns: {id: {type: string}}`"),
        );
        return None;
    }
    let version = spec.version.clone();
    if let Some(version) = &version {
        check_version(version, origin, diagnostics);
    }
    if let Some(timezone) = &spec.timezone {
        check_timezone(timezone, origin, diagnostics);
    }
    let mut columns: Vec<ContractColumn> = Vec::with_capacity(spec.columns.len());
    let mut assertions = Vec::new();
    for (column_name, column) in &spec.columns {
        let here = join_pointer("/columns", column_name);
        let site_of = |pointer: &str| origin.site(&format!("{here}{pointer}"));
        columns.extend(lower_column(column_name, column, &columns, &site_of, diagnostics));
    }
    // Without all columns, those that an expectation names cannot be looked for.
    let known = if columns.len() == spec.columns.len() { columns.as_slice() } else { &[] };
    for lowered in &columns {
        if let Some(column) = spec.columns.get(&lowered.column.name) {
            let here = join_pointer("/columns", &lowered.column.name);
            let site_of = |pointer: &str| origin.site(&format!("{here}{pointer}"));
            column_assertions(lowered, column, known, &site_of, &mut assertions, diagnostics);
        }
    }
    let keys: Vec<&str> = spec
        .columns
        .iter()
        .filter(|(_, column)| column.primary_key)
        .map(|(column_name, _)| column_name.as_str())
        .collect();
    if let Some(first) = keys.first() {
        let key = unique(&keys, origin.site(&join_pointer(&join_pointer("/columns", first), "primary_key")));
        let is_said =
            |other: &Assertion| other.kind == key.kind && other.columns == key.columns && other.filter.is_none();
        // One that is said has its own options.
        if !assertions.iter().any(is_said) {
            assertions.push(key);
        }
    }
    table_assertions(
        &spec.expect,
        known,
        &|pointer| origin.site(&format!("/expect{pointer}")),
        &mut assertions,
        diagnostics,
    );
    if let Some(promise) = &spec.freshness {
        freshness::lower(promise, known, &origin.site("/freshness"), &mut assertions, diagnostics);
    }
    if diagnostics.n_errors() > n_errors {
        return None;
    }
    let contract = Arc::new(Contract {
        name: name.to_owned(),
        version,
        description: spec.description.clone(),
        owner: spec.owner.clone(),
        primary_key: keys.into_iter().map(str::to_owned).collect(),
        columns,
        on_cast_failure: spec.on_cast_failure,
        timezone: spec.timezone.clone(),
        site: origin.site.clone(),
    });
    Some(Lowered { contract, assertions })
}

fn lower_column(
    column_name: &str,
    column: &spec::ContractColumn,
    earlier: &[ContractColumn],
    site_of: &dyn Fn(&str) -> Site,
    diagnostics: &mut Diagnostics,
) -> Option<ContractColumn> {
    let site = site_of("");
    if !name::is_identifier(column_name) {
        diagnostics.error(
            Diagnostic::error(code::BAD_NAME, format!("`{column_name}` is no column name"))
                .at(site.key(), "")
                .help("use letters, digits and underscores, not a digit first"),
        );
        return None;
    }
    if let Some(first) = earlier.iter().find(|other| name::same(&other.column.name, column_name)) {
        diagnostics.error(
            Diagnostic::error(code::CONTRACT_FORM, format!("the column `{column_name}` stands twice"))
                .at(site.key(), "here again")
                .at(first.site.clone().key(), "first here")
                .note("column names are the same to Databricks whatever their case")
                .help("rename or remove one of them"),
        );
        return None;
    }
    if column.primary_key && column.nullable == Some(true) {
        diagnostics.error(
            Diagnostic::error(code::CONTRACT_FORM, format!("the primary key `{column_name}` is said to be nullable"))
                .at(site_of("/nullable"), "")
                .note("a row without its key cannot be known")
                .help("remove `nullable: true`, or `primary_key`")
                .fix_source("false"),
        );
        return None;
    }
    match DataType::parse(&column.data_type) {
        Ok(data_type) => Some(ContractColumn {
            column: Column {
                name: column_name.to_owned(),
                data_type,
                nullable: column.nullable.unwrap_or(true) && !column.primary_key,
            },
            description: column.description.clone(),
            tags: column.tags.clone(),
            site,
        }),
        Err(reason) => {
            let near = name::nearest(&column.data_type, crate::ir::TYPE_NAMES.iter().copied());
            let fix = near.filter(|_| reason.contains("is no type")).map(Fix::value);
            let (message, help) =
                reason.split_once("; ").map_or((reason.as_str(), None), |(what, help)| (what, Some(help)));
            let found = Diagnostic::error(code::BAD_TYPE, message).at(site_of("/type"), "");
            let help = help.map_or_else(
                || "types are spelled as in Databricks SQL, e.g. `decimal(18,2)` or `array<string>`".to_owned(),
                str::to_owned,
            );
            diagnostics.error(Diagnostic { fix, ..found.help(help) });
            None
        }
    }
}

/// The assertions of a column's own keys and of its `expect`.
fn column_assertions(
    lowered: &ContractColumn,
    column: &spec::ContractColumn,
    known: &[ContractColumn],
    site_of: &dyn Fn(&str) -> Site,
    assertions: &mut Vec<Assertion>,
    diagnostics: &mut Diagnostics,
) {
    let column_name = &lowered.column.name;
    if !lowered.column.nullable {
        let key = if column.primary_key { "primary_key" } else { "nullable" };
        assertions.push(not_null(column_name, site_of(&format!("/{key}"))));
    }
    for (index, expectation) in column.expect.iter().enumerate() {
        let here = |pointer: &str| site_of(&format!("/expect/{index}{pointer}"));
        if let Some(other) = &expectation.options.column
            && !name::same(other, column_name)
        {
            diagnostics.error(
                Diagnostic::error(
                    code::EXPECTATION,
                    format!("an expectation on `{other}` stands below `{column_name}`"),
                )
                .at(here(&format!("/{}/column", expectation.kind())), "")
                .help(format!("remove `column`, or move it below `{other}`")),
            );
            continue;
        }
        let subject = Some((column_name.as_str(), Some(&lowered.column.data_type)));
        match expectation.lower(subject, known, &here) {
            Ok(assertion) => push_new(assertion, assertions, diagnostics),
            Err(problem) => {
                diagnostics.error(problem.at(here));
            }
        }
    }
}

/// The assertions of a table-level `expect`; `site_of` gives the site of a pointer into that list.
pub(super) fn table_assertions(
    expectations: &[Expectation],
    columns: &[ContractColumn],
    site_of: &dyn Fn(&str) -> Site,
    assertions: &mut Vec<Assertion>,
    diagnostics: &mut Diagnostics,
) {
    for (index, expectation) in expectations.iter().enumerate() {
        let here = |pointer: &str| site_of(&format!("/{index}{pointer}"));
        if let Some(assertion) = table_assertion(expectation, columns, &here, diagnostics) {
            push_new(assertion, assertions, diagnostics);
        }
    }
}

/// The assertions of what was read from other dialects. Their SQL was made from what is written there, so that ranges of it
/// mean nothing in the file.
pub(super) fn imported_assertions(
    imported: &[Imported],
    columns: &[ContractColumn],
    assertions: &mut Vec<Assertion>,
    diagnostics: &mut Diagnostics,
) {
    // A suite may be long: what it may repeat is looked for by its words, not in all.
    let words = |assertion: &Assertion| (assertion.kind, assertion.label.clone());
    let mut known: BTreeMap<(&'static str, String), Vec<usize>> = BTreeMap::new();
    for (index, assertion) in assertions.iter().enumerate() {
        known.entry(words(assertion)).or_default().push(index);
    }
    for one in imported {
        let lowered = table_assertion(&one.expectation, columns, &|pointer| one.site(pointer), diagnostics);
        let Some(mut assertion) = lowered else { continue };
        if let Some(filter) = &mut assertion.filter {
            filter.authored = false;
        }
        if let Test::Holds(sql) | Test::Query(sql) = &mut assertion.test {
            sql.authored = false;
        }
        let alike = known.entry(words(&assertion)).or_default();
        let same = alike
            .iter()
            .filter_map(|index| assertions.get(*index))
            .find(|other| other.columns == assertion.columns && says_same(other, &assertion));
        match same {
            // The contract's own sentence stands: a suite that only warns must not weaken it.
            Some(first) if IMPLYING.iter().any(|ending| first.site.pointer.ends_with(ending)) => {}
            // A suite that repeats the contract is no slip.
            Some(first) if first.site.source == assertion.site.source => said_twice(&assertion, first, diagnostics),
            Some(_) => {}
            None => {
                alike.push(assertions.len());
                assertions.push(assertion);
            }
        }
    }
}

fn table_assertion(
    expectation: &Expectation,
    columns: &[ContractColumn],
    here: &dyn Fn(&str) -> Site,
    diagnostics: &mut Diagnostics,
) -> Option<Assertion> {
    let subject = match &expectation.options.column {
        None => None,
        Some(column) => {
            let known = columns.iter().find(|known| name::same(&known.column.name, column));
            if known.is_none() && !columns.is_empty() {
                let names = columns.iter().map(|known| known.column.name.as_str());
                let found = Diagnostic::error(code::EXPECTATION, format!("the contract has no column `{column}`"))
                    .at(here(&format!("/{}/column", expectation.kind())), "");
                let fix = name::nearest(column, names.clone()).map(Fix::value);
                diagnostics.error(Diagnostic { help: name::did_you_mean(column, names), fix, ..found });
                return None;
            }
            Some((column.as_str(), known.map(|known| &known.column.data_type)))
        }
    };
    match expectation.lower(subject, columns, here) {
        Ok(assertion) => Some(assertion),
        Err(problem) => {
            diagnostics.error(problem.at(here));
            None
        }
    }
}

/// Adds an assertion unless the same one is there: saying a thing twice would count its violations twice. One that a key
/// or a NULL rule implies gives way to the one that is said, with its options.
fn push_new(assertion: Assertion, assertions: &mut Vec<Assertion>, diagnostics: &mut Diagnostics) {
    let same = |other: &Assertion| {
        other.kind == assertion.kind && other.label == assertion.label && other.columns == assertion.columns
    };
    let is_implied = |other: &Assertion| IMPLYING.iter().any(|ending| other.site.pointer.ends_with(ending));
    if let Some(first) = assertions.iter().position(|other| same(other) && is_implied(other)) {
        assertions[first] = assertion;
        return;
    }
    match assertions.iter().find(|other| same(other) && says_same(other, &assertion)) {
        Some(first) => said_twice(&assertion, first, diagnostics),
        None => assertions.push(assertion),
    }
}

/// Whether two assertions with the same words have the same arguments and are of the same rows.
fn says_same(one: &Assertion, other: &Assertion) -> bool {
    let filter = |assertion: &Assertion| assertion.filter.as_ref().map(|sql| sql.text.clone());
    let arguments =
        |assertion: &Assertion| Some(assertion.arguments.clone()).filter(|body| *body != json!({}) && !body.is_null());
    one.on_violation == other.on_violation
        && one.mostly.to_bits() == other.mostly.to_bits()
        && filter(one) == filter(other)
        && arguments(one) == arguments(other)
}

fn said_twice(again: &Assertion, first: &Assertion, diagnostics: &mut Diagnostics) {
    diagnostics.warn(
        Diagnostic::warning(code::EXPECTATION, format!("`{}` is said twice", again.label))
            .at(again.site.clone(), "here again")
            .at(first.site.clone(), "first here")
            .help("remove one of them"),
    );
}

pub(super) fn not_null(column: &str, site: Site) -> Assertion {
    Assertion {
        kind: "not_null",
        label: format!("{column} is not null"),
        columns: vec![column.to_owned()],
        arguments: Value::Object(Map::new()),
        dimension: Dimension::Completeness,
        test: Test::Row {
            considered: None,
            violated: kind::generated(format!("{} IS NULL", kind::column(column)), &site),
        },
        on_violation: OnViolation::Fail,
        severity: None,
        mostly: 1.0,
        filter: None,
        description: None,
        owner: None,
        site,
    }
}

pub(super) fn unique(keys: &[&str], site: Site) -> Assertion {
    Assertion {
        kind: "unique",
        label: format!("{} is unique", keys.join(", ")),
        columns: keys.iter().map(|key| (*key).to_owned()).collect(),
        arguments: json!({"columns": keys}),
        dimension: Dimension::Uniqueness,
        test: Test::Unique { columns: keys.iter().map(|key| (*key).to_owned()).collect() },
        on_violation: OnViolation::Fail,
        severity: None,
        mostly: 1.0,
        filter: None,
        description: None,
        owner: None,
        site,
    }
}

fn check_timezone(timezone: &str, origin: &Origin, diagnostics: &mut Diagnostics) {
    if Zone::parse(timezone).is_some() {
        return;
    }
    let near = zone::nearest_name(timezone);
    let found = Diagnostic::error(code::CONTRACT_FORM, format!("there is no time zone `{timezone}`"))
        .at(origin.site("/timezone"), "")
        .note("zones are those of the IANA database, and offsets from UTC");
    let help = near.map_or_else(
        || "use a region or an offset, e.g. `America/Sao_Paulo` or `-03:00`".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    diagnostics.error(Diagnostic { fix: near.map(Fix::value), ..found.help(help) });
}

/// A version is three numbers with dots (Semantic Versioning 2.0.0, without the optional parts).
fn check_version(version: &str, origin: &Origin, diagnostics: &mut Diagnostics) {
    let parts: Vec<&str> = version.split('.').collect();
    if parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())) {
        return;
    }
    let padded = parts.iter().copied().chain(["0", "0"]).take(3).collect::<Vec<_>>().join(".");
    let fixable = parts.len() < 3 && parts.iter().all(|part| part.parse::<u32>().is_ok());
    let found = Diagnostic::error(code::CONTRACT_FORM, format!("`{version}` is no semantic version"))
        .at(origin.site("/version"), "")
        .help("write three numbers, e.g. `1.0.0`");
    diagnostics.error(Diagnostic { fix: fixable.then_some(Fix::Value(padded)), ..found });
}
