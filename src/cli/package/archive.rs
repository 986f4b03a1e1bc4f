//! A ZIP file whose bytes depend on its files alone.
//!
//! Entries stand in the order given, at the earliest time that ZIP knows, as files of Unix whatever the machine: readable,
//! and executable where the text begins with `#!`. No folder has an entry of its own. The file appears whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Writes the files at `paths` below `folder` to `output`, and says how many bytes that are.
///
/// # Errors
/// When a file cannot be read, or `output` cannot be written.
pub(super) fn write(folder: &Path, paths: &[String], output: &Path) -> io::Result<u64> {
    if let Some(parent) = output.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut unfinished = output.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = Path::new(&unfinished);
    let written = pack(folder, paths, unfinished).and_then(|()| fs::rename(unfinished, output));
    if let Err(error) = written {
        // What went wrong is said; a file that cannot be removed either adds nothing.
        let _ = fs::remove_file(unfinished);
        return Err(error);
    }
    Ok(fs::metadata(output)?.len())
}

fn pack(folder: &Path, paths: &[String], output: &Path) -> io::Result<()> {
    let mut archive = ZipWriter::new(BufWriter::new(File::create(output)?));
    for path in paths {
        let bytes = fs::read(folder.join(path))?;
        let mode = if bytes.starts_with(b"#!") { 0o755 } else { 0o644 };
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(6))
            .last_modified_time(DateTime::default())
            .system(zip::System::Unix)
            .unix_permissions(mode)
            .large_file(bytes.len() > u32::MAX as usize);
        archive.start_file(path.as_str(), options)?;
        archive.write_all(&bytes)?;
    }
    archive.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}
