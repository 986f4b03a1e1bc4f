//! One apply at a time on a warehouse.
//!
//! In: the run's settings. Out: [`Held`], a lock on `<warehouse>/.medc.lock`; the system frees it when a process dies. It holds
//! across processes of one machine, and across machines where the file system's locks do. While it is held the file says by
//! whom, and afterwards nothing: a run that died is known by the name that stayed. The name only has the next run look
//! what the ledger lacks; without it no table is the worse.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::PathBuf;
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
    /// The run that had it last and never ended.
    pub(super) died: Option<String>,
    /// Whether another apply had to end first.
    pub has_waited: bool,
}

impl Drop for Held {
    fn drop(&mut self) {
        // What the file says is only for people and for the ledger.
        let _ = self.file.set_len(0);
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
                .note(format!("`{}` is held by {}{waited}; nothing was done", path.display(), holder.trim()))
                .help("apply again when it has ended, or wait longer: `medc apply --lock-wait SECONDS`");
            return Err(Box::new(diagnostic));
        }
        if !has_waited {
            progress.waiting(holder.trim());
            has_waited = true;
        }
        std::thread::sleep(POLL.min(settings.lock_wait.saturating_sub(begun.elapsed())));
    }
    let died = said(&mut file).split_once(RUN).map(|(_, run)| run.trim().to_owned());
    let written = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "process {}{RUN}{}", std::process::id(), settings.run_id));
    written.map_err(|error| Box::new(failure::io("writing its lock", &error)))?;
    Ok(Held { file, root, died, has_waited })
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
