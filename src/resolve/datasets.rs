//! The file of models' datasets, wherever the environment says that it is.

use std::path::Path;

use super::interpolate::{self, Scope};
use super::{Entity, Origin, typed};
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, code};
use crate::project::Declared;
use crate::schema::{self, Form};
use crate::source::{self, Files, Sources};
use crate::spec;

/// The datasets and the layer that they make.
#[derive(Debug, Clone)]
pub struct Datasets {
    pub layer: String,
    /// Where the layer is named, or else the whole declaration.
    pub origin: Origin,
    pub entries: Vec<Entity<spec::Dataset>>,
}

/// # Errors
/// `resolve::sql-file`-like errors of reading, `schema::*` of the file, interpolation of its path.
pub(super) fn read(
    declared: Declared,
    scope: &Scope<'_>,
    dir: &Path,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Result<Datasets, Reported> {
    let Declared { mut value, site } = declared;
    let origin = Origin::new(site);
    interpolate::value(&mut value, scope, &|pointer| origin.site(pointer), diagnostics)?;
    let declared: spec::Datasets = typed(&value, &origin.site, diagnostics)?;
    let path = dir.join(&declared.include);
    if !path.is_file() && files.read(&path).is_err() {
        return Err(diagnostics.error(
            Diagnostic::error(
                code::UNREADABLE,
                format!("`{}` cannot be read: there is no such file", declared.include),
            )
            .at(origin.site("/include"), "no such file")
            .help("correct the path; it is relative to the project's folder"),
        ));
    }
    let document = source::read(files, &path, &declared.include, sources, diagnostics)?;
    let valid = schema::validate(document, Form::Datasets, sources, diagnostics)?.document;
    let file_origin = Origin::new(crate::diagnostic::Site::root(valid.source));
    let file: spec::DatasetFile = typed(&valid.value, &file_origin.site, diagnostics)?;
    let entries = file
        .models
        .into_iter()
        .enumerate()
        .map(|(index, spec)| Entity { spec, origin: Origin::new(file_origin.site.member("models").element(index)) })
        .collect();
    Ok(Datasets { layer: declared.layer.to_lowercase(), origin, entries })
}
