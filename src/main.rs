//! The `medc` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    medc::cli::main()
}
