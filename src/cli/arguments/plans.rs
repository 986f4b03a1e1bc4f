//! What `plan`, `apply`, `status` and `promote` take.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Which tables a command is for, and how anew.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Selection {
    /// Only these tables: `name`, `layer.*`, `+x` with all that it reads, `x+` with all that reads it, `tag:daily`,
    /// `layer:silver`; several are joined, `a,b` is what both have
    #[arg(short, long, value_name = "SELECTOR", num_args = 1..)]
    pub(in crate::cli) select: Vec<String>,
    /// Rebuild the selected tables from all their inputs, changed or not
    #[arg(long)]
    pub(in crate::cli) full_refresh: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc plan
  medc plan --select +gold.daily_sales
  medc plan --why silver.sales
  medc plan --out plan.json && medc apply plan.json
  medc plan --from staging -t prod
  medc plan --format json --exit-code
  medc plan --format markdown > comment.md")]
pub(in crate::cli) struct Plan {
    #[command(flatten)]
    pub(in crate::cli) selection: Selection,
    /// How to write the plan
    #[arg(long, value_enum, default_value_t = PlanFormat::Human)]
    pub(in crate::cli) format: PlanFormat,
    /// The same as `--format markdown`
    #[arg(long, conflicts_with = "format")]
    pub(in crate::cli) markdown: bool,
    /// Plan to drop tables of the project that it declares no longer
    #[arg(long)]
    pub(in crate::cli) allow_destructive: bool,
    /// Write the findings as annotations for GitHub Actions, on stderr
    #[arg(long)]
    pub(in crate::cli) github: bool,
    /// Exit with 3 when there are changes
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,
    /// Write the plan to a file as well, for `medc apply FILE`
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Compare with another environment: what is in each, and what promotion from that one would change
    #[arg(long, value_name = "ENVIRONMENT", conflicts_with_all = ["select", "full_refresh", "out", "why", "allow_destructive"])]
    pub(in crate::cli) from: Option<String>,
    /// Explain one table: each part of its fingerprint, its inputs and files, as they were and as they are
    #[arg(long, value_name = "TABLE", conflicts_with_all = ["out", "markdown"])]
    pub(in crate::cli) why: Option<String>,
}

impl Plan {
    /// How to write it.
    pub(in crate::cli) fn format(&self) -> PlanFormat {
        if self.markdown { PlanFormat::Markdown } else { self.format }
    }
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PlanFormat {
    Human,
    Json,
    /// Tables for a pull request
    Markdown,
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ResultFormat {
    Human,
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc apply
  medc apply --select 'silver.*'
  medc apply --full-refresh --select bronze.sales_raw+
  medc apply plan.json                      what `medc plan --out plan.json` showed, and nothing else
  medc apply -t prod --yes --run sales      deploy to Databricks and run a job")]
pub(in crate::cli) struct Apply {
    /// A plan that `medc plan --out` wrote: exactly that is done, or nothing
    #[arg(value_name = "PLAN", conflicts_with_all = ["select", "full_refresh", "run"])]
    pub(in crate::cli) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) selection: Selection,
    /// How many seconds to wait for another apply on the same warehouse [default: 600]
    #[arg(long, value_name = "SECONDS")]
    pub(in crate::cli) lock_wait: Option<u64>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t = ResultFormat::Human)]
    pub(in crate::cli) format: ResultFormat,
    /// Afterwards, show the first rows of this table
    #[arg(long, value_name = "TABLE", conflicts_with = "format")]
    pub(in crate::cli) show: Option<String>,
    /// Do what would be asked about: lose rows of tables that are built anew; on Databricks, deploy
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
    /// Lose rows of tables that are built anew, and drop tables of the project that it declares no longer
    #[arg(long)]
    pub(in crate::cli) allow_destructive: bool,
    /// On Databricks: once deployed, run this job or pipeline and follow it
    #[arg(long, value_name = "JOB")]
    pub(in crate::cli) run: Option<String>,
}

impl Apply {
    /// The apply that a promotion is.
    pub(in crate::cli) fn of_promotion(yes: bool) -> Self {
        Apply {
            plan: None,
            selection: Selection { select: Vec::new(), full_refresh: false },
            format: ResultFormat::Human,
            show: None,
            yes,
            allow_destructive: false,
            run: None,
            lock_wait: None,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc status                      every environment
  medc status -t prod --format json")]
pub(in crate::cli) struct Status {
    /// How to write it
    #[arg(long, value_enum, default_value_t = ResultFormat::Human)]
    pub(in crate::cli) format: ResultFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc plan --from staging -t prod        what it would change
  medc promote staging -t prod

Refused when the source environment was not built from the commit that is checked out, or when an expectation that blocks
does not hold there. The target is applied, and its registry says which versions are there since when.")]
pub(in crate::cli) struct Promote {
    /// The environment in which it passed
    #[arg(value_name = "ENVIRONMENT")]
    pub(in crate::cli) from: String,
    /// Do what would be asked about, as for `apply`
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
}
