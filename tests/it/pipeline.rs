//! `medc init --ci`: the files of a team around a project. Golden files stand in `tests/ci`; `MEDC_BLESS=1` writes them. What
//! no golden file can say, e.g. that each job that is waited for exists, is held for every system and every shape of project.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::project::{Project, files_below, package};

const SYSTEMS: [&str; 3] = ["github", "azure-devops", "gitlab"];
const SIGN_INS: [&str; 2] = ["oidc", "token"];

/// Environments on Databricks besides the local ones.
const DEPLOYED: &str = "  ci: {engine: local, warehouse: .medc/ci}
  dev:
    engine: databricks
    mode: development
    catalog: lake_dev
    workspace: {host: \"https://dev.example.com\"}
    variables: {raw_sales_path: /Volumes/lake_dev/raw/sales.csv}
  pre-prod:
    engine: databricks
    catalog: lake_stg
    workspace: {host: \"https://stg.example.com\", root_path: /Workspace/Shared/sales-stg}
    permissions: [{group_name: users, level: CAN_MANAGE}]
    variables: {raw_sales_path: /Volumes/lake_stg/raw/sales.csv}
  prod:
    engine: databricks
    catalog: lake
    workspace: {host: \"https://prod.example.com\", root_path: /Workspace/Shared/sales-prod}
    permissions: [{group_name: users, level: CAN_MANAGE}]
    git: {branch: release}
    variables: {raw_sales_path: /Volumes/lake/raw/sales.csv}
";

const JOBS: &str = "
jobs:
  daily:
    description: All tables, before the day begins
    schedule: {cron: \"0 30 4 * * ?\", timezone: America/Sao_Paulo}
    environments: [pre-prod, prod]
";

/// A project whose stages are not declared yet.
fn source() -> PathBuf {
    package().join("tests/ci/project")
}

fn sales() -> Project {
    Project::copy_of(&source())
}

fn deployed() -> Project {
    let project = sales();
    let text = project.read("medc.yml").replace("  ci: {engine: local, warehouse: .medc/ci}\n", DEPLOYED);
    project.write("medc.yml", &format!("{text}{JOBS}"));
    project
}

fn init(project: &Project, arguments: &[&str]) {
    let run = project.medc(&[&["init", "--ci"], arguments].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
}

/// The files that a project has and its source has not.
fn written(project: &Project, source: &Path) -> Vec<String> {
    let names = |folder: &Path| -> BTreeSet<String> {
        let files = files_below(folder).into_iter();
        files.map(|file| file.strip_prefix(folder).expect("below it").to_string_lossy().into_owned()).collect()
    };
    names(project.path()).difference(&names(source)).cloned().collect()
}

fn yaml(text: &str) -> Value {
    let files = medc::source::Memory::new([("file.yml", text)]);
    let (mut sources, mut diagnostics) = (medc::source::Sources::new(), medc::diagnostic::Diagnostics::new());
    let read = medc::source::read(&files, Path::new("file.yml"), "file.yml", &mut sources, &mut diagnostics);
    read.unwrap_or_else(|_| panic!("{:?}\n{text}", diagnostics.iter().collect::<Vec<_>>())).value
}

fn pipeline(system: &str) -> &'static str {
    match system {
        "github" => ".github/workflows/ci-cd.yml",
        "azure-devops" => "azure-pipelines.yml",
        _ => ".gitlab-ci.yml",
    }
}

#[test]
fn the_files_of_the_sales_system_are_as_they_were_read() {
    let root = package().join("tests/ci");
    let mut stale = Vec::new();
    for (case, project, arguments) in [
        ("github", deployed(), ["github", "--auth", "oidc"]),
        ("azure-devops", deployed(), ["azure-devops", "--auth", "token"]),
        ("gitlab", sales(), ["gitlab", "--auth", "oidc"]),
    ] {
        init(&project, &arguments);
        let files = written(&project, &source());
        assert!(files.len() > 9, "{files:?}");
        for file in files {
            let golden = root.join(case).join(&file);
            let text = project.read(&file);
            if std::env::var_os("MEDC_BLESS").is_some() {
                std::fs::create_dir_all(golden.parent().expect("a folder")).expect("a folder");
                std::fs::write(&golden, &text).expect("a blessed file");
            }
            if std::fs::read_to_string(&golden).unwrap_or_default() != text {
                stale.push(golden);
            }
        }
    }
    assert!(stale.is_empty(), "run `MEDC_BLESS=1 cargo test pipeline` and read the difference: {stale:?}");
}

#[test]
fn every_pipeline_is_sound() {
    for system in SYSTEMS {
        for sign_in in SIGN_INS {
            for project in [sales(), deployed()] {
                init(&project, &[system, "--auth", sign_in]);
                let text = project.read(pipeline(system));
                let read = yaml(&text);
                let docs = project.read("docs/ci.md");
                match system {
                    "github" => github(&read, &docs),
                    "azure-devops" => azure(&read),
                    _ => gitlab(&read),
                }
                named_in(&docs, &text, sign_in);
                for stage in stages(&project) {
                    assert!(text.contains(&format!("apply -t {stage} --yes")), "{text}");
                }
            }
        }
    }
}

fn stages(project: &Project) -> Vec<&'static str> {
    if project.read("medc.yml").contains("databricks") {
        vec!["dev", "pre-prod", "prod"]
    } else {
        vec!["dev", "staging", "prod"]
    }
}

/// The jobs that a value waits for.
fn needs(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Every secret and variable that a pipeline asks for is one that the page names, and OIDC has no secret at all.
fn named_in(docs: &str, text: &str, sign_in: &str) {
    let word = |text: &str| -> String {
        text.chars().take_while(|character| character.is_ascii_alphanumeric() || *character == '_').collect()
    };
    let mut asked: BTreeSet<String> = BTreeSet::new();
    for mark in ["secrets.", "vars.", "$(", "$"] {
        asked.extend(text.split(mark).skip(1).map(word));
    }
    asked
        .retain(|name| name.starts_with("DATABRICKS_") || matches!(name.as_str(), "MEDC_DOWNLOAD_URL" | "MEDC_SHA256"));
    for name in &asked {
        assert!(docs.contains(&format!("`{name}`")), "docs/ci.md does not name `{name}`");
    }
    let has_token = text.contains("DATABRICKS_TOKEN");
    assert_eq!(has_token, sign_in == "token", "{text}");
    if sign_in == "token" {
        assert!(text.contains("DATABRICKS_HOST_PROD") && text.contains("DATABRICKS_TOKEN_PROD"), "{text}");
    }
}

fn github(workflow: &Value, docs: &str) {
    assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}));
    let jobs = workflow["jobs"].as_object().expect("jobs");
    let mut before = "build-test".to_owned();
    for (name, job) in jobs {
        for needed in needs(&job["needs"]) {
            assert!(jobs.contains_key(&needed), "{name} needs {needed}");
        }
        assert!(job["timeout-minutes"].is_number() && job["runs-on"].is_string(), "{name}");
        let writes = job["permissions"].as_object().into_iter().flatten().filter(|(_, level)| *level == "write");
        let writes: Vec<&str> = writes.map(|(scope, _)| scope.as_str()).collect();
        for step in job["steps"].as_array().expect("steps") {
            if let Some(action) = step["uses"].as_str() {
                let commit = action.split_once('@').expect("a version").1;
                assert!(commit.len() == 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit()), "{action}");
            }
            // Texts of others reach commands as variables only.
            assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{step}");
        }
        if let Some(environment) = job["environment"].as_str() {
            assert!(writes.iter().all(|scope| *scope == "id-token"), "{writes:?}");
            let condition = job["if"].as_str().expect("a condition");
            assert!(condition.contains("github.ref == 'refs/heads/") && condition.contains("!= 'pull_request'"));
            assert_eq!(job["concurrency"]["cancel-in-progress"], false);
            assert!(docs.contains(&format!("`{environment}`")));
            // A stage of another branch begins anew.
            assert!(job["needs"][0] == before.as_str() || job["needs"][0] == "build-test", "{name}");
            name.clone_into(&mut before);
        } else {
            assert!(writes.is_empty() || name == "comment" && writes == ["pull-requests"], "{name}: {writes:?}");
        }
    }
}

fn azure(pipeline: &Value) {
    let stages = pipeline["stages"].as_array().expect("stages");
    let names: Vec<&str> = stages.iter().filter_map(|stage| stage["stage"].as_str()).collect();
    assert_eq!(names.len(), 4);
    for (index, stage) in stages.iter().enumerate().skip(1) {
        for needed in needs(&stage["dependsOn"]) {
            assert!(names[..index].contains(&needed.as_str()), "{needed}");
        }
        assert!(stage["condition"].as_str().expect("a condition").contains("'refs/heads/"));
        let job = &stage["jobs"][0];
        assert!(job["deployment"].is_string() && job["environment"].is_string());
    }
}

fn gitlab(pipeline: &Value) {
    let stages = needs(&pipeline["stages"]);
    let jobs = pipeline.as_object().expect("an object").iter().filter(|(_, job)| job["stage"].is_string());
    let jobs: Vec<(&String, &Value)> = jobs.collect();
    assert_eq!(jobs.len(), 4);
    for (name, job) in &jobs {
        assert!(stages.contains(&job["stage"].as_str().expect("a stage").to_owned()), "{name}");
        for needed in needs(&job["needs"]) {
            assert!(jobs.iter().any(|(other, _)| **other == needed), "{name} needs {needed}");
        }
        if job["environment"].is_object() {
            assert!(job["rules"][0]["if"].as_str().expect("a rule").starts_with("$CI_COMMIT_BRANCH == "), "{name}");
            assert!(job["resource_group"].is_string(), "{name}");
        }
    }
    assert_eq!(jobs.last().expect("jobs").1["rules"][0]["when"], "manual");
}

#[test]
fn a_new_project_has_its_pipeline_and_validates() {
    let project = Project::empty();
    init(&project, &["github", "shop"]);
    assert!(project.path().join("shop/.github/workflows/ci-cd.yml").is_file());
    assert_eq!(project.medc(&["validate", "-p", "shop"]).code, Some(0));
    assert_eq!(project.read("shop/.gitignore").matches(".medc/\n").count(), 1);
}

#[test]
fn nothing_is_overwritten() {
    let project = sales();
    project.write("Makefile", "mine\n");
    project.write(".gitignore", "/dist\n.env");
    let refused = project.medc(&["init", "--ci", "gitlab"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("`Makefile` exists already"), "{refused:?}");
    assert!(!project.path().join(".gitlab-ci.yml").exists());
    assert_eq!(project.read(".gitignore"), "/dist\n.env");

    init(&project, &["gitlab", "--force"]);
    assert_eq!(project.read("Makefile"), "mine\n");
    let ignored = project.read(".gitignore");
    assert!(ignored.starts_with("/dist\n.env\n") && ignored.contains(".medc/\n"), "{ignored}");
    init(&project, &["gitlab", "--force"]);
    assert_eq!(project.read(".gitignore"), ignored);
}

#[test]
fn a_project_within_a_repository_is_run_from_its_root() {
    let repository = Project::empty();
    repository.write(".git/HEAD", "ref: refs/heads/main\n");
    for file in files_below(&source()) {
        let relative = file.strip_prefix(source()).expect("below it");
        repository
            .write_bytes(&format!("sales/{}", relative.to_string_lossy()), &std::fs::read(&file).expect("a file"));
    }
    let run = repository.medc(&["init", "--ci", "github", "sales"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let workflow = repository.read(".github/workflows/ci-cd-sales.yml");
    yaml(&workflow);
    assert!(workflow.contains("medc -p sales apply -t ci\n"), "{workflow}");
    assert!(workflow.contains("bash sales/scripts/install-medc.sh\n"), "{workflow}");
    assert!(repository.path().join("sales/Makefile").is_file());
    assert!(!repository.path().join("Makefile").exists());
}

#[test]
fn names_that_mean_something_to_a_shell_are_refused() {
    let project = sales();
    let text = project.read("medc.yml").replace("  ci: {", "  \"ci; rm -rf $HOME\": {");
    project.write("medc.yml", &text);
    let refused = project.medc(&["init", "--ci", "github"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("cannot stand in a pipeline"), "{refused:?}");
}

const HOSTILE: &str = "x' \\\"; $(touch pwned) `touch pwned` ${{ secrets.A }} {{ 1 }} << 1 >> <script> | --- # %>";

#[test]
fn texts_of_the_project_stay_texts() {
    for system in SYSTEMS {
        let project = sales();
        let text = project
            .read("medc.yml")
            .replace(
                "owner: data-platform@example.com",
                &format!("owner: \"{HOSTILE}\\n- b\", description: \"{HOSTILE}\""),
            )
            .replace("A CSV file of orders", &format!("A\\n{HOSTILE}"))
            .replace("description: A", "description: \"A")
            .replace("or a folder or glob of them", "or a folder\"")
            .replace("default: data/sales.csv", &format!("default: \"{}\"", "data/sales.csv #\\\"$(touch pwned)"));
        project.write("medc.yml", &text);
        init(&project, &[system]);
        let names = written(&project, &source());
        for name in names {
            let text = project.read(&name);
            let ending = Path::new(&name).extension().map(|ending| ending.to_string_lossy().into_owned());
            if ending.as_deref() == Some("yml") {
                yaml(&text);
            }
            let executed = name == "Makefile" || matches!(ending.as_deref(), Some("yml" | "sh"));
            assert!(!executed || !text.contains("pwned"), "{name}: {text}");
            assert!(ending.as_deref() != Some("md") || !text.contains("<script>"), "{name}: {text}");
        }
        let variables = project.read(".env.example");
        let lines = variables.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert_eq!(lines.count(), 2, "{variables}");
        // medc reads back what it wrote.
        std::fs::rename(project.path().join(".env.example"), project.path().join(".env")).expect("a new name");
        let plan = project.medc(&["plan"]);
        assert!(plan.stderr.contains("data/sales.csv #\"$(touch pwned)"), "{plan:?}");
    }
}

#[test]
fn findings_and_plans_are_written_for_a_pull_request() {
    let project = sales();
    let plan = project.medc(&["plan", "--format", "markdown"]);
    assert!(plan.stdout.starts_with("### Plan for `local`\n\nPlan: 6 to create.\n\n| |"), "{plan:?}");
    assert!(plan.stdout.contains("| + | `bronze.sales_raw` | create: not in the warehouse |\n"), "{plan:?}");

    let sql = project.read("sql/customer_metrics.sql").replace("amount", "amout");
    project.write("sql/customer_metrics.sql", &sql);
    let long = project.medc(&["validate", "--format", "github"]);
    let short = project.medc(&["validate", "--github"]);
    assert!(short.stdout.starts_with("::error file=sql/customer_metrics.sql,"), "{short:?}");
    assert_eq!((&long.stdout, long.code), (&short.stdout, short.code));
    assert_eq!(project.medc(&["validate", "--sarif"]).stdout, project.medc(&["validate", "--format", "sarif"]).stdout);
    assert_eq!(project.medc(&["validate", "--sarif", "--github"]).code, Some(2));

    let plan = project.medc(&["plan", "--github", "--format", "markdown"]);
    assert_eq!(plan.code, Some(1));
    assert_eq!(plan.stderr, short.stdout, "annotations on stderr");
    assert!(plan.stdout.starts_with("### No plan\n\n- `check::"), "{plan:?}");

    // GitHub names files from its workspace.
    let parent = project.path().parent().expect("a folder above");
    let run = project.medc_with(&["validate", "--github"], &[("GITHUB_WORKSPACE", &parent.to_string_lossy())]);
    let folder = project.path().file_name().expect("a name").to_string_lossy();
    assert!(run.stdout.starts_with(&format!("::error file={folder}/sql/customer_metrics.sql,")), "{run:?}");
}
