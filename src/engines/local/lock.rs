//! One apply at a time on a warehouse.
//!
//! In: the run's settings. Out: [`Held`], a lock on `<warehouse>/.medc.lock`; the system frees it when a process dies. It holds
//! across processes of one machine, and across machines where the file system's locks do. While it is held the file's first
//! line says by whom, and afterwards nothing: a run that died is known by the name that stayed. The other lines are runs that
//! died before. The names only have the next run look what the ledger lacks; without them no table is the worse.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::{Progress, RunSettings, failure};

const POLL: Duration = Duration::from_millis(200);
const NAME: &str = ".medc.lock";
const RUN: &str = ", run ";

/// A warehouse that this process has for itself, until it is dropped.
#[derive(Debug)]
pub struct Held {
    file: File,
    /// The warehouse's folder as an absolute path.
    pub(super) root: PathBuf,
    /// Runs that had it and never ended.
    pub(super) died: Vec<String>,
    /// Whether what these did is recorded by now.
    pub(super) is_settled: AtomicBool,
    /// Whether another apply had to end first.
    pub has_waited: bool,
}

impl Drop for Held {
    fn drop(&mut self) {
        let died = if self.is_settled.load(Ordering::Relaxed) { &[][..] } else { &self.died };
        // What the file says is only for people and for the ledger.
        let _ = say(&mut self.file, "", died);
    }
}

/// Waits for the warehouse, up to `settings.lock_wait`, and makes its folder if need be.
///
/// # Errors
/// `run::locked` after that time, `run::interrupted`, `run::warehouse`.
pub fn hold(settings: &RunSettings, progress: &dyn Progress) -> Result<Held, Box<Diagnostic>> {
    let folder = &settings.warehouse.root;
    // Files are addressed by URLs, which want absolute paths.
    let root = std::fs::create_dir_all(folder).and_then(|()| folder.canonicalize());
    let root = root.map_err(|error| Box::new(failure::io("opening its folder", &error)))?;
    let path = root.join(NAME);
    let opened = File::options().create(true).truncate(false).read(true).write(true).open(&path);
    let mut file = opened.map_err(|error| Box::new(failure::io("opening its lock", &error)))?;
    let begun = Instant::now();
    let mut has_waited = false;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(Box::new(failure::io("locking it", &error))),
        }
        let holder = said(&mut file);
        if settings.is_cancelled() {
            let diagnostic = Diagnostic::error(code::INTERRUPTED, "the run was stopped while it waited");
            return Err(Box::new(diagnostic.note("nothing was done")));
        }
        if begun.elapsed() >= settings.lock_wait {
            let waited = match settings.lock_wait {
                Duration::ZERO => String::new(),
                wait => format!("; this one waited {} s for it", wait.as_secs_f64()),
            };
            let diagnostic = Diagnostic::error(code::LOCKED, "another apply is at work on this warehouse")
                .note(format!(
                    "`{}` is held by {}{waited}; nothing was done",
                    path.display(),
                    holder.lines().next().unwrap_or_default()
                ))
                .help("apply again when it has ended, or wait longer: `medc apply --lock-wait SECONDS`");
            return Err(Box::new(diagnostic));
        }
        if !has_waited {
            progress.waiting(holder.lines().next().unwrap_or_default());
            has_waited = true;
        }
        std::thread::sleep(POLL.min(settings.lock_wait.saturating_sub(begun.elapsed())));
    }
    let died = runs_in(&said(&mut file));
    let own = format!("process {}{RUN}{}", std::process::id(), settings.run_id);
    say(&mut file, &own, &died).map_err(|error| Box::new(failure::io("writing its lock", &error)))?;
    Ok(Held { file, root, died, is_settled: AtomicBool::new(false), has_waited })
}

/// The runs that a lock's text names.
fn runs_in(text: &str) -> Vec<String> {
    let mut lines = text.lines();
    let holder = lines.next().and_then(|line| line.split_once(RUN)).map(|(_, run)| run);
    let runs = holder.into_iter().chain(lines).map(str::trim);
    runs.filter(|run| !run.is_empty()).map(str::to_owned).collect()
}

/// Writes over what is there, in one go: a process that is killed leaves one or the other.
fn say(file: &mut File, holder: &str, died: &[String]) -> io::Result<()> {
    let mut text = holder.to_owned();
    for run in died {
        text.push('\n');
        text.push_str(run);
    }
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}

/// Whether a run on the warehouse died, so far as is known without waiting for anyone.
pub fn has_died(settings: &RunSettings) -> bool {
    let path = settings.warehouse.root.join(NAME);
    let Ok(mut file) = File::options().read(true).write(true).open(path) else { return false };
    !said(&mut file).is_empty() && file.try_lock().is_ok()
}

fn said(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.rewind().and_then(|()| file.read_to_string(&mut text));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_died_are_handed_on() {
        assert_eq!(runs_in(""), Vec::<String>::new());
        assert_eq!(runs_in("process 7, run b\na\n"), ["b", "a"]);
        assert_eq!(runs_in("\na"), ["a"]);
    }
}
