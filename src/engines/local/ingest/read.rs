//! One file as a stream of UTF-8 text.
//!
//! In: a listed file and its encoding. Out: its bytes, appended to a buffer of the caller: without byte order mark,
//! transcoded to UTF-8 where the encoding is another. UTF-8 itself passes unchecked, since the parsers check it in
//! parallel. A file that is not as it was when listed (gone, shorter, longer) is an error, so that a row is never
//! ingested under a stamp that it doesn't belong to.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use super::{Outcome, list};
use crate::diagnostic::{Diagnostic, code};
use crate::state::SourceFile;

const RAW_BYTES: usize = 256 * 1024;
const UTF8_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

/// An open file.
pub(super) struct Text {
    file: File,
    shown: String,
    size_bytes: u64,
    n_read: u64,
    mark_bytes: u64,
    transcoding: Option<Transcoding>,
}

struct Transcoding {
    decoder: Decoder,
    raw: Vec<u8>,
    n_lines: u64,
    done: bool,
}

/// The encoding of a WHATWG label.
pub(super) fn encoding(label: &str) -> Outcome<&'static Encoding> {
    Encoding::for_label(label.as_bytes()).ok_or_else(|| {
        Box::new(
            Diagnostic::error(code::SOURCE_OPTION, format!("there is no encoding `{label}`"))
                .help("use a WHATWG label, such as `utf-8`, `windows-1252`, `iso-8859-15` or `utf-16`"),
        )
    })
}

/// Says that `shown` cannot be read.
pub(super) fn unreadable(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code::SOURCE_UNREADABLE, message)
}

/// Opens a file and makes sure that it is the one that was listed.
pub(super) fn open(listed: &SourceFile, project_dir: &Path) -> Outcome<File> {
    let path = project_dir.join(&listed.path);
    let failed = |error: std::io::Error| {
        Box::new(
            unreadable(format!("`{}` cannot be opened", listed.path))
                .note(format!("{error}; it was there when the source was listed")),
        )
    };
    let file = File::open(&path).map_err(failed)?;
    let now = file.metadata().map_err(failed)?;
    if list::stamp(&now) == listed.stamp { Ok(file) } else { Err(changed(&listed.path, listed.size_bytes, now.len())) }
}

fn changed(shown: &str, listed_bytes: u64, now_bytes: u64) -> Box<Diagnostic> {
    let note = if listed_bytes == now_bytes {
        "it was written again after the source was listed".to_owned()
    } else {
        format!("it had {listed_bytes} bytes when the source was listed and {now_bytes} bytes now")
    };
    Box::new(
        unreadable(format!("`{shown}` changed while it was read"))
            .note(note)
            .help("wait until it is written completely, then apply again"),
    )
}

impl Text {
    pub(super) fn open(listed: &SourceFile, project_dir: &Path, encoding: &'static Encoding) -> Outcome<Text> {
        let file = open(listed, project_dir)?;
        // A byte order mark beats the label, as the WHATWG standard has it.
        let transcoding = (encoding != UTF_8).then(|| Transcoding {
            decoder: encoding.new_decoder(),
            raw: Vec::with_capacity(RAW_BYTES),
            n_lines: 0,
            done: false,
        });
        Ok(Text {
            file,
            shown: listed.path.clone(),
            size_bytes: listed.size_bytes,
            n_read: 0,
            mark_bytes: 0,
            transcoding,
        })
    }

    /// Appends about `n_bytes` of text to `text` and says whether there was any; `false` only at the end.
    pub(super) fn fill(&mut self, text: &mut Vec<u8>, n_bytes: usize) -> Outcome<bool> {
        if self.transcoding.is_some() {
            return self.transcode(text, n_bytes);
        }
        let begin = text.len();
        let n_new = read_some(&mut self.file, &self.shown, text, n_bytes)?;
        if self.n_read == 0 && text[begin..].starts_with(UTF8_MARK) {
            text.drain(begin..begin + UTF8_MARK.len());
            self.mark_bytes = UTF8_MARK.len() as u64;
        }
        self.advance(n_new)?;
        Ok(n_new > 0)
    }

    /// Where byte `offset` of the text lies in the file; `None` when the text is transcoded.
    pub(super) fn file_offset(&self, offset: u64) -> Option<u64> {
        self.transcoding.is_none().then_some(offset + self.mark_bytes)
    }

    fn advance(&mut self, n_new: usize) -> Outcome<()> {
        self.n_read += n_new as u64;
        if n_new == 0 && self.n_read != self.size_bytes {
            return Err(changed(&self.shown, self.size_bytes, self.n_read));
        }
        Ok(())
    }

    fn transcode(&mut self, text: &mut Vec<u8>, n_bytes: usize) -> Outcome<bool> {
        let begin = text.len();
        while text.len() - begin < n_bytes {
            let Some(Transcoding { decoder, raw, n_lines, done }) = &mut self.transcoding else { break };
            if *done {
                break;
            }
            raw.clear();
            let n_new = read_some(&mut self.file, &self.shown, raw, RAW_BYTES)?;
            let (at, mut from) = (text.len(), 0);
            loop {
                let room =
                    decoder.max_utf8_buffer_length_without_replacement(raw.len() - from).unwrap_or(raw.len() * 3);
                let end = text.len();
                text.resize(end + room, 0);
                let (result, n_taken, n_made) =
                    decoder.decode_to_utf8_without_replacement(&raw[from..], &mut text[end..], n_new == 0);
                text.truncate(end + n_made);
                from += n_taken;
                match result {
                    DecoderResult::InputEmpty => break,
                    DecoderResult::OutputFull => {}
                    DecoderResult::Malformed(n_bad, n_behind) => {
                        let offset = self.n_read + from as u64 - u64::from(n_bad) - u64::from(n_behind);
                        let line = *n_lines + 1 + memchr::memchr_iter(b'\n', &text[at..]).count() as u64;
                        return Err(undecodable(&self.shown, decoder.encoding().name(), line, offset));
                    }
                }
            }
            *n_lines += memchr::memchr_iter(b'\n', &text[at..]).count() as u64;
            *done = n_new == 0;
            self.advance(n_new)?;
        }
        Ok(text.len() > begin)
    }
}

/// Says which byte of a file is no text.
pub(super) fn undecodable(shown: &str, encoding: &str, line: u64, offset: u64) -> Box<Diagnostic> {
    Box::new(
        unreadable(format!("`{shown}` is not {encoding}: line {line} has bytes that it cannot decode"))
            .note(format!("the first of them is at byte offset {offset}"))
            .help("set the source's `encoding`, e.g. `windows-1252` or `utf-16`, or correct the file"),
    )
}

fn read_some(file: &mut File, shown: &str, into: &mut Vec<u8>, n_bytes: usize) -> Outcome<usize> {
    into.reserve(n_bytes);
    file.take(n_bytes as u64)
        .read_to_end(into)
        .map_err(|error| Box::new(unreadable(format!("`{shown}` cannot be read")).note(error.to_string())))
}
