//! Contracts that are read from Open Data Contract Standard files.
//!
//! In: a contract that names a file. Out: the contract as if it had been written here, with the place in the file of each
//! of its parts. What stands beside `odcs` in the project is added to it: further expectations, and `on_cast_failure`.

use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexMap;

use super::{Entity, Origin};
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, code};
use crate::exchange::odcs::{self, Imported, Surroundings, Wanted};
use crate::ir::OnViolation;
use crate::name::{self, TableName};
use crate::project::{Declared, shown_path};
use crate::schema::{self, Form};
use crate::source::{self, Document, Files, Sources};
use crate::spec;

/// Replaces the contracts that name a file by what it says. Those with errors are left out.
pub(super) fn read_all(
    contracts: &mut IndexMap<String, Entity<spec::Contract>>,
    tables: &IndexMap<String, Declared>,
    dir: &Path,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) {
    for entity in contracts.values() {
        if let (Some(object), None) = (&entity.spec.object, &entity.spec.odcs) {
            diagnostics.error(
                Diagnostic::error(code::CONTRACT_FORM, format!("`object: {object}` is of no file"))
                    .at(entity.origin.site("/object").key(), "")
                    .help("remove `object`, or add `odcs` with the file's path"),
            );
        }
    }
    if contracts.values().all(|entity| entity.spec.odcs.is_none()) {
        return;
    }
    let kept = Kept::of(contracts, tables);
    let mut documents: BTreeMap<String, Option<Document>> = BTreeMap::new();
    let names: Vec<String> = contracts.keys().cloned().collect();
    for name in names {
        let Some(entity) = contracts.get(&name) else { continue };
        let Some(path) = entity.spec.odcs.clone() else { continue };
        if !documents.contains_key(&path) {
            let document = read_file(&path, &entity.origin, dir, files, sources, diagnostics);
            documents.insert(path.clone(), document.ok());
        }
        let document = documents.get(&path).and_then(Option::as_ref);
        let read = document.and_then(|document| import(entity, document, &name, &kept, diagnostics).ok());
        match read {
            Some(read) => {
                contracts.insert(name, read);
            }
            None => {
                contracts.shift_remove(&name);
            }
        }
    }
}

/// Which tables keep which contracts, and which objects of which files these are.
struct Kept {
    /// By contract.
    tables: BTreeMap<String, Vec<TableName>>,
    /// The file and the object of a contract; the object is empty where it is not named.
    objects: Vec<(String, String, String)>,
}

impl Kept {
    fn of(contracts: &IndexMap<String, Entity<spec::Contract>>, tables: &IndexMap<String, Declared>) -> Self {
        let mut kept: BTreeMap<String, Vec<TableName>> = BTreeMap::new();
        for (written, declared) in tables {
            let contract = declared.value.get("contract").and_then(serde_json::Value::as_str);
            if let (Some(contract), Some(table)) = (contract, TableName::parse(written)) {
                kept.entry(contract.to_lowercase()).or_default().push(table);
            }
        }
        let objects = contracts.iter().filter_map(|(name, entity)| {
            let file = entity.spec.odcs.clone()?;
            Some((file, entity.spec.object.clone().unwrap_or_default(), name.clone()))
        });
        Kept { tables: kept, objects: objects.collect() }
    }

    fn tables(&self, contract: &str) -> &[TableName] {
        self.tables.get(contract).map_or(&[], Vec::as_slice)
    }

    /// The only table that keeps the contract of an object of a file.
    fn table_of(&self, file: &str, object: &str) -> Option<TableName> {
        let (_, _, contract) =
            self.objects.iter().find(|(other, named, _)| other == file && name::same(named, object))?;
        match self.tables(contract) {
            [only] => Some(only.clone()),
            _ => None,
        }
    }
}

fn read_file(
    path: &str,
    origin: &Origin,
    dir: &Path,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Result<Document, Reported> {
    let site = origin.site("/odcs");
    if Path::new(path).is_absolute() || path.split(['/', '\\']).any(|part| part == "..") {
        return Err(diagnostics.error(
            Diagnostic::error(code::UNREADABLE, format!("`{path}` leaves the project's folder"))
                .at(site, "")
                .help("keep the file below the project's folder and name it relative to that"),
        ));
    }
    let full = dir.join(path);
    if !full.is_file() && files.read(&full).is_err() {
        let found = Diagnostic::error(code::UNREADABLE, format!("`{path}` cannot be read: there is no such file"))
            .at(site, "no such file");
        let listed = files.list(dir).unwrap_or_default();
        let known: Vec<String> = listed.iter().map(|file| shown_path(dir, file)).filter(|file| is_yaml(file)).collect();
        let found = match name::nearest(path, known.iter().map(String::as_str)) {
            Some(near) => found.help(format!("did you mean `{near}`?")).fix(near),
            None => found.help("correct the path; it is relative to the project's folder"),
        };
        return Err(diagnostics.error(found));
    }
    let document = source::read(files, &full, path, sources, diagnostics)?;
    Ok(schema::validate(document, Form::Odcs, sources, diagnostics)?.document)
}

fn is_yaml(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|known| ending == *known))
}

fn import(
    entity: &Entity<spec::Contract>,
    document: &Document,
    contract: &str,
    kept: &Kept,
    diagnostics: &mut Diagnostics,
) -> Result<Entity<spec::Contract>, Reported> {
    let Entity { spec: own, origin } = entity;
    refuse_own(entity, diagnostics)?;
    let file = own.odcs.as_deref().unwrap_or_default();
    let root = Site::root(document.source);
    let wanted =
        Wanted { object: own.object.as_deref(), site: origin.site("/odcs"), object_site: origin.site("/object") };
    let surroundings = Surroundings { tables: kept.tables(contract), table_of: &|object| kept.table_of(file, object) };
    let Imported { contract: mut read, places } =
        odcs::import(&document.value, &root, &wanted, &surroundings, diagnostics)?;
    let mut overlaid = places;
    for (index, expectation) in own.expect.iter().enumerate() {
        overlaid.push((format!("/expect/{}", read.expect.len()), origin.site(&format!("/expect/{index}"))));
        read.expect.push(expectation.clone());
    }
    if own.on_cast_failure != OnViolation::default() {
        overlaid.retain(|(pointer, _)| pointer != "/on_cast_failure");
        read.on_cast_failure = own.on_cast_failure;
    }
    if own.timezone.is_some() {
        overlaid.retain(|(pointer, _)| pointer != "/timezone");
        read.timezone.clone_from(&own.timezone);
    }
    read.freshness.clone_from(&own.freshness);
    Ok(Entity { spec: read, origin: Origin { site: origin.site.clone(), overlaid } })
}

/// What the file says is not said again beside it.
fn refuse_own(entity: &Entity<spec::Contract>, diagnostics: &mut Diagnostics) -> Result<(), Reported> {
    let Entity { spec, origin } = entity;
    let given = [
        ("version", spec.version.is_some()),
        ("description", spec.description.is_some()),
        ("owner", spec.owner.is_some()),
        ("columns", !spec.columns.is_empty()),
    ];
    let mut failed = None;
    for (key, _) in given.iter().filter(|(_, given)| *given) {
        failed = Some(
            diagnostics.error(
                Diagnostic::error(code::CONTRACT_FORM, format!("`{key}` stands beside `odcs`"))
                    .at(origin.site(&format!("/{key}")).key(), "")
                    .at(origin.site("/odcs"), "the file says it")
                    .help(format!("remove `{key}`, or say it in the file")),
            ),
        );
    }
    failed.map_or(Ok(()), Err)
}
