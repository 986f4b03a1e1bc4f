//! `medc export`: the tables' promises in another tool's words.
//!
//! In: the checked graph and a dialect. Out: files below a folder, or their texts on stdout. What the dialect cannot say is
//! listed on stderr, each with the reason: nothing is left out in silence.

use std::path::Path;

use super::arguments::{Dialect, Export};
use super::stages::{self, Session};
use super::{Done, Failure, Outcome, ui};
use crate::export::{self, Exported, great_expectations};
use crate::ir::NodeId;

/// Writes the files, and says what was left out.
pub(super) fn run(options: &Export, session: &mut Session) -> Outcome {
    let loaded = session.load()?;
    let selection = stages::selected(&loaded, &options.select)?;
    let graph = &loaded.checked.graph;
    let wanted = |id: &NodeId| selection.as_ref().is_none_or(|selection| selection.contains(id));
    let tables: Vec<NodeId> = graph.order.iter().copied().filter(wanted).collect();
    let version = options.format_version.as_deref();
    let exported = match options.dialect {
        Dialect::GreatExpectations => {
            let version = version_of(version, great_expectations::VERSIONS)?;
            great_expectations::export(&loaded.checked, &tables, version)
        }
    };
    match &options.output {
        Some(folder) => write_files(folder, &exported, session)?,
        None => {
            for file in &exported.files {
                session.console.data(&file.text)?;
            }
        }
    }
    for left in &exported.left_out {
        session.console.complain(&format!("not exported: {} of `{}`: {}\n", left.sentence, left.table, left.reason))?;
    }
    Ok(Done::Well)
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

fn write_files(folder: &Path, exported: &Exported, session: &Session) -> Result<(), Failure> {
    let stopped = |path: &Path, error: &std::io::Error| Failure::Stopped {
        message: format!("`{}` cannot be written: {error}", path.display()),
    };
    for export::File { path, text } in &exported.files {
        let full = folder.join(path);
        let parent = full.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(|error| stopped(parent, &error))?;
        std::fs::write(&full, text).map_err(|error| stopped(&full, &error))?;
        session.console.say(&format!("wrote {}", full.display()))?;
    }
    let n_files = ui::count(exported.files.len() as u64, "file");
    Ok(session.console.say(&format!("{n_files} in `{}`", folder.display()))?)
}
