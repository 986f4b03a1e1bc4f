//! One apply at a time on a warehouse.
//!
//! In: the run's settings. Out: a lock on `<warehouse>/.medc.lock`, held until it is dropped; the system frees it when a
//! process dies. It holds across processes of one machine, and across machines where the file system's locks do.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::time::{Duration, Instant};

use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::{Progress, RunSettings, failure};

const POLL: Duration = Duration::from_millis(200);

/// The held lock.
pub(super) struct Lock(#[expect(dead_code, reason = "held")] File);

/// Waits for the warehouse, up to `settings.lock_wait`.
pub(super) fn acquire(settings: &RunSettings, progress: &dyn Progress) -> Result<Lock, Box<Diagnostic>> {
    let path = settings.warehouse.root.join(".medc.lock");
    let opened = File::options().create(true).truncate(false).read(true).write(true).open(&path);
    let mut file = opened.map_err(|error| Box::new(failure::io("opening its lock", &error)))?;
    let begun = Instant::now();
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(Box::new(failure::io("locking it", &error))),
        }
        let mut holder = String::new();
        let _ = file.rewind().and_then(|()| file.read_to_string(&mut holder));
        if begun.elapsed() >= settings.lock_wait || settings.is_cancelled() {
            let diagnostic = Diagnostic::error(code::LOCKED, "another apply is at work on this warehouse")
                .note(format!("`{}` is held by {}", path.display(), holder.trim()))
                .help("wait until it has ended, then apply again");
            return Err(Box::new(diagnostic));
        }
        if !told {
            progress.waiting(holder.trim());
            told = true;
        }
        std::thread::sleep(POLL);
    }
    // What the file says is only for people.
    let _ = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "process {}, run {}", std::process::id(), settings.run_id));
    Ok(Lock(file))
}
