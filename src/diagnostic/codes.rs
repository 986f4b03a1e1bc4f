//! The closed list of diagnostic codes.
//!
//! A code is a path, `stage::what`, and `docs/diagnostics/stage/what.md` is its page: documentation, the text of
//! `medc explain`, and a test (the page's example gives exactly that code, its fixed version none). A test holds the
//! list and the folder equal. Codes are never renamed or reused once released.

use std::fmt;

/// A diagnostic's code, e.g. `resolve::unknown-variable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static str);

impl Code {
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

macro_rules! codes {
    ($($name:ident = $stage:literal / $what:literal, $meaning:literal;)*) => {
        pub(super) mod constants {
            use super::Code;
            $(#[doc = $meaning] pub const $name: Code = Code(concat!($stage, "::", $what));)*
        }

        /// Every code with its meaning in a phrase, in the order of the stages.
        pub const ALL: &[(Code, &str)] = &[$((constants::$name, $meaning)),*];

        /// The page of every code, in the same order.
        const PAGES: &[&str] = &[$(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"), "/docs/diagnostics/", $stage, "/", $what, ".md"
        ))),*];
    };
}

/// The page that explains a code, in Markdown.
pub fn page(code: Code) -> &'static str {
    let place = ALL.iter().position(|(known, _)| *known == code).expect("every code is in the list");
    PAGES[place]
}

codes! {
    // Reading
    UNREADABLE = "source" / "unreadable", "a file cannot be read";
    NOT_UTF8 = "source" / "not-utf8", "a file is not UTF-8 text";
    SYNTAX = "source" / "syntax", "a file is not well-formed YAML or JSON";
    DUPLICATE_KEY = "source" / "duplicate-key", "a mapping has the same key twice";
    SEVERAL_DOCUMENTS = "source" / "several-documents", "a file holds more than one YAML document";
    EMPTY_FILE = "source" / "empty-file", "a file holds nothing";
    TOO_DEEP = "source" / "too-deep", "values are nested too deeply";
    TOO_LARGE = "source" / "too-large", "a file, or what its aliases expand to, is too large";
    UNSUPPORTED_VALUE = "source" / "unsupported-value", "YAML that has no place in a project: tags, NaN, a mapping as key";
    // Shape
    UNKNOWN_KEY = "schema" / "unknown-key", "a key that does not exist here";
    MISSING_KEY = "schema" / "missing-key", "a key that must be there";
    WRONG_TYPE = "schema" / "wrong-type", "a value of another type than the schema promises";
    WRONG_VALUE = "schema" / "wrong-value", "a value that is not among those allowed";
    // Project
    NO_PROJECT = "project" / "not-found", "no medc.yml here or in a parent folder";
    INCLUDE_NOTHING = "project" / "include-matches-nothing", "an include pattern matches no file";
    INCLUDE_PATTERN = "project" / "include-pattern", "an include pattern that cannot be read or leaves the project";
    DUPLICATE_NAME = "project" / "duplicate-name", "two things of one kind with the same name";
    // Resolving
    UNKNOWN_ENVIRONMENT = "resolve" / "unknown-environment", "an environment that the project does not have";
    NO_DEFAULT_ENVIRONMENT = "resolve" / "no-default-environment", "several environments and none is the default";
    ENVIRONMENT_FORM = "resolve" / "environment-form", "an environment whose keys do not go with its engine";
    UNKNOWN_VARIABLE = "resolve" / "unknown-variable", "a variable that is not declared";
    VARIABLE_WITHOUT_VALUE = "resolve" / "variable-without-value", "a variable without default, value or process variable";
    VARIABLE_CYCLE = "resolve" / "variable-cycle", "variables that refer to each other in a circle";
    INTERPOLATION = "resolve" / "interpolation", "a ${...} that is not closed or whose root is unknown";
    PROCESS_VARIABLE_MISSING = "resolve" / "process-variable-missing", "a ${env.NAME} that the process does not have";
    SECRET_PLACE = "resolve" / "secret-place", "a secret where its value would be written down";
    OVERLAY_UNKNOWN = "resolve" / "overlay-unknown", "an environment overrides something that does not exist";
    OVERLAY_FORBIDDEN = "resolve" / "overlay-forbidden", "an environment changes the shape of the graph";
    UNKNOWN_LAYER = "resolve" / "unknown-layer", "a layer that the project does not have";
    UNKNOWN_CONTRACT = "resolve" / "unknown-contract", "a contract that the project does not have";
    UNKNOWN_TABLE = "resolve" / "unknown-table", "a table that the project does not have";
    BAD_NAME = "resolve" / "bad-name", "a name that is no identifier, or lacks its layer";
    BAD_TYPE = "resolve" / "bad-type", "a column type that does not exist";
    TABLE_FORM = "resolve" / "table-form", "a table with none or several of source, from, sql";
    WRITE_MODE = "resolve" / "write-mode", "write options that do not go together";
    EXPECTATION = "resolve" / "expectation", "an expectation that cannot hold or cannot be checked";
    STEP = "resolve" / "step", "a step that cannot be done";
    SOURCE_OPTION = "resolve" / "source-option", "a source's option that cannot be honoured";
    SQL_FILE = "resolve" / "sql-file", "a SQL file that cannot be read";
    CONTRACT_FORM = "resolve" / "contract-form", "a contract that contradicts itself";
    // Other tools' words
    EXCHANGE_UNKNOWN = "exchange" / "unknown-expectation", "an expectation of another tool that medc does not know";
    EXCHANGE_UNKNOWN_ARGUMENT = "exchange" / "unknown-argument", "an argument that an imported expectation does not have";
    EXCHANGE_ARGUMENT = "exchange" / "argument", "an imported expectation's argument that cannot be read or honoured";
    EXCHANGE_PARAMETER = "exchange" / "parameter", "a $PARAMETER of a suite that has no value";
    ODCS_VERSION = "resolve" / "odcs-version", "an ODCS file of a version that medc does not read";
    ODCS_OBJECT = "resolve" / "odcs-object", "an ODCS file in which the table cannot be told";
    ODCS_RULE = "resolve" / "odcs-rule", "a rule of an ODCS file that cannot be checked";
    ODCS_UNUSED = "resolve" / "odcs-unused", "what an ODCS file says and medc does not use";
    // Datasets
    DATASET_DUPLICATE = "datasets" / "duplicate", "the same model and version twice";
    TARGET_AMONG_FEATURES = "datasets" / "target-among-features", "a dataset's target is one of its features";
    FEATURE_UNKNOWN = "datasets" / "unknown-column", "a feature or target that the source table lacks";
    DATASET_SOURCE_LAYER = "datasets" / "source-layer", "a dataset reads a table outside the layers that it may";
    DATASET_SOURCE_UNKNOWN = "datasets" / "unknown-source", "a dataset's source table does not exist";
    TARGET_DETERMINED = "datasets" / "target-determined", "a dataset's target can be computed from its features";
    DATASET_REDEFINED = "datasets" / "redefined", "a published version's definition changed";
    // Graph
    CYCLE = "graph" / "cycle", "tables that need each other in a circle";
    LAYER_ORDER = "graph" / "layer-order", "a table reads a layer that its own may not read";
    NAMING = "graph" / "naming", "a table's name breaks its layer's convention, or the convention fits no name";
    LAYER_POLICY = "graph" / "layer-policy", "a table does what its layer's policy forbids";
    // Deploying
    BUNDLE_FORM = "deployment" / "bundle-form", "a bundle's name or id that the workspace does not take";
    BUNDLE_REFERENCE = "deployment" / "bundle-reference", "a ${...} that the bundle cannot resolve, or cannot say";
    PIPELINE = "deployment" / "pipeline", "a table that a declarative pipeline cannot build";
    TASK_FORM = "deployment" / "task-form", "a task with none or several kinds, or keys that do not go with its kind";
    TASK_FILE = "deployment" / "task-file", "a task's file that cannot be read, or is no notebook";
    UNKNOWN_TASK = "deployment" / "unknown-task", "a task that the job does not have";
    DUPLICATE_TASK = "deployment" / "duplicate-task", "the same task twice in a job, or twice in one list";
    JOB_CYCLE = "deployment" / "cycle", "tasks or jobs that wait for each other in a circle";
    UNKNOWN_JOB = "deployment" / "unknown-job", "a job that the environment does not have";
    UNKNOWN_COMPUTE = "deployment" / "unknown-compute", "compute that the project does not have";
    UNKNOWN_CHANNEL = "deployment" / "unknown-channel", "a channel that the project does not have";
    JOB_SELECTION = "deployment" / "selection", "a job selects tables that do not exist";
    EMPTY_JOB = "deployment" / "empty-job", "a job without tables and tasks";
    CRON = "deployment" / "cron", "a schedule that is no Quartz cron expression, or never fires";
    TIME_ZONE = "deployment" / "time-zone", "a schedule's time zone that does not exist";
    JOB_TRIGGER = "deployment" / "trigger", "a job's schedule and trigger do not go together, or a trigger cannot fire";
    JOB_LIMIT = "deployment" / "limit", "a number or text beyond what Databricks takes";
    JOB_PARAMETER = "deployment" / "parameter", "a parameter's name that Databricks or medc does not take";
    DYNAMIC_VALUE = "deployment" / "dynamic-value", "a {{...}} that Databricks does not know";
    COMPUTE_FORM = "deployment" / "compute-form", "compute that cannot be started";
    CHANNEL_FORM = "deployment" / "channel-form", "a channel that reaches nobody";
    RESOURCE_FORM = "deployment" / "resource-form", "a passed-through resource that the bundle does not take";
    RESOURCE_KEY = "deployment" / "resource-key", "two resources with one key, or a key that is none";
    COLLISION = "deployment" / "collision", "two environments would deploy the same thing over each other";
    LITERAL_SCHEMA = "deployment" / "literal-schema", "a schema by a name that it has not once it is deployed";
    SERVING = "deployment" / "serving", "a model serving endpoint that cannot serve what it says";
    RUN_AS = "deployment" / "run-as", "an identity to run as, with what cannot run as another";
    PERMISSION = "deployment" / "permission", "permissions that Databricks refuses";
    DEVELOPMENT_MODE = "deployment" / "development-mode", "what a development environment cannot have";
    ROOT_PATH = "deployment" / "root-path", "a folder in the workspace that a bundle should not be deployed to";
    WORKSPACE = "deployment" / "workspace", "a workspace's address that is none";
    LOCAL_SOURCE = "deployment" / "local-source", "a source that a workspace cannot read";
    // Checking
    SQL_SYNTAX = "check" / "sql-syntax", "SQL that cannot be parsed";
    SQL_STATEMENT = "check" / "sql-statement", "SQL that is not one query";
    SQL_UNKNOWN_TABLE = "check" / "unknown-table", "SQL that reads a table which the project does not have";
    SQL_UNKNOWN_COLUMN = "check" / "unknown-column", "a column that none of the inputs has";
    SQL_AMBIGUOUS_COLUMN = "check" / "ambiguous-column", "a column that several inputs have";
    SQL_UNKNOWN_FUNCTION = "check" / "unknown-function", "a function that the local engine does not have";
    SQL_FUNCTION_ARGUMENTS = "check" / "function-arguments", "a function called with arguments that it does not take";
    SQL_TYPE = "check" / "type-mismatch", "an operation on types that it is not defined for";
    SQL_GROUP_BY = "check" / "not-grouped", "a column neither grouped nor aggregated";
    SQL_DUPLICATE_COLUMN = "check" / "duplicate-column", "two output columns with one name";
    SQL_UNSUPPORTED = "check" / "unsupported-sql", "SQL that the local engine cannot run as Databricks would";
    SQL_INVALID = "check" / "invalid-sql", "SQL that does not plan, for another reason";
    CONTRACT_MISSING_COLUMN = "check" / "contract-missing-column", "a query lacks a column of its contract";
    CONTRACT_EXTRA_COLUMN = "check" / "contract-extra-column", "a query has a column that its contract lacks";
    CONTRACT_COLUMN_ORDER = "check" / "contract-column-order", "a query's columns stand in another order than its contract's";
    CONTRACT_COLUMN_TYPE = "check" / "contract-column-type", "a query's column has another type than its contract's";
    // Promises kept
    BREAKING_CHANGE = "compatibility" / "breaking-change", "a contract breaks what it promised, without a raised major version";
    RISKY_CHANGE = "compatibility" / "risky-change", "a contract risks what it promised, without a raised minor version";
    BASELINE = "compatibility" / "baseline", "the project to compare with cannot be read";
    // Exporting
    NOT_EXPORTED = "export" / "not-exported", "what the dialect of an export cannot say";
    // Running
    SOURCE_MISSING = "run" / "source-missing", "a source's files do not exist";
    SOURCE_UNREADABLE = "run" / "source-unreadable", "a source's file cannot be read as what it is said to be";
    SOURCE_HEADER = "run" / "source-header", "a source's columns are not those of its contract";
    DEPLOYMENT = "run" / "deployment", "what the Databricks CLI finds wrong with a bundle or a deployment";
    NOT_BUILT = "run" / "not-built", "a table that is to be read was not built yet";
    SOURCE_CHANGED = "run" / "source-changed", "an already ingested file changed";
    RAGGED_ROW = "run" / "ragged-row", "a row has more or fewer fields than the header";
    EXPECTATION_FAILED = "run" / "expectation-failed", "a blocking expectation does not hold";
    EXPECTATION_WARNED = "run" / "expectation-warned", "an expectation that only warns does not hold";
    SCHEMA_EVOLUTION = "run" / "schema-evolution", "a stored table's columns may not become the declared ones";
    DESTRUCTIVE = "run" / "destructive", "a plan would lose rows for good, and nobody agreed";
    PREVENT_DESTROY = "run" / "prevent-destroy", "a plan would lose rows of a table that says it may not";
    NOT_PASSED = "run" / "not-passed", "an environment has not passed, so that nothing is promoted from it";
    STALE_PLAN = "run" / "stale-plan", "a saved plan is no longer true";
    EXECUTION = "run" / "execution", "a query failed on the data";
    NOT_RESTORED = "run" / "not-restored", "a run that cannot be undone, because a table was written since";
    HELD = "run" / "held", "a restored table that is left as it is";
    TABLE_BROKEN = "run" / "table-broken", "a Delta table of the warehouse cannot be read";
    WAREHOUSE = "run" / "warehouse", "the warehouse cannot be opened or written";
    LOCKED = "run" / "locked", "another apply is at work on this warehouse";
    INTERRUPTED = "run" / "interrupted", "the run was stopped";
    SECRET_MISSING = "run" / "secret-missing", "a secret has no value in the process";
}
