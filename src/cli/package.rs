//! `medc package`: the project as a ZIP file, the same bytes for the same files.
//!
//! In: a project without errors. Out: one file that holds what git would keep of its folder. Packed is what is needed to
//! validate and run it elsewhere: a spec outside of the folder is an error, and so is a link, or a file that looks like a
//! key or holds a token. Tables, caches, virtual environments and `.env` files are left out.

use std::path::{Component, Path, PathBuf};

use super::arguments::Package;
use super::stages::{Loaded, Session};
use super::{Done, Failure, Outcome, ui};
use crate::ir::Body;
use crate::name;
use crate::project::{self, PROJECT_FILE};
use crate::source::memo::Memo;
use crate::source::{Disk, Sources};

mod archive;
mod contents;

use contents::Found;

/// Packs the project.
pub(super) fn run(options: &Package, session: &mut Session) -> Outcome {
    let loaded = session.load()?;
    let folder = loaded.resolved.project_dir.clone();
    let output = match &options.output {
        Some(output) => output.clone(),
        None => folder.join("dist").join(format!("{}.zip", loaded.resolved.project.name)),
    };
    if output.is_dir() {
        return Err(Failure::asked(
            format!("`{}` is a folder", output.display()),
            Some("name the file to write, e.g. `-o dist/project.zip`".to_owned()),
        ));
    }
    outside(&loaded, session)?;

    let found = contents::find(&folder, &tables(&folder), &output)
        .map_err(|error| Failure::Stopped { message: format!("cannot read `{}`: {error}", folder.display()) })?;
    refuse(&found)?;
    let n_bytes = archive::write(&folder, &found.files, &output)
        .map_err(|error| Failure::Stopped { message: format!("cannot write `{}`: {error}", output.display()) })?;

    for secret in &found.environments {
        session.console.say(&format!("    {secret} is left out: it is for this machine alone"))?;
    }
    session.console.say(&format!(
        "Wrote {} ({} in {}).",
        output.display(),
        size(n_bytes),
        ui::count(found.files.len() as u64, "file")
    ))?;
    Ok(Done::Well)
}

/// What the project reads must be in the ZIP file.
fn outside(loaded: &Loaded, session: &Session) -> Result<(), Failure> {
    let leaves = |path: &str| {
        let mut depth = 0_i64;
        Path::new(path).components().any(|component| {
            depth += match component {
                Component::Normal(_) => 1,
                Component::ParentDir => -1,
                Component::CurDir | Component::RootDir | Component::Prefix(_) => 0,
            };
            depth < 0
        })
    };
    let specs = session.sources.iter().map(|(_, source)| source.name.as_str());
    let mut outside: Vec<&str> = specs.filter(|name| leaves(name) || Path::new(name).is_absolute()).collect();
    // An absolute path or a URL is a place in an environment; a relative one is a file of the project.
    outside.extend(loaded.checked.graph.nodes.values().filter_map(|node| match &node.body {
        Body::Ingest(ingest) => leaves(&ingest.location).then_some(ingest.location.as_str()),
        Body::Relation(_) => None,
    }));
    if outside.is_empty() {
        return Ok(());
    }
    Err(Failure::Stopped {
        message: format!(
            "the project reads {}, outside of its folder: a ZIP file could not hold it",
            name::list(&outside)
        ),
    })
}

/// The folders of local environments' tables, within the project.
fn tables(folder: &Path) -> Vec<PathBuf> {
    let declared = project::load(
        &Disk,
        folder,
        &mut Memo::default(),
        &mut Sources::new(),
        &mut crate::diagnostic::Diagnostics::new(),
    );
    let environments = declared.map(|project| project.environments).unwrap_or_default();
    let warehouses = environments.values().filter_map(|environment| environment.value.get("warehouse")?.as_str());
    // `.` would be the project itself.
    let within = warehouses.map(|warehouse| folder.join(warehouse)).filter(|path| !path.join(PROJECT_FILE).exists());
    within.collect()
}

fn refuse(found: &Found) -> Result<(), Failure> {
    let refusals = [
        (
            &found.links,
            "are links, which another machine may not have",
            "is a link, which another machine may not have",
        ),
        (&found.secrets, "look like keys or hold tokens", "looks like a key or holds a token"),
        (&found.unnamable, "have names that some systems cannot have", "has a name that some systems cannot have"),
    ];
    let wrong: Vec<String> = refusals
        .iter()
        .filter(|(paths, ..)| !paths.is_empty())
        .map(|(paths, many, one)| format!("{} {}", name::list(paths), if paths.len() == 1 { one } else { many }))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::Stopped {
        message: format!("{}; remove them, or name them in `.gitignore` to leave them out", wrong.join("; ")),
    })
}

/// Bytes for people.
fn size(n_bytes: u64) -> String {
    match n_bytes {
        0..1_000 => format!("{n_bytes} B"),
        1_000..1_000_000 => format!("{} kB", n_bytes.div_ceil(1_000)),
        _ => format!("{}.{} MB", n_bytes / 1_000_000, n_bytes % 1_000_000 / 100_000),
    }
}
