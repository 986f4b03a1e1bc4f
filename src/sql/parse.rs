//! Text to syntax tree, with byte ranges.
//!
//! In: one query (SELECT, WITH, VALUES or set operations of them) or one expression. Out: sqlparser's tree, in which
//! quoted names are lower case and double-quoted strings are strings, as Databricks reads them; or one [`SqlError`].
//! Also what does not need a tree: [`fingerprint_text`], [`words`]. Nothing is resolved or typed here.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use deltalake::datafusion::sql::sqlparser::ast;
use deltalake::datafusion::sql::sqlparser::keywords::Keyword;
use deltalake::datafusion::sql::sqlparser::parser::{Parser, ParserError};
use deltalake::datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::sql::dialect::Databricks;
use crate::sql::{keywords, position, spelling};

pub use crate::sql::relations::{RelationRef, relations};

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    pub kind: ErrorKind,
    /// One lower-case phrase with names in backticks.
    pub message: String,
    /// Bytes of the text.
    pub range: Range<usize>,
    /// Why, where that is not obvious.
    pub note: Option<String>,
    pub help: Option<String>,
    /// Text that, put in place of `range`, removes the error.
    pub fix: Option<String>,
}

impl SqlError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>, range: Range<usize>) -> Self {
        SqlError { kind, message: message.into(), range, note: None, help: None, fix: None }
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// The sorts of errors in SQL; `check` gives each its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    Syntax,
    /// Not exactly one query.
    Statement,
    UnknownTable,
    UnknownColumn,
    AmbiguousColumn,
    UnknownFunction,
    FunctionArguments,
    Type,
    NotGrouped,
    DuplicateColumn,
    Unsupported,
    Invalid,
}

/// A parsed query and its text.
#[derive(Debug, Clone)]
pub struct Query {
    pub text: Arc<str>,
    pub ast: Box<ast::Query>,
}

/// A parsed expression and its text.
#[derive(Debug, Clone)]
pub struct Expression {
    pub text: Arc<str>,
    pub ast: ast::Expr,
}

/// Parses exactly one query; a final semicolon is allowed.
///
/// # Errors
/// `Syntax`, `Statement` for something else than one query, `Unsupported` for literals that mean something else here.
pub fn parse_query(text: &str) -> Result<Query, SqlError> {
    let tokens = tokens(text)?;
    let first = significant(&tokens).next().map(|token| (token.token.clone(), token.span));
    let Some((first, first_span)) = first else {
        return Err(SqlError::new(ErrorKind::Statement, "there is no query", position::whole(text))
            .help("write one query, e.g. `SELECT * FROM layer.table`"));
    };
    if let Token::Word(word) = &first
        && let Some(verb) = other_statement(word.keyword)
    {
        let range = position::range(text, first_span).unwrap_or_else(|| position::whole(text));
        return Err(SqlError::new(ErrorKind::Statement, format!("`{verb}` is no query"), range)
            .note("a table is what one query returns; medc itself creates and writes it")
            .help("write one query that begins with SELECT, WITH or VALUES"));
    }
    let mut parser = Parser::new(&Databricks).with_tokens_with_locations(tokens);
    let ast = parser.parse_query().map_err(|error| syntax_error(text, &parser, &error))?;
    let had_semicolon = parser.consume_token(&Token::SemiColon);
    while parser.consume_token(&Token::SemiColon) {}
    let next = parser.peek_token();
    if next.token != Token::EOF {
        return Err(left_over(text, &next, had_semicolon));
    }
    let ast = normalised(text, ast)?;
    Ok(Query { text: Arc::from(text), ast })
}

/// Parses exactly one expression.
///
/// # Errors
/// `Syntax`, and `Unsupported` for literals that mean something else here.
pub fn parse_expression(text: &str) -> Result<Expression, SqlError> {
    let mut parser = Parser::new(&Databricks).with_tokens_with_locations(tokens(text)?);
    let ast = parser.parse_expr().map_err(|error| syntax_error(text, &parser, &error))?;
    let next = parser.peek_token();
    if next.token != Token::EOF {
        let range = position::range(text, next.span).unwrap_or_else(|| position::whole(text));
        return Err(SqlError::new(
            ErrorKind::Syntax,
            format!("`{}` is left over after the expression", next.token),
            range,
        )
        .help("write one expression, e.g. `quantity > 0 AND unit_price >= 0`"));
    }
    let ast = normalised(text, ast)?;
    Ok(Expression { text: Arc::from(text), ast })
}

/// The text without white space and comments, with keywords and unquoted names in lower case: equal for texts that
/// differ only in layout. A text that cannot be tokenised is its own fingerprint.
pub fn fingerprint_text(text: &str) -> String {
    let Ok(tokens) = Tokenizer::new(&Databricks, text).tokenize() else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(text.len());
    for token in tokens {
        if matches!(token, Token::Whitespace(_)) {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        match &token {
            Token::Word(word) if word.quote_style.is_none() => out.push_str(&word.value.to_lowercase()),
            other => out.push_str(&other.to_string()),
        }
    }
    out
}

/// The names and keywords of a text, in lower case: a column that is not among them is not named. Nothing for a text
/// that cannot be tokenised.
pub fn words(text: &str) -> BTreeSet<String> {
    let tokens = Tokenizer::new(&Databricks, text).tokenize().unwrap_or_default();
    let word = |token| match token {
        Token::Word(word) => Some(word.value.to_lowercase()),
        _ => None,
    };
    tokens.into_iter().filter_map(word).collect()
}

fn normalised<T: ast::VisitMut>(text: &str, mut tree: T) -> Result<T, SqlError> {
    if let Ok(()) = spelling::normalise(&mut tree) {
        Ok(tree)
    } else {
        std::mem::forget(tree);
        Err(too_deep(text))
    }
}

fn too_deep(text: &str) -> SqlError {
    SqlError::new(ErrorKind::Unsupported, "the SQL is nested too deeply", position::whole(text))
        .help("move inner queries into WITH, long chains of operators into IN lists or an earlier table")
}

/// The tokens as Databricks means them: quoted names in lower case (names have no case), `"…"` as a string.
fn tokens(text: &str) -> Result<Vec<TokenWithSpan>, SqlError> {
    let mut tokens = Tokenizer::new(&Databricks, text).tokenize_with_location().map_err(|error| {
        let at = position::offset(text, error.location).unwrap_or(0);
        SqlError::new(ErrorKind::Syntax, lower_first(&error.message), at..text.trim_end().len().max(at))
            .help("close what is opened here")
    })?;
    for token in &mut tokens {
        match &mut token.token {
            Token::Word(word) if word.quote_style == Some('`') => word.value = word.value.to_lowercase(),
            Token::Word(word) => {
                if let Some((number, data_type)) = typed_number(&word.value) {
                    let fix = format!("CAST({number} AS {data_type})");
                    let range = position::range(text, token.span).unwrap_or_else(|| position::whole(text));
                    let message = format!("the local engine does not read the number `{}`", token.token);
                    return Err(SqlError::new(ErrorKind::Unsupported, message, range)
                        .help(format!("write `{fix}`"))
                        .fix(fix));
                }
            }
            Token::DoubleQuotedString(string) => token.token = Token::SingleQuotedString(std::mem::take(string)),
            _ => {}
        }
        if matches!(token.token, Token::SingleQuotedString(_)) {
            foreign_escape(text, token)?;
        }
    }
    Ok(tokens)
}

/// A number with a type's suffix, `1.5D` or `2S`, which sqlparser takes for a name; and the type.
fn typed_number(word: &str) -> Option<(&str, &'static str)> {
    if !word.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let upper = word.to_ascii_uppercase();
    let suffixes =
        [("BD", "DECIMAL"), ("D", "DOUBLE"), ("F", "FLOAT"), ("L", "BIGINT"), ("S", "SMALLINT"), ("Y", "TINYINT")];
    suffixes.into_iter().find_map(|(suffix, data_type)| {
        let number = word.get(..upper.strip_suffix(suffix)?.len())?;
        number.parse::<f64>().is_ok().then_some((number, data_type))
    })
}

/// Escapes that Spark and sqlparser read differently: `\a`, `\f`, `\u0041`, `\101`.
fn foreign_escape(text: &str, token: &TokenWithSpan) -> Result<(), SqlError> {
    let Some(range) = position::range(text, token.span) else { return Ok(()) };
    let literal = text.get(range.clone()).unwrap_or_default();
    if !literal.contains('\\') {
        return Ok(());
    }
    let mut characters = literal.char_indices();
    while let Some((index, character)) = characters.next() {
        if character != '\\' {
            continue;
        }
        let Some((_, escaped)) = characters.next() else { break };
        let octal =
            escaped.is_ascii_digit() && literal[index + 2..].chars().next().is_some_and(|next| next.is_ascii_digit());
        if matches!(escaped, 'a' | 'f' | 'u' | 'U') || octal {
            let start = range.start + index;
            return Err(SqlError::new(
                ErrorKind::Unsupported,
                format!("the local engine does not read the escape `\\{escaped}` as Databricks does"),
                start..start + 1 + escaped.len_utf8(),
            )
            .help("write the character itself"));
        }
    }
    Ok(())
}

fn significant(tokens: &[TokenWithSpan]) -> impl Iterator<Item = &TokenWithSpan> {
    tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
}

fn other_statement(keyword: Keyword) -> Option<&'static str> {
    Some(match keyword {
        Keyword::INSERT => "INSERT",
        Keyword::UPDATE => "UPDATE",
        Keyword::DELETE => "DELETE",
        Keyword::MERGE => "MERGE",
        Keyword::CREATE => "CREATE",
        Keyword::DROP => "DROP",
        Keyword::ALTER => "ALTER",
        Keyword::TRUNCATE => "TRUNCATE",
        Keyword::COPY => "COPY",
        Keyword::USE => "USE",
        Keyword::SET => "SET",
        Keyword::EXPLAIN => "EXPLAIN",
        Keyword::DESCRIBE => "DESCRIBE",
        Keyword::SHOW => "SHOW",
        Keyword::OPTIMIZE => "OPTIMIZE",
        _ => return None,
    })
}

fn left_over(text: &str, next: &TokenWithSpan, had_semicolon: bool) -> SqlError {
    let range = position::range(text, next.span).unwrap_or_else(|| position::whole(text));
    if had_semicolon {
        SqlError::new(ErrorKind::Statement, "there is more than one statement", range)
            .help("keep one query per table; take out what follows the semicolon")
    } else if let Some(error) = misspelt(text, range.start) {
        error
    } else {
        SqlError::new(ErrorKind::Syntax, format!("`{}` is not expected here", next.token), range)
            .help("look for a missing comma, operator or keyword just before it")
    }
}

/// The place of a parser's error. sqlparser keeps it only inside the message (0.62); without it the place is where the
/// parser stands.
fn syntax_error(text: &str, parser: &Parser, error: &ParserError) -> SqlError {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message.as_str(),
        ParserError::RecursionLimitExceeded => {
            return too_deep(text);
        }
    };
    let (phrase, location) = split_location(message);
    // Some messages have no place or that of the token behind the one they name.
    let current = parser.get_current_token().clone();
    let named = phrase.ends_with(&format!("found: {}", current.token));
    let (location, standing) = match location {
        Some(location) if !named => (Some(location), parser.peek_token()),
        Some(_) | None => (None, current),
    };
    let start = location.and_then(|location| position::offset(text, location));
    let span = position::range(text, standing.span);
    let range = match start {
        Some(start) if start < text.len() => start..token_end(text, start),
        _ => match span {
            Some(span) if standing.token != Token::EOF => span,
            _ => text.trim_end().len()..text.trim_end().len(),
        },
    };
    if let Some(comma) = text[..range.start].trim_end().strip_suffix(',').map(str::len) {
        let next = text.get(range.clone()).unwrap_or_default();
        let before = if next.is_empty() { "the end".to_owned() } else { format!("`{next}`") };
        return SqlError::new(ErrorKind::Syntax, format!("there is a comma before {before}"), comma..comma + 1)
            .help("take the comma out")
            .fix("");
    }
    if let Some(error) = misspelt(text, range.start) {
        return error;
    }
    if let Some((wanted, found)) = phrase.strip_prefix("Expected: ").and_then(|rest| rest.split_once(", found: "))
        && matches!(wanted, ")" | "]" | ",")
    {
        let before = if found == "EOF" { "the end".to_owned() } else { format!("`{found}`") };
        let at_end = found == "EOF";
        let range = widen(text, range);
        let standing = text.get(range.clone()).unwrap_or_default();
        let fix = if at_end { format!("{standing}{wanted}") } else { format!("{wanted} {standing}") };
        return SqlError::new(ErrorKind::Syntax, format!("`{wanted}` is missing before {before}"), range)
            .help(format!("write `{wanted}` before {before}"))
            .fix(fix);
    }
    let phrase = lower_first(phrase).replace("found: EOF", "found: the end");
    SqlError::new(ErrorKind::Syntax, phrase, widen(text, range)).help("correct the SQL here or just before")
}

/// The error of a misspelt keyword at or just before an unexpected token.
fn misspelt(text: &str, at: usize) -> Option<SqlError> {
    let (range, keyword) = keywords::misspelt(text, at)?;
    let written = text.get(range.clone())?;
    Some(
        SqlError::new(ErrorKind::Syntax, format!("`{written}` is no keyword"), range)
            .help(format!("did you mean `{keyword}`?"))
            .fix(keyword),
    )
}

/// An empty range at the end shows the last token instead.
fn widen(text: &str, range: Range<usize>) -> Range<usize> {
    if !range.is_empty() {
        return range;
    }
    let before = &text[..range.start];
    let end = before.trim_end().len();
    let start = before[..end]
        .rfind(|character: char| character.is_whitespace() || "(),;".contains(character))
        .map_or(0, |index| index + 1);
    if start < end { start..end } else { end.saturating_sub(1)..end }
}

fn token_end(text: &str, start: usize) -> usize {
    let rest = &text[start..];
    let mut characters = rest.char_indices();
    let Some((_, first)) = characters.next() else { return start };
    if !(first.is_alphanumeric() || first == '_') {
        return start + first.len_utf8();
    }
    start
        + characters
            .find(|(_, character)| !(character.is_alphanumeric() || *character == '_'))
            .map_or(rest.len(), |(index, _)| index)
}

fn split_location(message: &str) -> (&str, Option<Location>) {
    let Some((phrase, place)) = message.rsplit_once(" at Line: ") else { return (message, None) };
    let location = place
        .split_once(", Column: ")
        .and_then(|(line, column)| Some(Location::new(line.trim().parse().ok()?, column.trim().parse().ok()?)));
    (phrase, location)
}

fn lower_first(phrase: &str) -> String {
    let mut characters = phrase.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}
