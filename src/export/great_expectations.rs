//! Suites of Great Expectations, one a table, in the format of 1.x or 0.18.
//!
//! In: `Checked`. Out: `<layer>_<table>.json` for each table with assertions. A sentence that the library has is written as
//! that; others become queries for violating rows (`unexpected_rows_expectation`), in Databricks SQL, which Spark and
//! Databricks data sources run. What is neither is listed with the reason. Conditions are Spark's.

use serde_json::{Map, Value, json};

use super::{Exported, File, LeftOut};
use crate::check::Checked;
use crate::ir::{Assertion, Node, NodeId, OnViolation, Severity};

mod query;
mod words;

/// The format of suites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 1.x: `name`, `type`, `severity`.
    V1,
    /// 0.18: `expectation_suite_name`, `expectation_type`.
    V018,
}

/// The versions by the name that the command line takes, the default first.
pub const VERSIONS: &[(&str, Version)] = &[("1", Version::V1), ("0.18", Version::V018)];

/// What the library calls a sentence, with its arguments.
struct Written {
    type_name: &'static str,
    kwargs: Map<String, Value>,
    /// Whether it counts rows, so that it takes `mostly`.
    of_rows: bool,
}

/// Writes a suite for each of `tables` that has assertions.
pub fn export(checked: &Checked, tables: &[NodeId], version: Version) -> Exported {
    let mut exported = Exported::default();
    for id in tables {
        let node = checked.graph.node(*id);
        if node.assertions.is_empty() {
            continue;
        }
        let mut expectations = Vec::with_capacity(node.assertions.len());
        for assertion in &node.assertions {
            match expectation(node, assertion, version) {
                Ok(written) => expectations.push(written),
                Err(reason) => exported.left_out.push(LeftOut {
                    table: node.name.clone(),
                    sentence: format!("`{}`", assertion.label),
                    site: assertion.site.clone(),
                    reason,
                }),
            }
        }
        let name = format!("{}_{}", node.name.layer, node.name.name);
        let text = serde_json::to_string_pretty(&suite(&name, &expectations, version)).expect("plain JSON");
        exported.files.push(File { path: format!("{name}.json"), text: text + "\n" });
    }
    exported
}

fn suite(name: &str, expectations: &[Value], version: Version) -> Value {
    match version {
        Version::V1 => json!({
            "name": name,
            "expectations": expectations,
            "meta": {"great_expectations_version": "1.0.0"},
        }),
        Version::V018 => json!({
            "expectation_suite_name": name,
            "data_asset_type": null,
            "ge_cloud_id": null,
            "expectations": expectations,
            "meta": {"great_expectations_version": "0.18.22"},
        }),
    }
}

fn expectation(node: &Node, assertion: &Assertion, version: Version) -> Result<Value, String> {
    let written = match words::write(assertion, &node.name, version) {
        Some(written) => with_options(written, assertion),
        None => query::write(node, assertion)?,
    };
    let Written { type_name, kwargs, .. } = written;
    let severity = match (assertion.severity, assertion.on_violation) {
        (Some(Severity::Info), _) => "info",
        (Some(Severity::Warning), _) | (None, OnViolation::Warn) => "warning",
        (Some(Severity::Critical), _) | (None, OnViolation::Fail | OnViolation::Drop | OnViolation::Quarantine) => {
            "critical"
        }
    };
    let on_violation = match assertion.on_violation {
        OnViolation::Fail => "fail",
        OnViolation::Drop => "drop",
        OnViolation::Quarantine => "quarantine",
        OnViolation::Warn => "warn",
    };
    let mut meta = json!({"medc": {"label": assertion.label, "on_violation": on_violation}});
    Ok(match version {
        Version::V1 => {
            let mut entry = json!({"type": type_name, "kwargs": kwargs, "meta": meta, "severity": severity});
            if let Some(description) = &assertion.description {
                entry["description"] = json!(description);
            }
            entry
        }
        Version::V018 => {
            if let Some(description) = &assertion.description {
                meta["notes"] = json!({"format": "markdown", "content": [description]});
            }
            json!({"expectation_type": type_name, "kwargs": kwargs, "meta": meta})
        }
    })
}

fn with_options(mut written: Written, assertion: &Assertion) -> Written {
    if assertion.mostly < 1.0 && written.of_rows {
        written.kwargs.insert("mostly".to_owned(), json!(assertion.mostly));
    }
    if let Some(filter) = &assertion.filter {
        written.kwargs.insert("row_condition".to_owned(), json!(&*filter.text));
        written.kwargs.insert("condition_parser".to_owned(), json!("spark"));
    }
    written
}
