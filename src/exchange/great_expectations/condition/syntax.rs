//! Conditions of pandas and of Great Expectations' own language, parsed and written as Databricks SQL.
//!
//! The grammar is the part of `DataFrame.query` that conditions use: comparisons (also chained), `and`/`or`/`not` and
//! `&`/`|`/`~`, `in` and `not in` with a list, `.isnull()` and its like, arithmetic, numbers, texts, names in backticks.

use std::iter::Peekable;
use std::str::CharIndices;

use crate::diagnostic::code;
use crate::kind::{self, Problem};

/// What a condition is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Pandas,
    /// `col("a") > 1`, which SQL databases run: comparisons with NULL are NULL.
    Own,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Number(String),
    Text(String),
    Symbol(&'static str),
}

const SYMBOLS: [&str; 20] =
    ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",", ".", "&", "|", "~", "+", "-", "*", "/", "%"];

/// Deeper parentheses are no condition that anyone wrote.
const MAX_DEPTH: usize = 64;

/// # Errors
/// `exchange::argument` for what is not understood.
pub(super) fn translate(text: &str, language: Language) -> Result<String, Problem> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), language, depth: 0 };
    let sql = parser.disjunction()?;
    match parser.tokens.next() {
        None => Ok(sql),
        Some(token) => Err(not_understood(&format!("{} is not expected there", shown(&token)))),
    }
}

/// A membership test with pandas' rule for missing values: they are in no list.
pub(super) fn within(value: &str, literals: &[String], positive: bool) -> String {
    match (literals.is_empty(), positive) {
        (true, true) => "FALSE".to_owned(),
        (true, false) => "TRUE".to_owned(),
        (false, true) => format!("{value} IN ({})", literals.join(", ")),
        (false, false) => format!("({value} IS NULL OR {value} NOT IN ({}))", literals.join(", ")),
    }
}

fn not_understood(why: &str) -> Problem {
    Problem::new(code::EXCHANGE_ARGUMENT, super::POINTER, format!("this condition cannot be translated: {why}"))
        .help("write it as SQL: `\"row_condition\": \"a > 1\", \"condition_parser\": \"spark\"`")
}

fn shown(token: &Token) -> String {
    match token {
        Token::Name(text) | Token::Number(text) | Token::Text(text) => format!("`{text}`"),
        Token::Symbol(symbol) => format!("`{symbol}`"),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut tokens = Vec::new();
    let mut characters = text.char_indices().peekable();
    while let Some(&(start, character)) = characters.peek() {
        if character.is_whitespace() {
            characters.next();
        } else if matches!(character, '"' | '\'' | '`') {
            characters.next();
            let inner = quoted(&mut characters, character).ok_or_else(|| not_understood("a quote is not closed"))?;
            tokens.push(if character == '`' { Token::Name(inner) } else { Token::Text(inner) });
        } else if character.is_ascii_digit() {
            tokens.push(Token::Number(taken(&mut characters, text, start, |text, at| is_of_number(text, start, at))));
        } else if character.is_alphabetic() || character == '_' {
            let of_name = |text: &str, at: usize| {
                text.get(at..)
                    .and_then(|rest| rest.chars().next())
                    .is_some_and(|next| next.is_alphanumeric() || next == '_')
            };
            tokens.push(Token::Name(taken(&mut characters, text, start, of_name)));
        } else {
            let rest = text.get(start..).unwrap_or_default();
            let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) else {
                return Err(not_understood(&format!("`{character}` is not known")));
            };
            for _ in symbol.chars() {
                characters.next();
            }
            tokens.push(Token::Symbol(symbol));
        }
    }
    Ok(tokens)
}

/// A quoted text without its quotes, with backslash escapes of the quote and of itself undone.
fn quoted(characters: &mut Peekable<CharIndices<'_>>, quote: char) -> Option<String> {
    let mut inner = String::new();
    while let Some((_, character)) = characters.next() {
        if character == quote {
            return Some(inner);
        }
        if character == '\\' && quote != '`' {
            match characters.next()? {
                (_, escaped) if escaped == quote || escaped == '\\' => inner.push(escaped),
                (_, other) => inner.extend(['\\', other]),
            }
        } else {
            inner.push(character);
        }
    }
    None
}

fn taken(
    characters: &mut Peekable<CharIndices<'_>>,
    text: &str,
    start: usize,
    belongs: impl Fn(&str, usize) -> bool,
) -> String {
    let mut end = text.len();
    while let Some(&(at, _)) = characters.peek() {
        if !belongs(text, at) {
            end = at;
            break;
        }
        characters.next();
    }
    text.get(start..end).unwrap_or_default().to_owned()
}

/// Digits, one point, and an exponent with its sign.
fn is_of_number(text: &str, start: usize, at: usize) -> bool {
    let bytes = text.as_bytes();
    let before = at.checked_sub(1).filter(|before| *before >= start).and_then(|before| bytes.get(before));
    match bytes.get(at) {
        Some(byte) if byte.is_ascii_digit() => true,
        Some(b'.' | b'e' | b'E') => true,
        Some(b'+' | b'-') => matches!(before, Some(b'e' | b'E')),
        Some(_) | None => false,
    }
}

struct Parser {
    tokens: Peekable<std::vec::IntoIter<Token>>,
    language: Language,
    depth: usize,
}

/// A part of a condition as SQL.
struct Operand {
    sql: String,
    /// Whether it is TRUE or FALSE, so that `not` may stand before it.
    is_condition: bool,
}

impl Parser {
    fn takes(&mut self, symbols: &[&str]) -> bool {
        let found = match self.tokens.peek() {
            Some(Token::Symbol(symbol)) => symbols.contains(symbol),
            Some(Token::Name(word)) => symbols.contains(&word.as_str()),
            Some(Token::Number(_) | Token::Text(_)) | None => false,
        };
        if found {
            self.tokens.next();
        }
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Problem> {
        if self.takes(&[symbol]) { Ok(()) } else { Err(not_understood(&format!("a `{symbol}` is missing"))) }
    }

    fn disjunction(&mut self) -> Result<String, Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(not_understood("it is nested too deeply"));
        }
        let mut parts = vec![self.conjunction()?];
        while self.takes(&["or", "|"]) {
            parts.push(self.conjunction()?);
        }
        self.depth -= 1;
        Ok(joined(parts, " OR "))
    }

    fn conjunction(&mut self) -> Result<String, Problem> {
        let mut parts = vec![self.negation()?];
        while self.takes(&["and", "&"]) {
            parts.push(self.negation()?);
        }
        Ok(joined(parts, " AND "))
    }

    fn negation(&mut self) -> Result<String, Problem> {
        let mut n_times = 0;
        while self.takes(&["not", "~"]) {
            n_times += 1;
        }
        let inner = self.comparison()?;
        Ok(match (n_times % 2 == 1, self.language) {
            (false, _) => inner,
            (true, Language::Pandas) => format!("({inner}) IS NOT TRUE"),
            (true, Language::Own) => format!("NOT ({inner})"),
        })
    }

    fn comparison(&mut self) -> Result<String, Problem> {
        let first = self.sum()?;
        let mut left = first.sql.clone();
        let mut parts = Vec::new();
        loop {
            if let Some(Token::Symbol(operator @ ("==" | "!=" | "<" | "<=" | ">" | ">="))) = self.tokens.peek().cloned()
            {
                self.tokens.next();
                if matches!(self.tokens.peek(), Some(Token::Symbol("["))) && matches!(operator, "==" | "!=") {
                    // pandas reads a comparison with a list as membership.
                    parts.push(within(&left, &self.list()?, operator == "=="));
                    continue;
                }
                let right = self.sum()?.sql;
                parts.push(match (operator, self.language) {
                    ("==", _) => format!("{left} = {right}"),
                    ("!=", Language::Pandas) => format!("{left} IS DISTINCT FROM {right}"),
                    ("!=", Language::Own) => format!("{left} <> {right}"),
                    (other, _) => format!("{left} {other} {right}"),
                });
                left = right;
            } else if self.takes(&["in"]) {
                parts.push(within(&left, &self.list()?, true));
            } else if self.takes(&["not"]) {
                self.expect("in")?;
                parts.push(within(&left, &self.list()?, false));
            } else {
                break;
            }
        }
        if parts.is_empty() && !first.is_condition {
            // A column of booleans is a condition by itself.
            return Ok(first.sql);
        }
        Ok(if parts.is_empty() { first.sql } else { joined(parts, " AND ") })
    }

    fn list(&mut self) -> Result<Vec<String>, Problem> {
        let close = if self.takes(&["["]) {
            "]"
        } else {
            self.expect("(")?;
            ")"
        };
        let mut literals = Vec::new();
        while !self.takes(&[close]) {
            literals.push(self.sum()?.sql);
            if !self.takes(&[","]) {
                self.expect(close)?;
                break;
            }
        }
        Ok(literals)
    }

    fn sum(&mut self) -> Result<Operand, Problem> {
        let mut left = self.product()?;
        while let Some(Token::Symbol(operator @ ("+" | "-"))) = self.tokens.peek().cloned() {
            self.tokens.next();
            let right = self.product()?;
            left = Operand { sql: format!("({} {operator} {})", left.sql, right.sql), is_condition: false };
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Operand, Problem> {
        let mut left = self.primary()?;
        while let Some(Token::Symbol(operator @ ("*" | "/" | "%"))) = self.tokens.peek().cloned() {
            self.tokens.next();
            let right = self.primary()?;
            left = Operand { sql: format!("({} {operator} {})", left.sql, right.sql), is_condition: false };
        }
        Ok(left)
    }

    fn primary(&mut self) -> Result<Operand, Problem> {
        let value = |sql: String| Operand { sql, is_condition: false };
        let operand = match self.tokens.next() {
            Some(Token::Number(number)) => value(number),
            Some(Token::Text(text)) => value(kind::text_literal(&text)),
            Some(Token::Symbol("-")) => match self.tokens.next() {
                Some(Token::Number(number)) => value(format!("-{number}")),
                Some(Token::Name(name)) => value(format!("-{}", kind::column(&name))),
                Some(_) | None => return Err(not_understood("`-` stands before no number")),
            },
            Some(Token::Symbol("(")) => {
                let inner = self.disjunction()?;
                self.expect(")")?;
                Operand { sql: format!("({inner})"), is_condition: true }
            }
            Some(Token::Name(name)) => match name.as_str() {
                "True" | "true" => value("TRUE".to_owned()),
                "False" | "false" => value("FALSE".to_owned()),
                "None" => value("NULL".to_owned()),
                "col" | "date" if matches!(self.tokens.peek(), Some(Token::Symbol("("))) => {
                    self.tokens.next();
                    let Some(Token::Text(inner)) = self.tokens.next() else {
                        return Err(not_understood(&format!("`{name}(…)` takes a text")));
                    };
                    self.expect(")")?;
                    let is_column = name == "col";
                    value(if is_column { kind::column(&inner) } else { format!("DATE {}", kind::text_literal(&inner)) })
                }
                _ if self.language == Language::Own => {
                    return Err(not_understood(&format!("`{name}` stands where `col(\"{name}\")` should")));
                }
                _ => value(kind::column(&name)),
            },
            Some(other) => return Err(not_understood(&format!("{} is not expected there", shown(&other)))),
            None => return Err(not_understood("it ends too early")),
        };
        self.methods(operand)
    }

    /// `.isnull()` and its like behind a value.
    fn methods(&mut self, mut operand: Operand) -> Result<Operand, Problem> {
        while self.takes(&["."]) {
            let Some(Token::Name(method)) = self.tokens.next() else {
                return Err(not_understood("a name is missing behind `.`"));
            };
            let not = match method.to_lowercase().as_str() {
                "isnull" | "isna" => "",
                "notnull" | "notna" => "NOT ",
                _ => return Err(not_understood(&format!("`.{method}` is not known"))),
            };
            self.expect("(")?;
            self.expect(")")?;
            operand = Operand { sql: format!("{} IS {not}NULL", operand.sql), is_condition: true };
        }
        Ok(operand)
    }
}

fn joined(mut parts: Vec<String>, word: &str) -> String {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    format!("({})", parts.join(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pandas(text: &str) -> String {
        translate(text, Language::Pandas).unwrap_or_else(|problem| format!("! {}", problem.message))
    }

    #[test]
    fn comparisons_and_their_joins_become_sql() {
        assert_eq!(pandas("a == 1"), "`a` = 1");
        assert_eq!(pandas("a > 1 and b <= 'x'"), "(`a` > 1 AND `b` <= 'x')");
        let joined = "(((`a` > -1.5e3) AND (`b` = 'it\\'s')) OR `c`)";
        assert_eq!(pandas("(a > -1.5e3) & (b == \"it's\") | c"), joined);
        assert_eq!(pandas("1 < a < 5"), "(1 < `a` AND `a` < 5)");
        assert_eq!(pandas("`my col` * 2 >= b"), "(`my col` * 2) >= `b`");
    }

    #[test]
    fn missing_values_are_treated_as_pandas_does() {
        assert_eq!(pandas("a != 1"), "`a` IS DISTINCT FROM 1");
        assert_eq!(pandas("a not in [1, 2]"), "(`a` IS NULL OR `a` NOT IN (1, 2))");
        assert_eq!(pandas("not a > 1"), "(`a` > 1) IS NOT TRUE");
        assert_eq!(pandas("a.notnull() and ~b.isna()"), "(`a` IS NOT NULL AND (`b` IS NULL) IS NOT TRUE)");
    }

    #[test]
    fn the_librarys_own_language_names_columns() {
        let own = |text: &str| translate(text, Language::Own).map_err(|problem| problem.message);
        assert_eq!(own("col(\"a\") > 5"), Ok("`a` > 5".to_owned()));
        assert_eq!(own("col(\"a\").notNull()"), Ok("`a` IS NOT NULL".to_owned()));
        assert_eq!(own("col('d') <= date(\"2020-01-01\")"), Ok("`d` <= DATE '2020-01-01'".to_owned()));
        assert!(own("a > 5").is_err());
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for text in ["a >", "a == @limit", "a.str.len() > 1", "a ==== 1", "(a > 1", "'open", "a b"] {
            assert!(translate(text, Language::Pandas).is_err(), "{text}");
        }
        assert!(translate(&"(".repeat(10_000), Language::Pandas).is_err());
    }
}
