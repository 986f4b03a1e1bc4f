//! What all notebooks share: the Python package, its tests and the files around it.
//!
//! The package is the same for every project but for its name; it is kept as Python under `templates/databricks`, where tests
//! run it on open-source Spark.

use std::collections::BTreeMap;

use crate::engines::databricks::{Target, jobs, notebooks};
use crate::spec;

/// A module with its text.
macro_rules! module {
    ($file:literal) => {
        ($file, include_str!(concat!("../../../templates/databricks/package/", $file)))
    };
}

/// The package's modules.
const MODULES: &[(&str, &str)] = &[
    module!("__init__.py"),
    module!("build.py"),
    module!("casts.py"),
    module!("checks.py"),
    module!("contract.py"),
    module!("databases.py"),
    module!("distribution.py"),
    module!("files.py"),
    module!("judge.py"),
    module!("measures.py"),
    module!("nested.py"),
    module!("observed.py"),
    module!("pipeline.py"),
    module!("publish.py"),
    module!("quarantine.py"),
    module!("registry.py"),
    module!("run.py"),
    module!("shape.py"),
    module!("statements.py"),
    module!("table.py"),
    module!("unity.py"),
    module!("verdicts.py"),
    module!("windows.py"),
];

/// The package's name: the project's, with a word behind it so that it never hides a module of Python.
pub(super) fn name(project: &str) -> String {
    format!("{}_pipeline", project.to_lowercase())
}

/// Everything in the bundle that is not about one table.
pub(super) fn files(project: &spec::ProjectHeader, package: &str, targets: &[Target<'_>]) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> =
        MODULES.iter().map(|(file, text)| (format!("src/{package}/{file}"), (*text).to_owned())).collect();
    if targets.iter().any(jobs::need_unity_catalog) {
        files.insert("src/notebooks/unity_catalog.py".to_owned(), notebooks::unity(package));
    }
    files.insert("pyproject.toml".to_owned(), pyproject(project, package));
    files.insert(".gitignore".to_owned(), ".databricks/\n.venv/\n__pycache__/\ndist/\n*.egg-info/\n".to_owned());
    files
}

fn pyproject(project: &spec::ProjectHeader, package: &str) -> String {
    let name = package.replace('_', "-");
    let description = project.description.as_deref().unwrap_or("Tables of a medallion lakehouse");
    // JSON's text literals are TOML's basic strings, which take no character that deletes.
    let description = serde_json::Value::from(description).to_string().replace('\u{7f}', "\\u007f");
    format!(
        "[project]\nname = \"{name}\"\nversion = \"0.1.0\"\ndescription = {description}\nrequires-python = \">=3.10\"\ndependencies = []\n\n\
         [dependency-groups]\ndev = [\"databricks-sdk\", \"mypy\", \"pyspark~=4.1.0\", \"pytest\", \"ruff\"]\n\n\
         [build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n\n\
         [tool.hatch.build.targets.wheel]\npackages = [\"src/{package}\"]\n\n\
         [tool.ruff]\nline-length = 120\nsrc = [\"src\"]\n\n\
         [tool.pytest.ini_options]\npythonpath = [\"src\"]\ntestpaths = [\"tests\"]\n\n\
         [tool.mypy]\nfiles = [\"src/{package}\", \"tests\"]\nmypy_path = [\"src\", \"tests\"]\nexplicit_package_bases = true\n"
    )
}
