//! Regular expressions in conditions, compiled once, and without an automaton where a pattern is simple.
//!
//! In: a condition as DataFusion planned it. Out: the same with `text ~ 'pattern'` replaced by [`Matches`]. DataFusion compiles
//! the pattern for every batch and asks the general engine for every text. An anchored row of character classes, at most
//! one of which repeats without a fixed number (`^[a-z]+$`, `^[A-Z]{2}-[0-9]{4}$`), is decided byte by byte instead, as long as
//! the text is ASCII; any other text and pattern is the engine's.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use deltalake::arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use deltalake::arrow::buffer::BooleanBuffer;
use deltalake::arrow::datatypes::{DataType, Schema};
use deltalake::datafusion::common::tree_node::{Transformed, TreeNode};
use deltalake::datafusion::common::{Result, ScalarValue};
use deltalake::datafusion::logical_expr::{ColumnarValue, Operator};
use deltalake::datafusion::physical_expr::PhysicalExpr;
use deltalake::datafusion::physical_expr::expressions::{BinaryExpr, Literal};
use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Replaces the matches in a condition over rows of `schema`.
pub(super) fn quicken(condition: Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    let replaced = condition.transform_up(|expr| {
        let found = Matches::of(&expr, schema);
        Ok(found.map_or(Transformed::no(expr), |found| Transformed::yes(Arc::new(found) as _)))
    });
    Ok(replaced?.data)
}

/// `text ~ 'pattern'`, or `text !~ 'pattern'`; NULL of NULL.
#[derive(Debug)]
struct Matches {
    text: Arc<dyn PhysicalExpr>,
    pattern: Arc<Pattern>,
    wanted: bool,
}

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    simple: Option<Simple>,
}

impl Matches {
    fn of(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Option<Matches> {
        let binary = expr.downcast_ref::<BinaryExpr>()?;
        let wanted = match binary.op() {
            Operator::RegexMatch => true,
            Operator::RegexNotMatch => false,
            _ => return None,
        };
        let ScalarValue::Utf8(Some(pattern)) = binary.right().downcast_ref::<Literal>()?.value() else { return None };
        let is_plain_text = binary.left().data_type(schema).is_ok_and(|data_type| data_type == DataType::Utf8);
        // What does not compile fails where it always did.
        let regex = Regex::new(pattern).ok().filter(|_| is_plain_text)?;
        let pattern = Arc::new(Pattern { simple: Simple::parse(pattern), regex });
        Some(Matches { text: Arc::clone(binary.left()), pattern, wanted })
    }
}

impl Pattern {
    fn is_match(&self, text: &str) -> bool {
        match &self.simple {
            Some(simple) if simple.is_match(text.as_bytes()) => true,
            Some(_) if text.is_ascii() => false,
            Some(_) | None => self.regex.is_match(text),
        }
    }

    fn all(&self, texts: &StringArray) -> BooleanBuffer {
        BooleanBuffer::collect_bool(texts.len(), |row| self.is_match(texts.value(row)))
    }
}

impl PhysicalExpr for Matches {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.text.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let texts = self.text.evaluate(batch)?.into_array(batch.num_rows())?;
        let texts = texts.as_string::<i32>();
        let matched = self.pattern.all(texts);
        let matched = if self.wanted { matched } else { !&matched };
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(matched, texts.nulls().cloned()))))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.text]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let text = children.into_iter().next().unwrap_or_else(|| Arc::clone(&self.text));
        Ok(Arc::new(Matches { text, pattern: Arc::clone(&self.pattern), wanted: self.wanted }))
    }

    fn fmt_sql(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl fmt::Display for Matches {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.text, if self.wanted { "~" } else { "!~" }, self.pattern.regex)
    }
}

impl PartialEq for Matches {
    fn eq(&self, other: &Self) -> bool {
        self.text.eq(&other.text)
            && self.wanted == other.wanted
            && self.pattern.regex.as_str() == other.pattern.regex.as_str()
    }
}

impl Eq for Matches {}

impl Hash for Matches {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
        self.wanted.hash(state);
        self.pattern.regex.as_str().hash(state);
    }
}

/// The ASCII bytes of a class.
type Bytes = Box<[bool; 256]>;

/// A whole text as classes of single bytes: those before, one that repeats, those behind.
#[derive(Debug)]
struct Simple {
    before: Vec<Bytes>,
    repeated: Option<Repeated>,
    behind: Vec<Bytes>,
}

#[derive(Debug)]
struct Repeated {
    bytes: Bytes,
    min: usize,
    max: usize,
}

/// So many classes at most: longer ones gain nothing.
const MOST_CLASSES: usize = 64;

impl Simple {
    fn parse(pattern: &str) -> Option<Simple> {
        let hir = regex_syntax::parse(pattern).ok()?;
        let HirKind::Concat(parts) = hir.kind() else { return None };
        let [start, parts @ .., end] = parts.as_slice() else { return None };
        if *start.kind() != HirKind::Look(Look::Start) || *end.kind() != HirKind::Look(Look::End) {
            return None;
        }
        let mut simple = Simple { before: Vec::new(), repeated: None, behind: Vec::new() };
        for part in parts {
            simple.push(part)?;
        }
        Some(simple)
    }

    fn push(&mut self, part: &Hir) -> Option<()> {
        match part.kind() {
            HirKind::Empty => {}
            HirKind::Literal(literal) => {
                for byte in &literal.0 {
                    self.push_class(of_byte(*byte)?, 1)?;
                }
            }
            HirKind::Class(class) => self.push_class(of_class(class), 1)?,
            HirKind::Repetition(repetition) => {
                let bytes = match repetition.sub.kind() {
                    HirKind::Class(class) => of_class(class),
                    HirKind::Literal(literal) => match *literal.0 {
                        [byte] => of_byte(byte)?,
                        _ => return None,
                    },
                    _ => return None,
                };
                let min = usize::try_from(repetition.min).ok()?;
                let max = match repetition.max {
                    Some(max) => usize::try_from(max).ok()?,
                    None => usize::MAX,
                };
                if min == max {
                    self.push_class(bytes, min)?;
                } else if self.repeated.is_none() {
                    self.repeated = Some(Repeated { bytes, min, max });
                } else {
                    return None;
                }
            }
            HirKind::Capture(capture) => self.push(&capture.sub)?,
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.push(part).ok_or(())).ok()?,
            HirKind::Look(_) | HirKind::Alternation(_) => return None,
        }
        Some(())
    }

    fn push_class(&mut self, bytes: Bytes, n: usize) -> Option<()> {
        if self.before.len() + self.behind.len() + n > MOST_CLASSES {
            return None;
        }
        let classes = if self.repeated.is_some() { &mut self.behind } else { &mut self.before };
        classes.extend(std::iter::repeat_n(bytes, n));
        Some(())
    }

    /// Whether a text matches; of a text that is not ASCII a `false` says nothing.
    fn is_match(&self, text: &[u8]) -> bool {
        let all =
            |text: &[u8], classes: &[Bytes]| text.iter().zip(classes).all(|(byte, class)| class[usize::from(*byte)]);
        let Some((before, rest)) = text.split_at_checked(self.before.len()) else { return false };
        let Some(n_rest) = rest.len().checked_sub(self.behind.len()) else { return false };
        let (middle, behind) = rest.split_at(n_rest);
        let repeats = match &self.repeated {
            None => middle.is_empty(),
            Some(Repeated { bytes, min, max }) => {
                // Without a branch for each byte; most texts match.
                *min <= n_rest
                    && n_rest <= *max
                    && middle.iter().fold(true, |all, byte| all & bytes[usize::from(*byte)])
            }
        };
        repeats && all(before, &self.before) && all(behind, &self.behind)
    }
}

fn of_byte(byte: u8) -> Option<Bytes> {
    let mut bytes = Box::new([false; 256]);
    bytes[usize::from(byte)] = true;
    byte.is_ascii().then_some(bytes)
}

fn of_class(class: &Class) -> Bytes {
    let is_within = |byte: u8| match class {
        Class::Unicode(class) => {
            class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&char::from(byte)))
        }
        Class::Bytes(class) => class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&byte)),
    };
    Box::new(std::array::from_fn(|byte| u8::try_from(byte).is_ok_and(|byte| byte.is_ascii() && is_within(byte))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: &[&str] = &[
        "",
        "a",
        "ab",
        "abc",
        "A",
        "AB",
        "A1",
        "1",
        "12",
        "2024-01-31",
        "2024-1-31",
        "aé",
        "é",
        "a\n",
        "\n",
        "ab-12",
        "x\u{661}",
        "\u{661}",
        "-",
        "a-",
        "aaa",
        "aaab",
        "aaaab",
        "AB-1234",
        "AB-123",
        "AB1234",
        "ſ",
        "K",
        "k",
        "\u{212a}",
    ];

    #[test]
    fn simple_patterns_decide_as_the_engine_does() {
        for (pattern, simple) in [
            ("^[a-z]+$", true),
            ("^[0-9A-Za-z-]+$", true),
            ("^[A-Z][A-Z]$", true),
            ("^[A-Z]{2}-[0-9]{4}$", true),
            (r"^\d{4}-\d{2}-\d{2}$", true),
            ("^a{2,4}b?$", false),
            ("^a*b$", true),
            ("^(ab)-([0-9]+)$", true),
            ("^(?i)k$", true),
            ("^.$", true),
            ("^[^a]*$", true),
            ("^x?$", true),
            ("^é$", false),
            ("[a-z]+", false),
            ("^a|b$", false),
            ("(?m)^a$", false),
            ("^$", true),
        ] {
            let known = Pattern { regex: Regex::new(pattern).expect("a pattern"), simple: Simple::parse(pattern) };
            assert_eq!(known.simple.is_some(), simple, "{pattern}");
            for text in TEXTS {
                assert_eq!(known.is_match(text), known.regex.is_match(text), "{pattern} {text:?}");
            }
        }
    }
}
