//! `medc bundle`: the project as a Databricks Asset Bundle, in a folder.
//!
//! In: the project, checked once for every environment on Databricks. Out: the bundle's files below the output folder. Files of an
//! earlier bundle that this one has not are removed: `.medc-bundle` lists what medc wrote there, and nothing else is touched.

use std::collections::BTreeSet;
use std::path::Path;

use super::arguments;
use super::stages::{Loaded, Session};
use super::{Done, Failure, Outcome, ui};
use crate::engines::databricks::{self, Bundle, Target};

/// The list of the files that medc wrote.
const LIST: &str = ".medc-bundle";

/// Writes the bundle.
pub(super) fn run(options: &arguments::Bundle, session: &mut Session) -> Outcome {
    let loaded = load_all(session)?;
    let bundle = emit(&loaded)?;
    let folder = match &options.output {
        Some(folder) => folder.clone(),
        None => loaded[0].resolved.project_dir.join(".medc/bundle"),
    };
    write(&folder, &bundle).map_err(|message| Failure::Stopped { message })?;
    let n_files = ui::count(bundle.files.len() as u64, "file");
    session.console.say(&format!("{n_files} in `{}`", folder.display()))?;
    Ok(Done::Well)
}

/// The project as it is in each environment on Databricks, in the order of declaration.
pub(super) fn load_all(session: &mut Session) -> Result<Vec<Loaded>, Failure> {
    let names = session.databricks_environments()?;
    if names.is_empty() {
        return Err(Failure::asked(
            "the project has no environment on Databricks",
            Some("add one: `prod: {engine: databricks, catalog: …, workspace: {host: …}}`".to_owned()),
        ));
    }
    let mut loaded = Vec::with_capacity(names.len());
    for name in names {
        loaded.push(session.load_in(&name)?);
    }
    Ok(loaded)
}

/// The bundle of a project with all its environments.
pub(super) fn emit(loaded: &[Loaded]) -> Result<Bundle, Failure> {
    let targets: Vec<Target<'_>> =
        loaded.iter().filter_map(|one| Target::of(&one.resolved.environment, &one.checked)).collect();
    let Some(first) = loaded.first() else {
        return Err(Failure::asked("the project has no environment on Databricks", None));
    };
    Ok(databricks::emit(&first.resolved.project, &targets))
}

/// Writes the files and removes those of an earlier bundle.
pub(super) fn write(folder: &Path, bundle: &Bundle) -> Result<(), String> {
    let failed = |path: &Path, error: &std::io::Error| format!("`{}` cannot be written: {error}", path.display());
    let list = folder.join(LIST);
    let earlier = std::fs::read_to_string(&list).unwrap_or_default();
    let is_ours = !earlier.is_empty();
    if !is_ours && std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(format!("`{}` is not empty and holds no bundle of medc", folder.display()));
    }
    let now: BTreeSet<&str> = bundle.files.keys().map(String::as_str).collect();
    // The list is written first, so that nothing of a run that was killed is forgotten.
    let both: BTreeSet<&str> = earlier.lines().chain(now.iter().copied()).filter(|path| is_within(path)).collect();
    let write = |path: &Path, text: &str| {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| failed(parent, &error))?;
        }
        std::fs::write(path, text).map_err(|error| failed(path, &error))
    };
    write(&list, &lines(&both))?;
    for (path, text) in &bundle.files {
        let full = folder.join(path);
        if std::fs::read_to_string(&full).is_ok_and(|there| there == *text) {
            continue;
        }
        write(&full, text)?;
    }
    for path in both.iter().filter(|path| !now.contains(**path)) {
        match std::fs::remove_file(folder.join(path)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&folder.join(path), &error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    write(&list, &lines(&now))
}

fn lines(paths: &BTreeSet<&str>) -> String {
    paths.iter().map(|path| format!("{path}\n")).collect::<Vec<_>>().concat()
}

/// Whether a path of the list stays below the folder.
fn is_within(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)))
}
