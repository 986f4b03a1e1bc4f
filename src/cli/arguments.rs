//! The command line, as types. Help texts are the doc comments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::ui::Color;

mod history;
mod plans;

pub(super) use history::{Diff, Restore};
pub(super) use plans::{Apply, Plan, PlanFormat, Promote, ResultFormat, Selection, Status};

/// Compiles a declarative medallion lakehouse and runs it on this machine.
#[derive(Debug, Parser)]
#[command(
    name = "medc",
    version,
    max_term_width = 100,
    after_help = "Examples:
  medc init shop && cd shop     start a project that runs at once
  medc validate                 find mistakes before anything runs
  medc plan                     show what apply would change, and why
  medc apply                    change it
  medc show gold.daily_sales    look at the rows

Exit codes: 0 done, 1 findings or a failed expectation, 2 usage, 3 changes (plan --exit-code), 101 a bug of medc"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The project's folder [default: this folder or the nearest parent with a medc.yml]
    #[arg(short, long, value_name = "DIR", global = true)]
    pub(super) project: Option<PathBuf>,
    /// The environment to work in [default: the project's default]
    #[arg(short, long, value_name = "ENVIRONMENT", global = true)]
    pub(super) target: Option<String>,
    /// A variable's value, e.g. `--var raw_path=data/new.csv`; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE", global = true, value_parser = assignment)]
    pub(super) variables: Vec<(String, String)>,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true)]
    pub(super) color: Color,
    /// Say nothing but errors and the data asked for
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a small project that validates and applies at once
    Init(Init),
    /// Check the whole project: shape, names, SQL types, contracts, layers
    Validate(Validate),
    /// Show what apply would change, and why
    Plan(Plan),
    /// Make the tables what the project says
    Apply(Apply),
    /// Show which versions are in which environment
    Status(Status),
    /// Bring to an environment what passed in another one
    Promote(Promote),
    /// Write the project as a Databricks Asset Bundle
    Bundle(Bundle),
    /// Test the tables as they are, without building anything
    Test(Test),
    /// Show a table's rows
    Show(Show),
    /// Compare a table's rows with those of another environment or version
    Diff(Diff),
    /// Bring a table back to an earlier version, or undo a run
    Restore(Restore),
    /// Show which tables and columns a table or column is made of
    Lineage(Lineage),
    /// Write a page about the quality of the tables
    Report(Report),
    /// Compare what contracts promise with what they promised before
    Contract(Contract),
    /// Write the tables' promises in another tool's words
    Export(Export),
    /// Write the project as a ZIP file: the same project, the same bytes
    Package(Package),
    /// Explain a diagnostic's code
    Explain(Explain),
    /// Print the JSON Schema of project files, for editors
    Schema,
    /// Print a shell's completion script
    Completions(Completions),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc init shop
  medc init shop --from sales
  medc init --ci github                 in a project: a pipeline, a Makefile, a runbook, decisions")]
pub(super) struct Init {
    /// The folder to write to
    #[arg(default_value = ".")]
    pub(super) folder: PathBuf,
    /// What to begin with
    #[arg(long, value_enum, default_value_t = Template::Minimal)]
    pub(super) from: Template,
    /// Write into a folder that is not empty; files that exist are kept as they are
    #[arg(long)]
    pub(super) force: bool,
    /// Write what a team needs besides: a pipeline for this system, a Makefile, a runbook, templates. Where there is a
    /// project, only these
    #[arg(long, value_enum, value_name = "SYSTEM")]
    pub(super) ci: Option<Ci>,
    /// How the pipeline signs in to Databricks
    #[arg(long, value_enum, default_value_t = Auth::Oidc, requires = "ci")]
    pub(super) auth: Auth,
}

/// What runs a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Ci {
    /// GitHub Actions
    Github,
    /// Azure Pipelines
    AzureDevops,
    /// GitLab CI/CD
    Gitlab,
}

impl Ci {
    /// As the command line says it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Ci::Github => "github",
            Ci::AzureDevops => "azure-devops",
            Ci::Gitlab => "gitlab",
        }
    }
}

/// How a pipeline signs in to Databricks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Auth {
    /// With the identity of the pipeline's job; nothing secret is kept
    Oidc,
    /// With the secrets `DATABRICKS_HOST_<ENVIRONMENT>` and `DATABRICKS_TOKEN_<ENVIRONMENT>`
    Token,
}

/// What a new project begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Template {
    /// Three tables over a CSV file
    Minimal,
    /// The sales medallion, with contracts, expectations and datasets
    Sales,
    /// The iris flowers, with Great Expectations suites and a feature table
    Iris,
    /// Exchange rates and card transactions, with a gated forecast and its job
    Finance,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc bundle -o bundle && cd bundle && databricks bundle validate --strict -t prod")]
pub(super) struct Bundle {
    /// The folder to write to: a new one, or one with an earlier bundle [default: .medc/bundle in the project]
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc validate
  medc validate -t prod --github            annotations on a pull request
  medc validate --against origin/main       and no contract breaks its promise unsaid")]
pub(super) struct Validate {
    /// How to write the findings
    #[arg(long, value_enum, default_value_t = FindingsFormat::Human)]
    pub(super) format: FindingsFormat,
    /// The same as `--format github`
    #[arg(long, conflicts_with_all = ["format", "sarif"])]
    pub(super) github: bool,
    /// The same as `--format sarif`
    #[arg(long, conflicts_with = "format")]
    pub(super) sarif: bool,
    /// Hold contracts to what they promised there, a git revision or a project's folder: a breaking change without a
    /// raised major version is an error
    #[arg(long, value_name = "REV|DIR")]
    pub(super) against: Option<String>,
    /// Say how long each stage took
    #[arg(long)]
    pub(super) timings: bool,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FindingsFormat {
    /// With the text around each, on stderr
    Human,
    /// A line each: path:line:column: error[code]: message
    Short,
    Json,
    /// Workflow commands for GitHub Actions
    Github,
    /// SARIF 2.1.0
    Sarif,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc test
  medc test --select 'silver.*' --format json

What is found is added to `quality.results`. Exit code 1 when an expectation that is no mere warning does not hold")]
pub(super) struct Test {
    /// Only these tables, as for `plan`
    #[arg(short, long, value_name = "SELECTOR", num_args = 1..)]
    pub(super) select: Vec<String>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t = ResultFormat::Human)]
    pub(super) format: ResultFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc show silver.sales
  medc show silver.sales --where \"status = 'paid'\" --columns order_id,amount --limit 5
  medc show gold.daily_sales --format csv > daily.csv")]
pub(super) struct Show {
    /// The table, e.g. `silver.sales`
    pub(super) table: String,
    /// Only rows for which this is true, in Databricks SQL
    #[arg(long = "where", value_name = "SQL")]
    pub(super) filter: Option<String>,
    /// Only these columns, in this order
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(super) columns: Vec<String>,
    /// What to sort by, e.g. `amount DESC, order_id`
    #[arg(long, value_name = "SQL")]
    pub(super) order_by: Option<String>,
    /// At most so many rows; 0 for all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) limit: usize,
    /// How to write the rows
    #[arg(long, value_enum, default_value_t = RowsFormat::Table)]
    pub(super) format: RowsFormat,
    /// The rows of an earlier Delta version
    #[arg(long, value_name = "VERSION")]
    pub(super) at: Option<u64>,
}

impl Show {
    /// The first rows of a table, for people.
    pub(super) fn first_rows(table: &str) -> Self {
        Show {
            table: table.to_owned(),
            filter: None,
            columns: Vec::new(),
            order_by: None,
            limit: 20,
            format: RowsFormat::Table,
            at: None,
        }
    }
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RowsFormat {
    Table,
    Csv,
    /// An object per line
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc lineage                               all tables
  medc lineage gold.daily_sales              its columns, and what they are made of
  medc lineage silver.sales.amount --downstream
  medc lineage --format svg > lineage.svg")]
pub(super) struct Lineage {
    /// A table or a column: `layer.table` or `layer.table.column`
    #[arg(value_name = "TABLE[.COLUMN]")]
    pub(super) subject: Option<String>,
    /// How to write it
    #[arg(long, value_enum, default_value_t = LineageFormat::Text)]
    pub(super) format: LineageFormat,
    /// Only what it is made of
    #[arg(long, conflicts_with = "downstream")]
    pub(super) upstream: bool,
    /// Only what is made of it
    #[arg(long)]
    pub(super) downstream: bool,
}

/// How lineage is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LineageFormat {
    Text,
    Json,
    /// A Mermaid flowchart, for Markdown
    Mermaid,
    /// Graphviz
    Dot,
    /// A picture for browsers
    Svg,
}

#[derive(Debug, Args)]
pub(super) struct Contract {
    #[command(subcommand)]
    pub(super) command: ContractCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ContractCommand {
    /// Grade each change of each contract: compatible, risky, breaking
    Diff(ContractDiff),
}

#[derive(Debug, Args)]
#[command(
    after_help = "BEFORE and AFTER are tried as an environment of the project, then as a path (a project's folder, or a file
with contracts), then as a git revision; `env:NAME`, `path:PATH` and `rev:REVISION` say which is meant.

Examples:
  medc contract diff main                   since that branch
  medc contract diff v1.0.0 v1.1.0
  medc contract diff env:dev env:prod
  medc contract diff main --format markdown > comment.md

Exit code 1 when a contract breaks its promise without a raised major version"
)]
pub(super) struct ContractDiff {
    /// What is compared: a git revision, an environment, or a path
    pub(super) before: String,
    /// With what [default: the project as it is]
    pub(super) after: Option<String>,
    /// How to write the changes
    #[arg(long, value_enum, default_value_t = DiffFormat::Human)]
    pub(super) format: DiffFormat,
}

/// How changes of contracts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DiffFormat {
    Human,
    Json,
    /// Tables for a pull request
    Markdown,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc export odcs -o contracts          a file for each table that has a contract
  medc export jsonschema silver.orders   the schema of a row as JSON
  medc export great-expectations --format-version 0.18 -o quality/suites
  medc export dbt 'gold.*' > schema.yml

What the dialect cannot say is told on stderr.")]
pub(super) struct Export {
    /// In which tool's words
    #[arg(value_enum)]
    pub(super) dialect: Dialect,
    /// Which tables, as for `plan --select` [default: all that have a contract or expectations]
    #[arg(value_name = "TABLE")]
    pub(super) tables: Vec<String>,
    /// The same, for those who are used to it
    #[arg(short, long, value_name = "SELECTOR", num_args = 1.., hide = true)]
    pub(super) select: Vec<String>,
    /// The version of the dialect's format [default: the newest that medc writes]
    #[arg(long, value_name = "VERSION")]
    pub(super) format_version: Option<String>,
    /// The folder to write to [default: stdout]
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
}

/// What promises are exported to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Dialect {
    /// Great Expectations: a suite a table, format version 1 or 0.18
    GreatExpectations,
    /// Open Data Contract Standard 3.1, a file a table
    Odcs,
    /// JSON Schema (draft 2020-12) of a row as JSON, a file a table
    Jsonschema,
    /// Checks for Databricks Labs DQX, a file a table
    Dqx,
    /// A properties file for dbt
    Dbt,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc report                               writes report.html
  medc report --select +gold.daily_sales -o daily.html --open yes
  medc report --format json --no-profile | jq .summary")]
pub(super) struct Report {
    /// The file to write; `-` is stdout [default: report.html, and stdout for JSON]
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Only these tables, as `apply --select` takes them
    #[arg(short, long, value_name = "SELECTOR", num_args = 1..)]
    pub(super) select: Vec<String>,
    /// How many runs to look back
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) runs: u16,
    /// Leave the rows unread: no histograms, quantiles and frequent values
    #[arg(long)]
    pub(super) no_profile: bool,
    /// A page for people, or the same for programs
    #[arg(long, value_enum, default_value_t = ReportFormat::Html)]
    pub(super) format: ReportFormat,
    /// Whether to open the page in the browser
    #[arg(long, value_enum, default_value_t = Open::No)]
    pub(super) open: Open,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// One file that needs nothing else
    Html,
    Json,
}

/// Whether a written page is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Open {
    Yes,
    No,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc package                     writes dist/<project>.zip
  medc package -o sales-1.2.0.zip

Left out are what `.gitignore` names, tables, caches, virtual environments and `.env` files. A link, a file outside of
the project and a file that looks like a key or a token are errors.")]
pub(super) struct Package {
    /// The file to write [default: dist/<project>.zip in the project's folder]
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc explain                          all codes
  medc explain check::unknown-column")]
pub(super) struct Explain {
    /// A code, e.g. `check::unknown-column`; without it all codes are listed
    pub(super) code: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  medc completions bash > /etc/bash_completion.d/medc")]
pub(super) struct Completions {
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("write NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_value_may_hold_an_equals_sign() {
        assert_eq!(assignment("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(assignment("=b").is_err());
    }
}
