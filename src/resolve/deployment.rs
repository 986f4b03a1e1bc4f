//! What an environment deploys besides tables: jobs, channels, compute and passed-through resources, with its overlays
//! merged and `${…}` replaced.
//!
//! In: the project as declared and an environment. Out: [`Deployment`], typed, with the text of each file of the project
//! that a task names. `${resources.…}`, `${bundle.…}` and `${workspace.…}` stay: they are the bundle's. Whether a job fits
//! into an environment is decided by `graph::deployment`.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::environment::Chosen;
use super::interpolate::{self, Scope};
use super::{Entity, Origin, resource_files, typed};
use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Reported, Site, code, join_pointer};
use crate::name;
use crate::project::{Declared, Project, shown_path};
use crate::source::Files;
use crate::spec;

/// What an environment deploys besides tables.
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    pub bundle: Option<Entity<spec::Bundle>>,
    pub jobs: IndexMap<String, Entity<spec::Job>>,
    pub channels: IndexMap<String, Entity<spec::Channel>>,
    pub compute: IndexMap<String, Entity<spec::Compute>>,
    pub resources: Vec<PassedThrough>,
    /// The texts of the project's files that tasks name, by path relative to the project's folder. `None`: reported.
    pub files: BTreeMap<String, Option<String>>,
    /// The texts of those that resources name.
    pub resource_files: BTreeMap<String, Option<String>>,
}

/// A resource in the bundle's own format.
#[derive(Debug, Clone)]
pub struct PassedThrough {
    /// E.g. `volumes`.
    pub resource_type: String,
    pub key: String,
    pub body: Map<String, Value>,
    pub origin: Origin,
}

/// What an environment deploys.
///
/// # Errors
/// What interpolation, typing and reading files report; all of it is in `diagnostics`, and what has errors is left out.
pub(super) fn resolve(
    project: &Project,
    chosen: &Chosen,
    scope: &Scope<'_>,
    files: &dyn Files,
    diagnostics: &mut Diagnostics,
) -> Deployment {
    let reader = Reader { chosen, scope };
    let bundle = project.bundle.as_ref().and_then(|declared| {
        let origin = Origin::new(declared.site.clone());
        reader.entity(declared.value.clone(), origin, diagnostics).ok()
    });
    let jobs = reader.entities(&project.jobs, "jobs", job_overlay, diagnostics);
    let channels = reader.entities(&project.channels, "channels", replace, diagnostics);
    let compute = reader.entities(&project.compute, "compute", replace, diagnostics);
    let mut resources = Vec::new();
    for (resource_type, declared) in &project.resources {
        for (key, Declared { value, site }) in declared {
            let mut value = value.clone();
            let origin = Origin::new(site.clone());
            let replaced = interpolate::value(&mut value, scope, &|pointer| origin.site(pointer), diagnostics);
            if let (Ok(()), Value::Object(body)) = (replaced, value) {
                resources.push(PassedThrough { resource_type: resource_type.clone(), key: key.clone(), body, origin });
            }
        }
    }
    let mut texts = BTreeMap::new();
    for job in jobs.values() {
        read_files(job, &project.dir, files, &mut texts, diagnostics);
    }
    let mut of_resources = BTreeMap::new();
    for resource in &resources {
        resource_files::read(resource, &project.dir, files, &mut of_resources, diagnostics);
    }
    Deployment { bundle, jobs, channels, compute, resources, files: texts, resource_files: of_resources }
}

/// Puts an overlay into a declared value.
type Merge = fn(&mut Value, &mut Origin, &Value, &Site);

struct Reader<'a> {
    chosen: &'a Chosen,
    scope: &'a Scope<'a>,
}

impl Reader<'_> {
    fn entities<T: DeserializeOwned>(
        &self,
        declared: &IndexMap<String, Declared>,
        key: &str,
        merge: Merge,
        diagnostics: &mut Diagnostics,
    ) -> IndexMap<String, Entity<T>> {
        let empty = Map::new();
        let overlays = self.chosen.value.get(key).and_then(Value::as_object).unwrap_or(&empty);
        let overlay_site = self.chosen.site.member(key);
        for wanted in overlays.keys().filter(|wanted| !declared.contains_key(*wanted)) {
            let known = declared.keys().map(String::as_str);
            let message =
                format!("the environment `{}` overrides `{wanted}`, which is not below `{key}`", self.chosen.name);
            let found = Diagnostic::error(code::OVERLAY_UNKNOWN, message).at(overlay_site.member(wanted).key(), "");
            let fix = name::nearest(wanted, known.clone()).map(Fix::value);
            let help = name::did_you_mean(wanted, known).or_else(|| Some("remove this override".to_owned()));
            diagnostics.error(Diagnostic { help, fix, ..found });
        }
        let mut read = IndexMap::with_capacity(declared.len());
        for (name, Declared { value, site }) in declared {
            let (mut value, mut origin) = (value.clone(), Origin::new(site.clone()));
            if let Some(overlay) = overlays.get(name) {
                merge(&mut value, &mut origin, overlay, &overlay_site.member(name));
            }
            if let Ok(entity) = self.entity(value, origin, diagnostics) {
                read.insert(name.clone(), entity);
            }
        }
        read
    }

    fn entity<T: DeserializeOwned>(
        &self,
        mut value: Value,
        origin: Origin,
        diagnostics: &mut Diagnostics,
    ) -> Result<Entity<T>, Reported> {
        interpolate::value(&mut value, self.scope, &|pointer| origin.site(pointer), diagnostics)?;
        let spec = typed(&value, &origin.site, diagnostics)?;
        Ok(Entity { spec, origin })
    }
}

/// The overlay is the whole value.
fn replace(value: &mut Value, origin: &mut Origin, overlay: &Value, site: &Site) {
    *value = overlay.clone();
    origin.overlaid.push((String::new(), site.clone()));
}

/// The overlay's keys take the place of the job's; parameters and tags are joined by name.
fn job_overlay(value: &mut Value, origin: &mut Origin, overlay: &Value, site: &Site) {
    let (Value::Object(job), Value::Object(overlay)) = (value, overlay) else { return };
    if overlay.contains_key("schedule") || overlay.contains_key("trigger") {
        // A job runs on one of them, so the overlay's is in the place of any.
        job.shift_remove("continuous");
        job.shift_remove("schedule");
        job.shift_remove("trigger");
    }
    for (key, member) in overlay {
        match (job.get_mut(key), member) {
            (Some(Value::Object(own)), Value::Object(further)) if key == "parameters" || key == "tags" => {
                for (name, value) in further {
                    own.insert(name.clone(), value.clone());
                    let pointer = join_pointer(&join_pointer("", key), name);
                    origin.overlaid.push((pointer, site.member(key).member(name)));
                }
            }
            _ => {
                job.insert(key.clone(), member.clone());
                origin.overlaid.push((join_pointer("", key), site.member(key)));
            }
        }
    }
}

/// Reads the files of the project that a job's tasks name.
fn read_files(
    job: &Entity<spec::Job>,
    dir: &Path,
    files: &dyn Files,
    texts: &mut BTreeMap<String, Option<String>>,
    diagnostics: &mut Diagnostics,
) {
    for (index, task) in job.spec.tasks.iter().enumerate() {
        let named = [
            task.notebook.as_ref().map(|notebook| (notebook.path.as_str(), "notebook/path")),
            task.python.as_ref().map(|python| (python.file.as_str(), "python/file")),
            task.sql.as_ref().map(|sql| (sql.file.as_str(), "sql/file")),
        ];
        if let Some(dbt) = &task.dbt {
            let site = job.origin.site(&format!("/tasks/{index}/dbt/project"));
            let folder = dbt.project.trim_start_matches("./").trim_end_matches('/');
            if !folder.starts_with('/') {
                resource_files::read_folder(folder, &site, dir, files, texts, diagnostics);
            }
        }
        for (path, key) in named.into_iter().flatten() {
            // A path in the workspace.
            if path.starts_with('/') || texts.contains_key(path) {
                continue;
            }
            let site = job.origin.site(&format!("/tasks/{index}/{key}"));
            let text = read_file(path, site, dir, files, diagnostics).ok();
            texts.insert(path.to_owned(), text);
        }
    }
}

pub(super) fn read_file(
    path: &str,
    site: Site,
    dir: &Path,
    files: &dyn Files,
    diagnostics: &mut Diagnostics,
) -> Result<String, Reported> {
    if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(diagnostics.error(
            Diagnostic::error(code::TASK_FILE, format!("`{path}` leaves the project's folder"))
                .at(site, "")
                .help("keep the file below the project's folder and name it relative to that"),
        ));
    }
    let missing = |diagnostics: &mut Diagnostics| {
        let found = Diagnostic::error(code::TASK_FILE, format!("`{path}` cannot be read: there is no such file"));
        let ending = Path::new(path).extension();
        let listed: Vec<String> =
            files.list(dir).unwrap_or_default().iter().map(|file| shown_path(dir, file)).collect();
        let alike = listed.iter().map(String::as_str).filter(|file| Path::new(file).extension() == ending);
        diagnostics.error(match name::nearest(path, alike) {
            Some(near) => found.at(site.clone(), "").help(format!("did you mean `{near}`?")).fix(near),
            None => found
                .at(site.clone(), "")
                .help("create it, or correct the path; it is relative to the project's folder"),
        })
    };
    let bytes = files.read(&dir.join(path)).map_err(|_| missing(diagnostics))?;
    String::from_utf8(bytes).map_err(|_| {
        diagnostics.error(
            Diagnostic::error(code::TASK_FILE, format!("`{path}` is not UTF-8 text"))
                .at(site.clone(), "")
                .help("save it as UTF-8"),
        )
    })
}
