//! The members of a JSON object, as spans of its line.
//!
//! In: a line of UTF-8. Out: the spans of keys and values, checked to be JSON, without building values: numbers keep
//! their digits, which a parse into `f64` would lose. Whether a key is there twice is for the caller to see.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;

/// What is wrong, and at which byte of the line.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) what: String,
}

type Member = (Range<usize>, Range<usize>);

/// The members of the line's object in order. Nothing comes behind the first error.
pub(super) fn members(line: &[u8]) -> impl Iterator<Item = Result<Member, Wrong>> + '_ {
    let mut cursor = Cursor { line, at: 0 };
    let mut state = State::Before;
    std::iter::from_fn(move || {
        if matches!(state, State::Done) {
            return None;
        }
        let next = cursor.member(&mut state);
        if next.is_err() {
            state = State::Done;
        }
        next.transpose()
    })
}

/// What a key or a value says as text: a string without its quotes and escapes, a nested value compact, another scalar
/// as it is spelled.
pub(super) fn text_of(line: &[u8], span: Range<usize>) -> Result<Cow<'_, str>, Wrong> {
    let raw = std::str::from_utf8(&line[span.clone()]).expect("spans of UTF-8 between ASCII bytes");
    let Some(inner) = raw.strip_prefix('"') else {
        return Ok(if raw.starts_with(['{', '[']) { Cow::Owned(compact(raw)) } else { Cow::Borrowed(raw) });
    };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if !inner.bytes().any(|byte| byte == b'\\' || byte < 0x20) {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(raw).map(Cow::Owned).map_err(|error| wrong_json(span.start, &error))
}

/// Leaves out the white space between tokens.
fn compact(raw: &str) -> String {
    let mut inside = false;
    let mut escaped = false;
    raw.chars()
        .filter(|character| {
            let keep = inside || !character.is_ascii_whitespace();
            if escaped {
                escaped = false;
            } else if inside && *character == '\\' {
                escaped = true;
            } else if *character == '"' {
                inside = !inside;
            }
            keep
        })
        .collect()
}

fn wrong_json(begin: usize, error: &serde_json::Error) -> Wrong {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text).to_owned();
    Wrong { at: begin + error.column().saturating_sub(1), what }
}

enum State {
    Before,
    AfterMember,
    Done,
}

struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn member(&mut self, state: &mut State) -> Result<Option<Member>, Wrong> {
        match state {
            State::Before => {
                self.expect(b'{', "an object")?;
                if self.peek() == Some(b'}') {
                    self.at += 1;
                    *state = State::Done;
                    return self.end();
                }
            }
            State::AfterMember => match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    *state = State::Done;
                    return self.end();
                }
                _ => return Err(self.wrong("`,` or `}` is expected")),
            },
            State::Done => return Ok(None),
        }
        if self.peek() != Some(b'"') {
            return Err(self.wrong("a key in double quotes is expected"));
        }
        let key = self.string()?;
        self.expect(b':', "`:`")?;
        let value = self.value()?;
        *state = State::AfterMember;
        Ok(Some((key, value)))
    }

    fn end(&mut self) -> Result<Option<Member>, Wrong> {
        match self.peek() {
            None => Ok(None),
            Some(_) => Err(self.wrong("there is more behind the object")),
        }
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.line.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn expect(&mut self, wanted: u8, what: &str) -> Result<(), Wrong> {
        if self.peek() == Some(wanted) {
            self.at += 1;
            return Ok(());
        }
        Err(self.wrong(&format!("{what} is expected")))
    }

    fn wrong(&self, what: &str) -> Wrong {
        let what = if self.at >= self.line.len() { format!("the line ends where {what}") } else { what.to_owned() };
        Wrong { at: self.at, what }
    }

    fn string(&mut self) -> Result<Range<usize>, Wrong> {
        let begin = self.at;
        self.at += 1;
        loop {
            match memchr::memchr2(b'"', b'\\', self.line.get(self.at..).unwrap_or_default()) {
                Some(found) if self.line[self.at + found] == b'"' => {
                    self.at += found + 1;
                    return Ok(begin..self.at);
                }
                Some(found) => self.at += found + 2,
                None => return Err(Wrong { at: begin, what: "the string that begins here does not end".to_owned() }),
            }
        }
    }

    fn value(&mut self) -> Result<Range<usize>, Wrong> {
        let first = self.peek();
        let begin = self.at;
        match first {
            Some(b'"') => return self.string(),
            Some(b'{' | b'[') => self.nested()?,
            Some(_) => {
                let rest = &self.line[begin..];
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
            }
            None => return Err(self.wrong("a value is expected")),
        }
        let raw = &self.line[begin..self.at];
        if raw.is_empty() {
            return Err(self.wrong("a value is expected"));
        }
        serde_json::from_slice::<IgnoredAny>(raw).map_err(|error| wrong_json(begin, &error))?;
        Ok(begin..self.at)
    }

    /// Skips to the bracket that closes the one here; what is between is checked by the caller.
    fn nested(&mut self) -> Result<(), Wrong> {
        let begin = self.at;
        let mut depth = 0_usize;
        loop {
            match self.line.get(self.at) {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
                None => return Err(Wrong { at: begin, what: "the value that begins here does not end".to_owned() }),
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }
}
