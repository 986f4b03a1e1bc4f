//! `medc export`: the tables' promises in another tool's words.
//!
//! In: the checked graph. Out: files below `--output`, or their text on stdout. What the dialect cannot say is a warning at
//! its place in the project; it never goes missing in silence.

use std::path::Path;

use super::arguments::{Dialect, Export};
use super::stages::{Loaded, Session, selected};
use super::{Done, Failure, Outcome, ui};
use crate::diagnostic::{Diagnostic, code};
use crate::export::{self, Exported, File, LeftOut, great_expectations};
use crate::ir::NodeId;

/// Writes what the options ask for.
pub(super) fn run(options: &Export, session: &mut Session) -> Outcome {
    let loaded = session.load()?;
    let selectors = [options.tables.as_slice(), &options.select].concat();
    let tables = tables(&loaded, &selectors)?;
    let project = &loaded.resolved.project.name;
    let version = options.format_version.as_deref();
    if let (Some(version), Dialect::Odcs | Dialect::Jsonschema | Dialect::Dqx | Dialect::Dbt) =
        (version, options.dialect)
    {
        let help = Some("remove `--format-version`".to_owned());
        return Err(Failure::asked(format!("the dialect has one format, and no `{version}`"), help));
    }
    let exported = match options.dialect {
        Dialect::GreatExpectations => {
            let version = version_of(version, great_expectations::VERSIONS)?;
            great_expectations::export(&loaded.checked, &tables, version)
        }
        Dialect::Odcs => export::odcs::export(&loaded.checked, &tables, project),
        Dialect::Jsonschema => export::json_schema::export(&loaded.checked, &tables),
        Dialect::Dqx => export::dqx::export(&loaded.checked, &tables),
        Dialect::Dbt => export::dbt::export(&loaded.checked, &tables),
    };
    let Exported { files, left_out } = exported;
    if files.is_empty() {
        let help = "give a table a contract or expectations, or name a table whose columns are known".to_owned();
        return Err(Failure::asked("there is nothing to export", Some(help)));
    }
    for LeftOut { table, sentence, reason, site } in left_out {
        session.diagnostics.warn(
            Diagnostic::warning(code::NOT_EXPORTED, format!("{sentence} of `{table}` is not exported: {reason}"))
                .at(site, "")
                .help("check it with medc, or say it another way in the other tool"),
        );
    }
    match &options.output {
        Some(folder) => write(folder, &files, session)?,
        None => print(options.dialect, &files, session)?,
    }
    Ok(Done::Well)
}

/// The selected tables in the graph's order; without selectors, those that promise something.
fn tables(loaded: &Loaded, selectors: &[String]) -> Result<Vec<NodeId>, Failure> {
    let graph = &loaded.checked.graph;
    let wanted = selected(loaded, selectors)?;
    let is_wanted = |id: &NodeId| match &wanted {
        Some(wanted) => wanted.contains(id),
        None => graph.node(*id).contract.is_some() || !graph.node(*id).assertions.is_empty(),
    };
    Ok(graph.order.iter().copied().filter(is_wanted).collect())
}

fn write(folder: &Path, files: &[File], session: &mut Session) -> Result<(), Failure> {
    for file in files {
        let path = folder.join(&file.path);
        let stopped = |error: &std::io::Error| Failure::Stopped {
            message: format!("`{}` cannot be written: {error}", path.display()),
        };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| stopped(&error))?;
        }
        std::fs::write(&path, &file.text).map_err(|error| stopped(&error))?;
    }
    let n_files = ui::count(files.len() as u64, "file");
    Ok(session.console.say(&format!("{n_files} in `{}`", folder.display()))?)
}

/// The version that was asked for, or the first, which is the default.
fn version_of<V: Copy>(asked: Option<&str>, versions: &[(&str, V)]) -> Result<V, Failure> {
    let (_, newest) = versions.first().expect("a dialect has a version");
    let Some(asked) = asked else { return Ok(*newest) };
    let known: Vec<&str> = versions.iter().map(|(name, _)| *name).collect();
    versions.iter().find(|(name, _)| *name == asked).map(|(_, version)| *version).ok_or_else(|| {
        let help = format!("there is {}", crate::name::list(&known));
        Failure::asked(format!("medc writes no format version `{asked}`"), Some(help))
    })
}

/// YAML files become documents of one stream; JSON has no such thing.
fn print(dialect: Dialect, files: &[File], session: &mut Session) -> Result<(), Failure> {
    let mut text = String::new();
    match (dialect, files) {
        (_, [only]) => text.push_str(&only.text),
        (Dialect::Jsonschema | Dialect::GreatExpectations, _) => {
            let message = format!("{} files of JSON do not fit into one output", files.len());
            return Err(Failure::asked(message, Some("add `--output DIR`, or name one table".to_owned())));
        }
        (Dialect::Odcs | Dialect::Dqx | Dialect::Dbt, _) => {
            for file in files {
                text.extend(["---\n# ", &file.path, "\n", &file.text]);
            }
        }
    }
    session.console.data(&text)?;
    Ok(())
}
