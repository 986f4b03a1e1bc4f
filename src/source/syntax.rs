//! What the YAML parser refuses, said so that one can mend it.
//!
//! In: the parser's error, the text and the nodes read before it. Out: one `source::syntax` diagnostic (`too-deep` for the
//! nesting limit). The parser says where it noticed; people need where it began, so quotes and brackets are traced back
//! to their opening, and a `:` that is not allowed to its usual causes: a missing space, wrong indentation, an unquoted
//! text. Guesses only choose words and places; they never decide whether something is an error.

use std::ops::Range;

use granit_parser::{ErrorKind, ScanError};

use super::tape::{Kind, Tape};
use super::{MAX_DEPTH, raw_site};
use crate::diagnostic::{Diagnostic, SourceId, code};

/// A replacement that is longer helps nobody.
const MAX_FIX_BYTES: usize = 1000;

/// The nesting limit, exceeded at `range`.
pub(super) fn too_deep(source: SourceId, range: Range<usize>) -> Diagnostic {
    Diagnostic::error(code::TOO_DEEP, format!("values are nested more than {MAX_DEPTH} levels deep"))
        .at(raw_site(source, range), "one level too many")
        .help("flatten the value; nothing in a project is nested so deeply")
}

/// Explains a parser's error.
pub(super) fn diagnose(error: &ScanError, text: &str, source: SourceId, tape: &Tape) -> Diagnostic {
    let noticed = floor(text, error.marker().byte_offset().unwrap_or(text.len()));
    let mut problem = explain(error.kind(), Place { text, source, tape, noticed });
    problem.fix = problem.fix.filter(|fix| fix.text().len() <= MAX_FIX_BYTES);
    problem
}

fn explain(kind: &ErrorKind, place: Place<'_>) -> Diagnostic {
    match kind {
        ErrorKind::RecursionLimitExceeded => too_deep(place.source, place.character()),
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => place.tab(),
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar => place.unclosed_quote(),
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            place.text_after_quote()
        }
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate
        | ErrorKind::InvalidUnicodeEscape => place.escape(),
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::BlockEntryInFlowCollection => place.open_bracket(),
        ErrorKind::MisplacedFlowCollectionEnd | ErrorKind::MismatchedFlowCollectionEnd { .. } => place
            .error(place.character(), "a closing bracket that closes nothing", "no bracket of this kind is open")
            .help("remove it, or write the opening bracket"),
        ErrorKind::MappingValueNotAllowed => place.colon(),
        ErrorKind::SimpleKeyExpected
        | ErrorKind::InvalidSimpleKey
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::InvalidIndentation
        | ErrorKind::MappingKeyNotAllowed
        | ErrorKind::InvalidFlowScalarIndent => place.key_expected(),
        ErrorKind::ExpectedBlockSequenceEntry => place
            .error(place.rest_of_line(place.noticed), "a list goes on without `-`", "`-` expected")
            .help("begin the element with `- `, or indent it so that it belongs to the one above"),
        ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::InvalidBlockEntryWhitespace => place
            .error(place.character(), "a list cannot begin here", "")
            .help("put `- ` on a line of its own, or quote the text if it begins with a dash"),
        ErrorKind::UnexpectedCharacter { character } => place.unexpected(*character),
        ErrorKind::UnknownAnchor => place.unknown_anchor(),
        ErrorKind::MissingAnchorOrAliasName => {
            place.quotable("`*` and `&` begin an alias or an anchor, which has no name")
        }
        ErrorKind::ExpectedTagBang
        | ErrorKind::UndeclaredTagHandle
        | ErrorKind::InvalidTagTerminator
        | ErrorKind::MissingTagUri
        | ErrorKind::InvalidGlobalTagCharacter
        | ErrorKind::UnclosedVerbatimTag => place.quotable("`!` begins a tag, and this is none"),
        ErrorKind::InvalidBlockScalarHeader | ErrorKind::ZeroBlockScalarIndent => place
            .error(place.rest_of_line(place.noticed), "text after `|` or `>`", "")
            .help("put the text on the next line, indented"),
        ErrorKind::InvalidBlockScalarIndent => place
            .error(place.rest_of_line(place.noticed), "a line of a text block is not indented enough", "")
            .help("indent every line of the block at least as much as its first"),
        ErrorKind::CommentNotSeparated | ErrorKind::CommentInterceptedScalar => place
            .error(place.character(), "a comment in the middle of a value", "")
            .help("put a space before `#`, or quote the text if `#` belongs to it"),
        _ => place
            .error(place.character(), "the text is not well-formed YAML here", "")
            .help("check the quotes, brackets and indentation before this place"),
    }
}

/// Where the parser stopped, and what is known about the text before.
#[derive(Clone, Copy)]
struct Place<'a> {
    text: &'a str,
    source: SourceId,
    tape: &'a Tape,
    noticed: usize,
}

impl<'a> Place<'a> {
    fn error(self, range: Range<usize>, message: impl Into<String>, label: &str) -> Diagnostic {
        Diagnostic::error(code::SYNTAX, message).at(raw_site(self.source, range), label)
    }

    fn slice(self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    /// The character where the parser stopped; empty at a line's or the file's end.
    fn character(self) -> Range<usize> {
        let next = self.slice(self.noticed..self.text.len()).chars().next().filter(|next| !matches!(next, '\r' | '\n'));
        self.noticed..self.noticed + next.map_or(0, char::len_utf8)
    }

    fn line_start(self, offset: usize) -> usize {
        self.slice(0..offset).rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// From `start` to the line's end, without a comment and blanks.
    fn rest_of_line(self, start: usize) -> Range<usize> {
        let rest = self.slice(start..self.text.len()).lines().next().unwrap_or_default();
        let rest = rest.split_once(" #").map_or(rest, |(value, _)| value).trim_end();
        start..start + rest.len()
    }

    /// The first quote after the last node that was read: where the text that the parser is in began.
    fn quote(self) -> Option<usize> {
        let start = self.tape.nodes.last().map_or(0, |node| node.range().start.max(node.range().end));
        let mut offset = start;
        for line in self.slice(start..self.character().end.max(start)).split_inclusive('\n') {
            for (at, character) in line.char_indices() {
                match character {
                    '"' | '\'' => return Some(offset + at),
                    '#' if at == 0 || line.get(..at).is_some_and(|before| before.ends_with([' ', '\t'])) => break,
                    _ => {}
                }
            }
            offset += line.len();
        }
        None
    }

    /// The tab is in the line where the parser stopped, or in the first one after the value that it was reading.
    fn tab(self) -> Diagnostic {
        let mut start = self.line_start(self.noticed);
        let mut range = self.character();
        for line in self.slice(start..self.text.len()).split_inclusive('\n').take(100) {
            let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
            if let Some(tab) = line.get(..indentation).and_then(|blanks| blanks.find('\t')) {
                range = start + tab..start + indentation;
                break;
            }
            start += line.len();
        }
        let n_tabs = self.slice(range.clone()).matches('\t').count();
        self.error(range, "a tab in the indentation", "a tab")
            .help("indent with spaces; YAML does not allow tabs here")
            .fix("  ".repeat(n_tabs))
    }

    fn unclosed_quote(self) -> Diagnostic {
        let Some(quote) = self.quote() else {
            return self.error(self.character(), "a quoted text is not closed", "").help("close the quotes");
        };
        let mark = self.slice(quote..quote + 1);
        let line = self.rest_of_line(quote);
        let fix = format!("{}{mark}", self.slice(line.clone()));
        self.error(line, "a quoted text is not closed", "the quote opened here")
            .help(format!("close it with `{mark}`; text over several lines is indented more than its key"))
            .fix(fix)
    }

    fn text_after_quote(self) -> Diagnostic {
        let quote = self.quote();
        if self.slice(0..self.noticed).ends_with([' ', '\t', '\n']) && self.is_in_bracket(quote) {
            return self
                .error(self.character(), "`,` or `:` expected after a quoted text", "not this")
                .help("separate a key from its value with `:`, and elements with `,`");
        }
        let mark = quote.map_or("'", |quote| self.slice(quote..quote + 1));
        let doubled = if mark == "\"" { "\\\"" } else { "''" };
        let problem =
            self.error(self.rest_of_line(self.noticed), "text after a closing quote", "not within the quotes");
        let problem = match quote {
            Some(quote) => problem.at(raw_site(self.source, quote..quote + 1), "opened here"),
            None => problem,
        };
        problem.help(format!("close the quotes at the end of the text; a quote inside of it is written `{doubled}`"))
    }

    fn escape(self) -> Diagnostic {
        let start = self.quote().unwrap_or(self.noticed);
        let mut rest = self.slice(start..self.text.len()).char_indices().skip(1);
        let mut found = self.character();
        while let Some((at, character)) = rest.next() {
            match character {
                '"' => break,
                '\\' => match rest.next() {
                    Some((_, next)) if "0abt\tnvfre \"/\\N_LP\r\n".contains(next) => {}
                    Some((_, next)) => {
                        found = start + at..start + at + 1 + next.len_utf8();
                        break;
                    }
                    None => break,
                },
                _ => {}
            }
        }
        let escape = self.slice(found.clone());
        let fix = format!("\\{escape}");
        let problem = self
            .error(found, "a backslash in double quotes begins an escape that YAML does not know", "")
            .help("write the backslash twice, or use single quotes, in which it means itself");
        if escape.starts_with('\\') { problem.fix(fix) } else { problem }
    }

    /// The innermost bracket that is still open.
    fn open_bracket(self) -> Diagnostic {
        let is_open = |kind: &Kind| matches!(kind, Kind::Sequence { next: 0 } | Kind::Mapping { next: 0 });
        let brackets = self.tape.nodes.iter().rev().filter(|node| is_open(&node.kind)).map(|node| node.range().start);
        let bracket = brackets
            .map(|start| (start, self.slice(start..(start + 1).min(self.text.len()))))
            .find(|(_, bracket)| matches!(*bracket, "[" | "{"));
        let Some((start, bracket)) = bracket else {
            return self.error(self.character(), "a bracket is not closed", "").help("close the bracket");
        };
        let close = if bracket == "[" { ']' } else { '}' };
        if !self.closes_later(close) {
            let problem = self.error(start..start + 1, format!("`{bracket}` is not closed"), "opened here");
            let problem = match self.character() {
                end if end.is_empty() => problem,
                next => problem.at(raw_site(self.source, next), format!("`,` or `{close}` expected before this")),
            };
            return problem.help(format!("write `{close}` where it ends, and `,` between its elements"));
        }
        if let Some(value) = self.value_without_comma() {
            let fix = format!("{},", self.slice(value.clone()));
            return self
                .error(value, "a `,` is missing", "`,` expected after this")
                .help("separate the elements with `,`")
                .fix(fix);
        }
        self.error(self.character(), format!("`,` or `{close}` expected"), "not this")
            .at(raw_site(self.source, start..start + 1), "in the bracket opened here")
            .help("separate the elements with `,`, and quote texts with special characters")
    }

    /// Whether the quoted text before this place is an element of a bracket. The parser looks ahead, so the bracket may not
    /// be among the nodes yet.
    fn is_in_bracket(self, quote: Option<usize>) -> bool {
        let before = self.slice(0..quote.unwrap_or_default()).trim_end();
        let is_open = |kind: &Kind| matches!(kind, Kind::Sequence { next: 0 } | Kind::Mapping { next: 0 });
        let innermost = self.tape.nodes.iter().rev().find(|node| is_open(&node.kind));
        before.ends_with(['{', '[', ','])
            || innermost.is_some_and(|node| self.slice(node.range().start..self.text.len()).starts_with(['[', '{']))
    }

    /// Whether the rest of the text closes the bracket that is open where the parser stopped.
    fn closes_later(self, close: char) -> bool {
        let mut depth = 0_usize;
        for character in self.slice(self.noticed..self.text.len()).chars() {
            match character {
                '[' | '{' => depth += 1,
                ']' | '}' if depth > 0 => depth -= 1,
                ']' | '}' => return character == close,
                _ => {}
            }
        }
        false
    }

    /// The element that ends where a `,` should stand: another one follows it after blanks only, or was taken into it.
    fn value_without_comma(self) -> Option<Range<usize>> {
        let last = self.tape.nodes.last()?.range();
        let words = self.slice(last.clone());
        let swallowed = words.find('\n').into_iter().chain(words.find(" \"")).chain(words.find(" '")).min();
        if let Some(end) = swallowed.filter(|_| !words.starts_with(['"', '\''])) {
            return Some(last.start..last.start + words.get(..end)?.trim_end().len());
        }
        let between = self.text.get(last.end..self.noticed)?;
        let next = self.slice(self.character());
        let follows = between.trim().is_empty() && !between.is_empty() && !matches!(next, ":" | "" | "-");
        (follows && !last.is_empty()).then_some(last)
    }

    /// A `:` where none may be.
    fn colon(self) -> Diagnostic {
        let value = self.tape.nodes.last().map(super::tape::Node::range).unwrap_or_default();
        let words = self.slice(value.clone());
        let Some((first, _)) = words.split_once('\n') else {
            return self.second_colon(value);
        };
        if let Some(colon) = first.find(':').map(|at| value.start + at) {
            return self
                .error(colon..colon + 1, "no space after `:`", "a space is missing here")
                .note("without the space this is one text that goes on in the next line")
                .help("write a space after the `:`")
                .fix(": ");
        }
        let start = value.start + words.rfind('\n').map_or(0, |newline| newline + 1);
        let key = start + self.slice(start..value.end).len() - self.slice(start..value.end).trim_start().len();
        self.error(key..value.end.max(key), "the key is indented more than the keys it belongs to", "indented too far")
            .at(raw_site(self.source, value.start..value.start + first.trim_end().len()), "so it continues this value")
            .help("align the key with its siblings")
    }

    fn second_colon(self, value: Range<usize>) -> Diagnostic {
        let same_line = !value.is_empty() && self.line_start(value.start) == self.line_start(self.noticed);
        let range = if same_line { self.rest_of_line(value.start) } else { self.character() };
        let shown = self.slice(range.clone());
        let problem = self
            .error(range, "a `:` followed by a space within a value", "")
            .help("quote the value if the `:` belongs to it, or put the inner key on a line of its own");
        if same_line && !shown.contains(['"', '\\']) { problem.fix(format!("\"{shown}\"")) } else { problem }
    }

    fn key_expected(self) -> Diagnostic {
        let start = self.line_start(self.noticed);
        let indentation = self.slice(start..self.text.len());
        let start = start + indentation.len() - indentation.trim_start_matches(' ').len();
        let line = self.rest_of_line(start);
        let words = self.slice(line.clone());
        if words.contains(": ") || words.ends_with(':') || words.starts_with("- ") {
            return self
                .error(line, "the line's indentation fits nothing above it", "")
                .help("align it with the lines it belongs with");
        }
        if let Some(colon) = words.find(':').map(|at| line.start + at).filter(|_| !words.starts_with(['"', '\''])) {
            return self
                .error(colon..colon + 1, "no space after `:`", "a space is missing here")
                .help("write a space after the `:`")
                .fix(": ");
        }
        let fix = format!("{words}:");
        self.error(line, "a key without `:`", "")
            .help("write `:` after the key, or indent the line as part of the value above")
            .fix(fix)
    }

    fn unexpected(self, character: char) -> Diagnostic {
        if character.is_control() {
            let message = format!("the control character U+{:04X} may not be in the file", u32::from(character));
            return self.error(self.character(), message, "").help("remove the character");
        }
        self.quotable(&format!("a text cannot begin with `{character}` unless it is quoted"))
    }

    fn unknown_anchor(self) -> Diagnostic {
        let range = self.rest_of_line(self.noticed);
        let name: String =
            self.slice(range).chars().take_while(|next| !next.is_whitespace() && !",]}".contains(*next)).collect();
        let anchor = name.replacen('*', "&", 1);
        let problem = self.error(
            self.noticed..self.noticed + name.len(),
            format!("the alias `{name}` has no anchor `{anchor}` before it"),
            "",
        );
        problem.help("quote the text if it is not an alias, or define the anchor further up").fix(format!("\"{name}\""))
    }

    /// A text that needs quotes because of its first character.
    fn quotable(self, message: &str) -> Diagnostic {
        let range = self.rest_of_line(self.noticed);
        let words = self.slice(range.clone());
        let fix = format!("\"{words}\"");
        let is_simple = !words.is_empty() && !words.contains(['"', '\\', ',', ']', '}']);
        let problem = self.error(range, message, "").help("quote the text");
        if is_simple { problem.fix(fix) } else { problem }
    }
}

/// The nearest character boundary at or before `offset`.
fn floor(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    (0..=offset).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
