//! A table's query: the text in the project file, or the file that it names.

use std::path::Path;

use super::Origin;
use super::interpolate::{self, Scope};
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, code};
use crate::ir::Sql;
use crate::name;
use crate::project::shown_path;
use crate::source::{self, Files, Sources};
use crate::spec;

/// The query of a table that has one.
///
/// # Errors
/// `resolve::sql-file` when the file cannot be read, and what interpolation reports.
pub(super) fn read(
    table: &spec::Table,
    origin: &Origin,
    scope: &Scope<'_>,
    dir: &Path,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Sql>, Reported> {
    let Some(written) = &table.sql else { return Ok(None) };
    let site = origin.site("/sql");
    if !is_path(written) {
        return with_values(written, site, scope, diagnostics).map(Some);
    }
    let path = interpolate::text(written.trim(), scope, &|| site.clone(), diagnostics)?;
    if Path::new(&*path).is_absolute() || path.split(['/', '\\']).any(|part| part == "..") {
        return Err(diagnostics.error(
            Diagnostic::error(code::SQL_FILE, format!("`{path}` leaves the project's folder"))
                .at(site, "")
                .help("keep the file below the project's folder and name it relative to that"),
        ));
    }
    let full = dir.join(&*path);
    if !full.is_file() && files.read(&full).is_err() {
        return Err(diagnostics.error(missing(&path, dir, files).at(site, "no such file")));
    }
    let id = source::read_text(files, &full, &path, sources, diagnostics)?;
    let text = sources.get(id).text.clone();
    with_values(&text, Site::root(id), scope, diagnostics).map(Some)
}

/// One line that ends in `.sql` is a path; queries contain blanks.
fn is_path(written: &str) -> bool {
    let trimmed = written.trim();
    Path::new(trimmed).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("sql"))
        && !trimmed.contains(char::is_whitespace)
}

fn with_values(text: &str, site: Site, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Result<Sql, Reported> {
    let replaced = interpolate::text(text, scope, &|| site.clone(), diagnostics)?;
    let authored = matches!(replaced, std::borrow::Cow::Borrowed(_));
    Ok(Sql { text: replaced.into(), site, authored })
}

fn missing(path: &str, dir: &Path, files: &dyn Files) -> Diagnostic {
    let found = Diagnostic::error(code::SQL_FILE, format!("`{path}` cannot be read: there is no such file"));
    let listed = files.list(dir).unwrap_or_default();
    let queries: Vec<String> = listed.iter().map(|file| shown_path(dir, file)).filter(|file| is_path(file)).collect();
    match name::nearest(path, queries.iter().map(String::as_str)) {
        Some(near) => found.help(format!("did you mean `{near}`?")).fix(near),
        None => found.help("create it, or write the query itself after `sql: |`"),
    }
}
