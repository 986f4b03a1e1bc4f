//! Python literals and calls, laid out as `ruff format` leaves them with lines of 120 characters.
//!
//! A call or list stands on one line where it fits, else one argument a line, each with a comma behind it: that comma keeps
//! the layout. Texts are escaped so that whatever a project says stays a text.

use std::fmt::Write;

/// The longest line.
const LINE: usize = 120;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Py {
    None,
    Bool(bool),
    /// A variable.
    Name(&'static str),
    /// A number as Python spells it.
    Number(String),
    Text(String),
    List(Vec<Py>),
    Tuple(Vec<Py>),
    /// Texts to values, in order.
    Dict(Vec<(String, Py)>),
    /// A call with positional and keyword arguments.
    Call(&'static str, Vec<(Option<&'static str>, Py)>),
}

impl Py {
    pub(super) fn text(text: &str) -> Py {
        Py::Text(text.to_owned())
    }

    pub(super) fn texts<S: AsRef<str>>(texts: &[S]) -> Py {
        Py::List(texts.iter().map(|text| Py::text(text.as_ref())).collect())
    }

    pub(super) fn float(number: f64) -> Py {
        if number.is_finite() {
            // Rust's shortest form that reads back is Python's too; a whole number keeps its point.
            return Py::Number(format!("{number:?}"));
        }
        let spelled = if number.is_nan() {
            "nan"
        } else if number > 0.0 {
            "inf"
        } else {
            "-inf"
        };
        Py::Call("float", vec![(None, Py::text(spelled))])
    }

    /// The expression from a column on, with so many characters to come behind it.
    pub(super) fn write(&self, out: &mut String, indent: usize, column: usize, behind: usize) {
        let flat = self.flat();
        if column + width(&flat) + behind <= LINE || !self.can_break() {
            out.push_str(&flat);
            return;
        }
        let unnamed = |elements: &'_ [Py]| elements.iter().map(|element| (String::new(), element.clone())).collect();
        let (open, close, arguments): (String, char, Vec<(String, Py)>) = match self {
            Py::Call(name, arguments) => {
                let named = |(key, value): &(Option<&str>, Py)| {
                    (key.map_or_else(String::new, |key| format!("{key}=")), value.clone())
                };
                (format!("{name}("), ')', arguments.iter().map(named).collect())
            }
            Py::List(elements) => ("[".to_owned(), ']', unnamed(elements)),
            Py::Tuple(elements) => ("(".to_owned(), ')', unnamed(elements)),
            Py::Dict(members) => {
                let member = |(key, value): &(String, Py)| (format!("{}: ", quoted(key)), value.clone());
                ("{".to_owned(), '}', members.iter().map(member).collect())
            }
            Py::None | Py::Bool(_) | Py::Name(_) | Py::Number(_) | Py::Text(_) => unreachable!("these do not break"),
        };
        out.push_str(&open);
        out.push('\n');
        let inner = indent + 4;
        for (key, value) in arguments {
            out.extend(std::iter::repeat_n(' ', inner));
            out.push_str(&key);
            value.write(out, inner, inner + width(&key), 1);
            out.push_str(",\n");
        }
        out.extend(std::iter::repeat_n(' ', indent));
        out.push(close);
    }

    fn can_break(&self) -> bool {
        match self {
            Py::Call(_, arguments) => !arguments.is_empty(),
            Py::List(elements) | Py::Tuple(elements) => !elements.is_empty(),
            Py::Dict(members) => !members.is_empty(),
            Py::None | Py::Bool(_) | Py::Name(_) | Py::Number(_) | Py::Text(_) => false,
        }
    }

    fn flat(&self) -> String {
        let joined = |elements: &[Py]| elements.iter().map(Py::flat).collect::<Vec<_>>().join(", ");
        match self {
            Py::None => "None".to_owned(),
            Py::Bool(true) => "True".to_owned(),
            Py::Bool(false) => "False".to_owned(),
            Py::Name(name) => (*name).to_owned(),
            Py::Number(number) => number.clone(),
            Py::Text(text) => quoted(text),
            Py::List(elements) => format!("[{}]", joined(elements)),
            Py::Tuple(elements) => match elements.as_slice() {
                [only] => format!("({},)", only.flat()),
                _ => format!("({})", joined(elements)),
            },
            Py::Dict(members) => {
                let member = |(key, value): &(String, Py)| format!("{}: {}", quoted(key), value.flat());
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
            }
            Py::Call(name, arguments) => {
                let argument = |(key, value): &(Option<&str>, Py)| match key {
                    Some(key) => format!("{key}={}", value.flat()),
                    None => value.flat(),
                };
                format!("{name}({})", arguments.iter().map(argument).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// A text as a Python literal: double quotes, or single ones where that saves escapes.
pub(super) fn quoted(text: &str) -> String {
    let quote = if text.matches('"').count() > text.matches('\'').count() { '\'' } else { '"' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character == quote => out.extend(['\\', quote]),
            _ if is_invisible(character) => {
                let code = u32::from(character);
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
            _ => out.push(character),
        }
    }
    out.push(quote);
    out
}

/// Control characters and those that change how the text around them is shown.
pub(super) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Columns on a screen, at most: what is not ASCII may be two wide.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|character| if character.is_ascii() { 1 } else { 2 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts() {
        assert_eq!(quoted(r#"it's "here""#), r#"'it\'s "here"'"#);
        assert_eq!(quoted("a\\b\n\"\"\""), r#"'a\\b\n"""'"#);
        assert_eq!(quoted("x\u{202e}\u{7}é"), "\"x\\u202e\\x07é\"");
    }

    #[test]
    fn what_does_not_fit_stands_one_a_line() {
        let long = "x".repeat(70);
        let call = Py::Call("Row", vec![(Some("label"), Py::text(&long)), (Some("columns"), Py::texts(&[&long]))]);
        let mut out = String::new();
        call.write(&mut out, 0, 0, 0);
        assert_eq!(out, format!("Row(\n    label=\"{long}\",\n    columns=[\"{long}\"],\n)"));
        assert_eq!(Py::float(1.0).flat(), "1.0");
        assert_eq!(Py::float(f64::INFINITY).flat(), "float(\"inf\")");
    }
}
