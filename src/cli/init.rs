//! `medc init`: a small project that validates and applies at once.
//!
//! Files come from the binary. Nothing that exists is overwritten, and a folder that is not empty is left alone unless
//! `--force` is given. The JSON Schema is written beside the project file, so that editors complete exactly what this
//! version of medc understands, without a network. With `--ci` the files of a pipeline are written too; in a project that
//! exists, only these.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};

use super::arguments::{Init, Template};
use super::stages::Session;
use super::{Done, Failure, Outcome, ci};
use crate::name;
use crate::project::PROJECT_FILE;
use crate::schema::{self, Form};

/// A file of a template: its path in the project, and its text.
struct TemplateFile {
    path: &'static str,
    text: &'static str,
    /// Whether `text` is a minijinja template; data and SQL are copied as they are.
    rendered: bool,
}

macro_rules! files {
    ($folder:literal: $($path:literal $(($source:literal))? => $kind:ident),* $(,)?) => {
        &[$(TemplateFile {
            path: $path,
            text: files!(@text $folder $path $($source)?),
            rendered: files!(@rendered $kind),
        }),*]
    };
    (@text $folder:literal $path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $path))
    };
    (@text $folder:literal $path:literal $source:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $source))
    };
    (@rendered rendered) => { true };
    (@rendered copied) => { false };
}

const MINIMAL: &[TemplateFile] = files!("templates/init":
    "medc.yml" => rendered,
    "README.md" => rendered,
    ".gitignore" ("gitignore") => copied,
    "contracts/orders.yml" => copied,
    "tables/orders.yml" => copied,
    "sql/daily_revenue.sql" => copied,
    "data/orders.csv" => copied,
);

const SALES: &[TemplateFile] = files!("specs/sales":
    "medc.yml" => copied,
    "README.md" => copied,
    ".gitignore" ("../../templates/init/gitignore") => copied,
    "config/ml_models.json" => copied,
    "contracts/customer_metrics.yml" => copied,
    "contracts/customer_snapshots.yml" => copied,
    "contracts/sales.yml" => copied,
    "contracts/sales_raw.yml" => copied,
    "data/generate.py" => copied,
    "data/sales.csv" => copied,
    "sql/customer_metrics.sql" => copied,
    "sql/customer_snapshots.sql" => copied,
    "tables/bronze.yml" => copied,
    "tables/gold_core.yml" => copied,
    "tables/silver.yml" => copied,
);

const IRIS: &[TemplateFile] = files!("specs/iris":
    "medc.yml" => copied,
    "README.md" => copied,
    ".gitignore" ("../../templates/init/gitignore") => copied,
    "contracts/iris_bronze.yml" => copied,
    "contracts/iris_features.yml" => copied,
    "contracts/iris_gold.yml" => copied,
    "contracts/iris_silver.yml" => copied,
    "data/iris.csv" => copied,
    "quality/checkpoints/iris_bronze_checkpoint.yml" => copied,
    "quality/checkpoints/iris_gold_checkpoint.yml" => copied,
    "quality/checkpoints/iris_silver_checkpoint.yml" => copied,
    "quality/suites/iris_bronze_suite.json" => copied,
    "quality/suites/iris_gold_suite.json" => copied,
    "quality/suites/iris_silver_suite.json" => copied,
    "sql/iris_features.sql" => copied,
    "sql/iris_gold.sql" => copied,
    "tables/bronze.yml" => copied,
    "tables/gold.yml" => copied,
    "tables/silver.yml" => copied,
);

const FINANCE: &[TemplateFile] = files!("specs/finance":
    "medc.yml" => copied,
    "README.md" => copied,
    ".gitignore" ("../../templates/init/gitignore") => copied,
    "contracts/bronze.yml" => copied,
    "contracts/gold.yml" => copied,
    "contracts/silver.yml" => copied,
    "data/calendar.csv" => copied,
    "data/generate.py" => copied,
    "data/ptax.csv" => copied,
    "data/transactions.csv" => copied,
    "jobs.yml" => copied,
    "notebooks/03_train_mlflow.py" => copied,
    "notebooks/04_batch_scoring.py" => copied,
    "notebooks/evaluate.py" => copied,
    "notebooks/monitor.py" => copied,
    "notebooks/register.py" => copied,
    "sql/gd_cards_spending.sql" => copied,
    "sql/gd_fx_features.sql" => copied,
    "sql/sl_calendar_days.sql" => copied,
    "sql/sl_fx_daily.sql" => copied,
    "tables/bronze.yml" => copied,
    "tables/gold.yml" => copied,
    "tables/silver.yml" => copied,
);

/// The editors' schema, beside `medc.yml`.
const SCHEMA_FILE: &str = "medc.schema.json";

/// Writes a new project.
pub(super) fn run(options: &Init, session: &mut Session) -> Outcome {
    let folder = &options.folder;
    if let Some(system) = options.ci
        && folder.join(PROJECT_FILE).is_file()
    {
        let layout = ci::Layout::of(folder, system, options.auth, options.force)?;
        return ci::write(&layout, session);
    }
    let io = |doing: &str, error: &std::io::Error| Failure::Stopped { message: format!("cannot {doing}: {error}") };
    fs::create_dir_all(folder).map_err(|error| io(&format!("make the folder `{}`", folder.display()), &error))?;
    let listed = fs::read_dir(folder).map_err(|error| io(&format!("read `{}`", folder.display()), &error))?;
    // A repository may be there before its project.
    let occupied = listed.flatten().any(|entry| entry.file_name() != ".git");
    if occupied && !options.force {
        return Err(Failure::asked(
            format!("`{}` is not empty", folder.display()),
            Some(
                "name a new folder, or add `--force` to write beside what is there (no file is overwritten)".to_owned(),
            ),
        ));
    }

    // Before anything is written, since it may refuse.
    let pipeline = options.ci.map(|system| ci::Layout::of(folder, system, options.auth, options.force)).transpose()?;
    let files = match options.from {
        Template::Minimal => MINIMAL,
        Template::Sales => SALES,
        Template::Iris => IRIS,
        Template::Finance => FINANCE,
    };
    let project_name = project_name(folder);
    let mut written: Vec<(&str, String)> = Vec::new();
    for file in files {
        let text = if file.rendered { render(file, &project_name) } else { file.text.to_owned() };
        written.push((file.path, text));
    }
    let schema = serde_json::to_string_pretty(&schema::json_schema(Form::Project)).expect("a schema is plain JSON");
    written.push((SCHEMA_FILE, format!("{schema}\n")));

    for (path, text) in &written {
        let doing = || format!("write `{path}`");
        match write_new(&folder.join(path), text) {
            Ok(()) => session.console.say(&format!("  + {path}"))?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                session.console.say(&format!("    {path} exists, kept"))?;
            }
            Err(error) => return Err(io(&doing(), &error)),
        }
    }
    if let Some(layout) = pipeline {
        ci::write(&layout, session)?;
    }
    let go = if folder == Path::new(".") { String::new() } else { format!("cd {} && ", folder.display()) };
    session.console.hint(&format!("run `{go}medc apply` to build its tables"))?;
    Ok(Done::Well)
}

fn render(file: &TemplateFile, project_name: &str) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build().expect("the usual delimiters");
    environment.set_syntax(syntax);
    environment
        .render_str(file.text, context! { name => project_name })
        .expect("a template of ours renders; a test renders all")
}

/// Writes a file that does not exist, with its folders.
///
/// # Errors
/// When it exists, or cannot be written.
pub(super) fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::File::create_new(path)?.write_all(text.as_bytes())
}

/// The folder's name as a project's name.
fn project_name(folder: &Path) -> String {
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let named: String = absolute
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default()
        .chars()
        .map(|character| if character.is_alphanumeric() { character } else { '_' })
        .collect();
    if name::is_identifier(&named) { named } else { format!("project_{named}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_renders() {
        for file in MINIMAL.iter().filter(|file| file.rendered) {
            assert!(render(file, "shop").contains("shop"), "{}", file.path);
        }
    }

    #[test]
    fn a_project_is_named_after_its_folder() {
        assert_eq!(project_name(Path::new("/nowhere/My Shop")), "my_shop");
        assert_eq!(project_name(Path::new("/nowhere/2025-sales")), "project_2025_sales");
    }
}
