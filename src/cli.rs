//! The `medc` command: arguments in, stages run, results written.
//!
//! Only this module writes to the console: data to stdout, everything else to stderr. Commands return what they found
//! as text or as a [`Failure`]; the exit code is made here: 0 done, 1 diagnostics or a failed expectation, 2 usage,
//! 3 `plan --exit-code` with changes, 101 a bug of ours. Nothing that is slow to start (an async runtime, a session)
//! is made before a command needs it.

use std::panic::PanicHookInfo;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

mod apply;
mod arguments;
mod baseline;
mod bundle;
mod ci;
mod contract;
mod deploy;
mod diff;
mod environments;
mod explain;
mod export;
mod init;
mod lineage;
mod markdown;
mod memory;
mod moment;
mod package;
mod plan;
mod progress;
mod promote;
mod report;
mod restore;
mod show;
mod stages;
mod test;
mod ui;
mod validate;

use crate::diagnostic::Reported;
use arguments::{Arguments, Command};
use stages::Session;
use ui::Console;

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// All is well.
    Well,
    /// The command did its work, and what it found is not well: exit code 1.
    Unwell,
    /// `plan --exit-code` found changes: exit code 3.
    Changes,
}

/// Why a command could not do its work.
#[derive(Debug)]
enum Failure {
    /// The session's diagnostics say why.
    Reported,
    /// What was asked for does not exist or cannot be: a message, and what to do. Exit code 2.
    Asked { message: String, help: Option<String> },
    /// Something outside the project is in the way, e.g. a disk error: exit code 1.
    Stopped { message: String },
    /// The console cannot be written. A reader that went away is no error.
    Console(std::io::Error),
}

impl Failure {
    fn asked(message: impl Into<String>, help: Option<String>) -> Self {
        Failure::Asked { message: message.into(), help }
    }
}

impl From<Reported> for Failure {
    fn from(_: Reported) -> Self {
        Failure::Reported
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Console(error)
    }
}

type Outcome = Result<Done, Failure>;

/// Planning recurses into queries; what a query may nest must not depend on the shell's `ulimit -s`. Only what is used
/// becomes memory.
const STACK_BYTES: usize = 256 << 20;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(report_bug));
    let worker = std::thread::Builder::new().name("medc".to_owned()).stack_size(STACK_BYTES).spawn(command);
    match worker.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        // The hook has said why.
        Ok(Err(_)) => ExitCode::from(101),
        Err(_) => command(),
    }
}

fn command() -> ExitCode {
    let arguments = Arguments::parse();
    let console = Console::new(arguments.global.color, arguments.global.quiet);
    let mut session = Session::new(console, arguments.global);
    let outcome = run(&arguments.command, &mut session);
    let findings = session.show_findings();
    let code = exit_code(outcome, findings, &session);
    // The process ends here: giving a big project's memory back piece by piece would only take time.
    std::mem::forget(session);
    code
}

fn exit_code(outcome: Outcome, findings: std::io::Result<()>, session: &Session) -> ExitCode {
    match (outcome, findings) {
        (Err(Failure::Console(error)), _) | (Ok(_) | Err(_), Err(error)) => {
            ExitCode::from(u8::from(error.kind() != std::io::ErrorKind::BrokenPipe))
        }
        (Ok(Done::Well), Ok(())) => ExitCode::SUCCESS,
        (Ok(Done::Unwell) | Err(Failure::Reported), Ok(())) => ExitCode::from(1),
        (Ok(Done::Changes), Ok(())) => ExitCode::from(3),
        // Nothing is left to do about a console that cannot be written.
        (Err(Failure::Asked { message, help }), Ok(())) => {
            let _ = session.console.error(&message, help.as_deref());
            ExitCode::from(2)
        }
        (Err(Failure::Stopped { message }), Ok(())) => {
            let _ = session.console.error(&message, None);
            ExitCode::from(1)
        }
    }
}

fn run(command: &Command, session: &mut Session) -> Outcome {
    match command {
        Command::Init(options) => init::run(options, session),
        Command::Validate(options) => validate::run(options, session),
        Command::Plan(options) => plan::run(options, session),
        Command::Apply(options) => apply::run(options, session),
        Command::Status(options) => environments::status::run(options, session),
        Command::Promote(options) => promote::run(options, session),
        Command::Bundle(options) => bundle::run(options, session),
        Command::Test(options) => test::run(options, session),
        Command::Show(options) => show::run(options, session),
        Command::Diff(options) => diff::run(options, session),
        Command::Restore(options) => restore::run(options, session),
        Command::Lineage(options) => lineage::run(options, session),
        Command::Report(options) => report::run(options, session),
        Command::Contract(options) => contract::run(options, session),
        Command::Export(options) => export::run(options, session),
        Command::Package(options) => package::run(options, session),
        Command::Explain(options) => explain::run(options, session),
        Command::Schema => {
            let schema = serde_json::to_string_pretty(&crate::schema::json_schema(crate::schema::Form::Project))
                .expect("a schema is plain JSON");
            session.console.data(&format!("{schema}\n"))?;
            Ok(Done::Well)
        }
        Command::Completions(options) => {
            let mut script = Vec::new();
            clap_complete::generate(options.shell, &mut Arguments::command(), "medc", &mut script);
            session.console.data(&String::from_utf8_lossy(&script))?;
            Ok(Done::Well)
        }
    }
}

/// Asks for a report. Rust exits with 101 after it.
fn report_bug(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map(|location| format!(" at {location}")).unwrap_or_default();
    ui::complain(&format!(
        "this is a bug in medc {}, not in your project: {message}{place}\n\
         Please report it, with the command and, if you can, the project files.\n",
        env!("CARGO_PKG_VERSION")
    ));
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|wanted| wanted != "0") {
        ui::complain(&format!("{}\n", std::backtrace::Backtrace::force_capture()));
    }
}
