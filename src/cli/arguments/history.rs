//! The arguments of commands about what tables were: `diff` and `restore`.

use clap::Args;

use super::ResultFormat;
use crate::cli::moment::{self, Moment};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc restore silver.orders --list
  medc restore silver.orders --to 3
  medc restore silver.orders --to '2026-11-20 10:30'      as it was then, UTC
  medc restore --run 0199f8a2-5f7e-7c43-9c1e-0242ac120002 every table as it was before that run

A restored table is held: `apply` leaves it alone until `--select` names it.")]
pub(in crate::cli) struct Restore {
    /// The table, `layer.name`
    #[arg(value_name = "TABLE", conflicts_with = "run")]
    pub(in crate::cli) table: Option<String>,
    /// The version, or the time as of which
    #[arg(long, value_name = "VERSION|TIME", value_parser = moment::parse, conflicts_with_all = ["run", "list"])]
    pub(in crate::cli) to: Option<Moment>,
    /// Undo this run; `medc show medc.runs` lists them
    #[arg(long, value_name = "RUN_ID")]
    pub(in crate::cli) run: Option<String>,
    /// Show the table's versions
    #[arg(long, requires = "table")]
    pub(in crate::cli) list: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t = ResultFormat::Human)]
    pub(in crate::cli) format: ResultFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  medc diff silver.orders --from dev -t prod        two environments
  medc diff silver.orders --at 3 --and 5            two versions
  medc diff silver.orders --at '2026-11-20 10:30'   then and now
  medc diff silver.orders --at 3 --keys order_id,line

Exit code 0 when the rows are the same, 1 when they differ.")]
pub(in crate::cli) struct Diff {
    /// The table, `layer.name`
    #[arg(value_name = "TABLE")]
    pub(in crate::cli) table: String,
    /// Compare with that environment's table
    #[arg(long, value_name = "ENVIRONMENT", conflicts_with_all = ["at", "and"])]
    pub(in crate::cli) from: Option<String>,
    /// Compare with this version, or with the table as of a time
    #[arg(long, value_name = "VERSION|TIME", value_parser = moment::parse)]
    pub(in crate::cli) at: Option<Moment>,
    /// The version or time that `--at` is compared with [default: the newest version]
    #[arg(long, value_name = "VERSION|TIME", value_parser = moment::parse, requires = "at")]
    pub(in crate::cli) and: Option<Moment>,
    /// The columns by which a row is known; `none` compares whole rows [default: the keys of its write mode, or its
    /// contract's primary key]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(in crate::cli) keys: Vec<String>,
    /// How many examples to show of each difference
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(in crate::cli) examples: usize,
    /// How to write the result
    #[arg(long, value_enum, default_value_t = ResultFormat::Human)]
    pub(in crate::cli) format: ResultFormat,
}
