//! Patterns of texts: regular expressions that Java and Rust read alike, and `LIKE`.
//!
//! A regular expression is refused, with the part named, if only one of the two engines knows it, if it cannot be compiled
//! within a limit, or if it repeats a repetition: the local engine would match it in linear time, Databricks (Java) in
//! exponential time.

use regex_syntax::hir::{Hir, HirKind};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::diagnostic::code;
use crate::kind::{self, Problem};

/// One pattern or several.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns {
    pub(super) any_of: Vec<String>,
    pub(super) all_of: Vec<String>,
    /// Where the first of them stands.
    pub(super) pointer: &'static str,
}

impl Patterns {
    /// Exactly one of the three keys `single`, `any_of` and `all_of`, and each pattern once.
    ///
    /// # Errors
    /// `resolve::expectation` otherwise.
    pub(super) fn one_of(
        kind: &str,
        (key, single): (&'static str, Option<String>),
        any_of: Vec<String>,
        all_of: Vec<String>,
    ) -> Result<Self, Problem> {
        let patterns = match (single, any_of.is_empty(), all_of.is_empty()) {
            (Some(single), true, true) => {
                Patterns { any_of: vec![single], all_of, pointer: if key == "regex" { "/regex" } else { "/pattern" } }
            }
            (None, false, true) => Patterns { any_of, all_of, pointer: "/any_of" },
            (None, true, false) => Patterns { any_of, all_of, pointer: "/all_of" },
            (None, true, true) | (Some(_), ..) | (None, false, false) => {
                let problem = format!("`{kind}` takes one of `{key}` and a list of several");
                return Err(Problem::new(code::EXPECTATION, "", problem).help(format!("keep `{key}` or the list")));
            }
        };
        for (index, pattern) in patterns.all().iter().enumerate() {
            if patterns.all().iter().take(index).any(|earlier| earlier == pattern) {
                let here = format!("{}/{index}", patterns.pointer);
                return Err(Problem::new(code::EXPECTATION, here, format!("the pattern `{pattern}` stands twice"))
                    .help("remove it"));
            }
        }
        Ok(patterns)
    }

    fn all(&self) -> &[String] {
        if self.any_of.is_empty() { &self.all_of } else { &self.any_of }
    }

    /// Checks each pattern, `check` being given its pointer.
    ///
    /// # Errors
    /// The first that `check` gives.
    pub(super) fn each(&self, check: fn(&str, String) -> Result<(), Problem>) -> Result<(), Problem> {
        let listed = self.pointer.ends_with("_of");
        self.all().iter().enumerate().try_for_each(|(index, pattern)| {
            check(pattern, if listed { format!("{}/{index}", self.pointer) } else { self.pointer.to_owned() })
        })
    }

    /// That a text matches as it should, `matched` giving the SQL for one pattern's literal.
    pub(super) fn condition(&self, matched: &dyn Fn(&str) -> String) -> String {
        let word = if self.any_of.is_empty() { " AND " } else { " OR " };
        let parts: Vec<String> = self.all().iter().map(|pattern| matched(&kind::text_literal(pattern))).collect();
        parts.join(word)
    }

    /// For people.
    pub(super) fn label(&self) -> String {
        match self.all() {
            [only] => only.clone(),
            several if self.any_of.is_empty() => format!("all of {}", several.join(", ")),
            several => format!("any of {}", several.join(", ")),
        }
    }
}

/// A text or a list of texts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// Parts of Java's syntax that Rust's lacks, with their names.
const JAVA_ONLY: &[(&str, &str)] = &[
    ("(?=", "a lookahead, `(?=…)`"),
    ("(?!", "a negative lookahead, `(?!…)`"),
    ("(?<=", "a lookbehind, `(?<=…)`"),
    ("(?<!", "a negative lookbehind, `(?<!…)`"),
    ("(?>", "an atomic group, `(?>…)`"),
    ("\\G", "the anchor `\\G`"),
    ("\\Z", "the anchor `\\Z`"),
    ("\\Q", "a quotation, `\\Q…\\E`"),
];

/// # Errors
/// `resolve::expectation` at `pointer` if both engines cannot match it, in time.
pub(super) fn check_regex(regex: &str, pointer: String) -> Result<(), Problem> {
    if let Some((part, instead)) = one_engine_only(regex) {
        return Err(Problem::new(code::EXPECTATION, pointer, format!("this regular expression has {part}"))
            .note("only one of Java (Databricks) and Rust (the local engine) knows it, and both must find the same")
            .help(instead));
    }
    let parsed = regex_syntax::Parser::new().parse(regex);
    if let (Ok(parsed), Ok(_)) = (&parsed, regex::Regex::new(regex)) {
        if repeats_repetition(parsed) {
            return Err(Problem::new(code::EXPECTATION, pointer, "this regular expression repeats a repetition")
                .note("on Databricks, the time for a text that does not match doubles with each of its characters")
                .help("repeat once, e.g. `[a-z]+` for `([a-z]+)+`, or put a separator that must be there between"));
        }
        return Ok(());
    }
    let error = regex::Regex::new(regex).err();
    if let Some(regex::Error::CompiledTooBig(limit)) = error {
        let problem = format!("this regular expression explodes: compiled, it is larger than {} MB", limit / 1_000_000);
        return Err(Problem::new(code::EXPECTATION, pointer, problem)
            .help("use smaller counts in `{…}`, or `length` for the length"));
    }
    let reason = error.map(|error| error.to_string()).unwrap_or_default();
    let last = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    Err(Problem::new(code::EXPECTATION, pointer, format!("this is no regular expression: {last}"))
        .note("the syntax is what Java and Rust share, so that both engines find the same matches")
        .help(if reason.contains("unclosed") {
            "close what is open, or write a backslash before a character that means itself"
        } else {
            "correct it; a backslash before a character makes it mean itself"
        }))
}

/// A part that only one engine knows, and what to write instead.
fn one_engine_only(regex: &str) -> Option<(String, &'static str)> {
    let instead = "write it without, e.g. with `not_matches`, `all_of`, or `expression`";
    let bytes = regex.as_bytes();
    let mut in_class = false;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = regex.get(at..).unwrap_or_default();
        match byte {
            b'\\' => {
                let next = bytes.get(at + 1).copied().unwrap_or_default();
                if !in_class && (next.is_ascii_digit() && next != b'0' || next == b'k') {
                    return Some((format!("a back-reference, `\\{}`", char::from(next)), instead));
                }
                if let Some((_, name)) =
                    JAVA_ONLY.iter().find(|(part, _)| part.starts_with('\\') && rest.starts_with(part))
                {
                    return Some(((*name).to_owned(), "use `^`, `$` or `\\z`, and a backslash before each sign"));
                }
                at += 2;
                continue;
            }
            b'[' if !in_class => in_class = true,
            b']' if in_class => in_class = false,
            b'&' if in_class && rest.starts_with("&&") => {
                return Some(("an intersection of classes, `&&`".to_owned(), "write the class's characters"));
            }
            b'(' if !in_class => {
                if let Some((_, name)) = JAVA_ONLY.iter().find(|(part, _)| rest.starts_with(part)) {
                    return Some(((*name).to_owned(), instead));
                }
            }
            b'*' | b'+' | b'?' | b'}' if !in_class && bytes.get(at + 1) == Some(&b'+') => {
                let part = format!("a possessive repetition, `{}+`", char::from(*byte));
                return Some((part, "remove the second `+`; it only makes Java faster"));
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Whether an endless repetition stands in another with nothing that must be there beside it, so that a text can be divided
/// between them in exponentially many ways.
fn repeats_repetition(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => false,
        HirKind::Repetition(repetition) => {
            let endless = repetition.max.is_none();
            (endless && is_endless_alone(&repetition.sub)) || repeats_repetition(&repetition.sub)
        }
        HirKind::Capture(capture) => repeats_repetition(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(repeats_repetition),
    }
}

fn is_endless_alone(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => false,
        HirKind::Repetition(repetition) => repetition.max.is_none() || is_endless_alone(&repetition.sub),
        HirKind::Capture(capture) => is_endless_alone(&capture.sub),
        HirKind::Alternation(parts) => parts.iter().any(is_endless_alone),
        HirKind::Concat(parts) => {
            let may_be_empty = |part: &Hir| part.properties().minimum_len() == Some(0);
            parts.iter().enumerate().any(|(place, part)| {
                is_endless_alone(part)
                    && parts.iter().enumerate().all(|(other, beside)| other == place || may_be_empty(beside))
            })
        }
    }
}

/// # Errors
/// `resolve::expectation` at `pointer` if a `LIKE` pattern escapes nothing, or what needs no escape.
pub(super) fn check_like(pattern: &str, pointer: String) -> Result<(), Problem> {
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character == '\\' && !matches!(characters.next(), Some('%' | '_' | '\\')) {
            return Err(Problem::new(code::EXPECTATION, pointer, "a backslash in this pattern escapes nothing")
                .note("in `LIKE`, a backslash stands before `%`, `_` or another backslash")
                .help("double it, or remove it"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_engine_lacks_is_named() {
        for (regex, part) in [
            (r"^(?!test)", "negative lookahead"),
            (r"(?<=a)b", "lookbehind"),
            (r"(a)\1", "back-reference"),
            (r"a++", "possessive"),
            (r"[a-z&&[^b]]", "intersection"),
            (r"(a+)+$", "repeats a repetition"),
            (r"(\w+\s?)*", "repeats a repetition"),
            (r"((a{1000}){1000}){1000}", "explodes"),
            (r"a(", "no regular expression"),
        ] {
            let problem = check_regex(regex, String::new()).expect_err(regex);
            assert!(problem.message.contains(part), "{regex}: {}", problem.message);
        }
        for regex in
            [r"^[A-Z]{2}\d+$", r"(\w+,)*", r"\(?\+\[&&", r"(?i)^a|b$", r"(?:ab)+c*", r"[+]+", r"(?P<year>\d{4})"]
        {
            assert_eq!(check_regex(regex, String::new()), Ok(()), "{regex}");
        }
    }

    #[test]
    fn a_lonely_backslash_in_like_is_refused() {
        assert!(check_like("100\\%", String::new()).is_ok());
        assert!(check_like("C:\\dir%", String::new()).is_err());
    }
}
