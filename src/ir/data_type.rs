//! Spark's data types as a contract writes them: `decimal(18,2)`, `array<struct<a: int>>`.
//!
//! Source of names and bounds: Databricks SQL language reference, "Data types".

use std::fmt;

use serde::{Deserialize, Serialize};

/// A column's type. `Display` gives the canonical spelling that [`DataType::parse`] reads back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum DataType {
    Boolean,
    /// 8 bits.
    Tinyint,
    /// 16 bits.
    Smallint,
    /// 32 bits.
    Int,
    /// 64 bits.
    Bigint,
    Float,
    Double,
    /// `precision` 1 to 38 digits in all, `scale` 0 to `precision` of them after the point.
    Decimal {
        precision: u8,
        scale: u8,
    },
    String,
    Binary,
    Date,
    /// An instant, microseconds.
    Timestamp,
    /// A wall-clock time without zone, microseconds.
    TimestampNtz,
    Array(Box<DataType>),
    Map(Box<DataType>, Box<DataType>),
    Struct(Vec<Field>),
}

/// A member of a struct. Struct fields may be NULL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    pub name: String,
    pub data_type: DataType,
}

/// The type names, for suggestions.
pub const TYPE_NAMES: &[&str] = &[
    "string",
    "int",
    "bigint",
    "smallint",
    "tinyint",
    "double",
    "float",
    "decimal",
    "boolean",
    "date",
    "timestamp",
    "timestamp_ntz",
    "binary",
    "array",
    "map",
    "struct",
];

const DEEPEST: usize = 32;

impl DataType {
    /// Reads a type as Databricks spells it, any case. Synonyms: `integer`, `long`, `short`, `byte`, `real`, `bool`,
    /// `numeric`, `dec`, `varchar`, `text`, `str`.
    ///
    /// # Errors
    /// What is wrong, in a phrase.
    pub fn parse(text: &str) -> Result<DataType, String> {
        let mut cursor = Cursor { rest: text.trim() };
        let parsed = cursor.data_type(0)?;
        if cursor.rest.trim().is_empty() {
            Ok(parsed)
        } else {
            Err(format!("`{}` is left over after `{parsed}`", cursor.rest.trim()))
        }
    }

    /// Whether values of this type are numbers.
    pub fn is_numeric(&self) -> bool {
        matches!(
            self,
            Self::Tinyint
                | Self::Smallint
                | Self::Int
                | Self::Bigint
                | Self::Float
                | Self::Double
                | Self::Decimal { .. }
        )
    }
}

struct Cursor<'a> {
    rest: &'a str,
}

impl Cursor<'_> {
    fn data_type(&mut self, depth: usize) -> Result<DataType, String> {
        if depth > DEEPEST {
            return Err(format!("types nest deeper than {DEEPEST}"));
        }
        let word = self.word();
        let simple = match word.to_lowercase().as_str() {
            "boolean" | "bool" => DataType::Boolean,
            "tinyint" | "byte" => DataType::Tinyint,
            "smallint" | "short" => DataType::Smallint,
            "int" | "integer" => DataType::Int,
            "bigint" | "long" => DataType::Bigint,
            "float" | "real" => DataType::Float,
            "double" => DataType::Double,
            "string" | "text" | "str" => DataType::String,
            "varchar" | "char" => return self.character_type(),
            "binary" => DataType::Binary,
            "date" => DataType::Date,
            "timestamp" => DataType::Timestamp,
            "timestamp_ntz" => DataType::TimestampNtz,
            "decimal" | "dec" | "numeric" => return self.decimal(),
            "array" => {
                self.expect('<')?;
                let element = self.data_type(depth + 1)?;
                self.expect('>')?;
                DataType::Array(Box::new(element))
            }
            "map" => {
                self.expect('<')?;
                let key = self.data_type(depth + 1)?;
                self.expect(',')?;
                let value = self.data_type(depth + 1)?;
                self.expect('>')?;
                DataType::Map(Box::new(key), Box::new(value))
            }
            "struct" => return self.struct_type(depth),
            "" => return Err("a type is missing".to_owned()),
            _ => {
                let near = crate::name::did_you_mean(&word, TYPE_NAMES.iter().copied());
                return Err(format!("`{word}` is no type; {}", near.unwrap_or_default()));
            }
        };
        Ok(simple)
    }

    fn character_type(&mut self) -> Result<DataType, String> {
        if self.take('(') {
            self.number()?;
            self.expect(')')?;
        }
        Ok(DataType::String)
    }

    fn decimal(&mut self) -> Result<DataType, String> {
        if !self.take('(') {
            return Ok(DataType::Decimal { precision: 10, scale: 0 });
        }
        let precision = self.number()?;
        let scale = if self.take(',') { self.number()? } else { 0 };
        self.expect(')')?;
        if !(1..=38).contains(&precision) {
            return Err(format!("a decimal has 1 to 38 digits, not {precision}"));
        }
        if scale > precision {
            return Err(format!("{scale} digits after the point do not fit in {precision} digits"));
        }
        Ok(DataType::Decimal { precision, scale })
    }

    fn struct_type(&mut self, depth: usize) -> Result<DataType, String> {
        self.expect('<')?;
        let mut fields: Vec<Field> = Vec::new();
        loop {
            let name = self.word();
            if name.is_empty() {
                return Err("a struct's field needs a name".to_owned());
            }
            if fields.iter().any(|field| crate::name::same(&field.name, &name)) {
                return Err(format!("a struct has the field `{name}` twice"));
            }
            self.take(':');
            fields.push(Field { name, data_type: self.data_type(depth + 1)? });
            if !self.take(',') {
                break;
            }
        }
        self.expect('>')?;
        Ok(DataType::Struct(fields))
    }

    fn word(&mut self) -> String {
        let trimmed = self.rest.trim_start();
        let end = trimmed.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(trimmed.len());
        let (word, rest) = trimmed.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    fn number(&mut self) -> Result<u8, String> {
        let word = self.word();
        word.parse().map_err(|_| format!("`{word}` is no number of digits"))
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.rest.trim_start().strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.take(wanted) {
            return Ok(());
        }
        match self.rest.trim_start().chars().next() {
            Some(found) => Err(format!("`{wanted}` is expected, not `{found}`")),
            None => Err(format!("`{wanted}` is missing at the end")),
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Boolean => "boolean",
            Self::Tinyint => "tinyint",
            Self::Smallint => "smallint",
            Self::Int => "int",
            Self::Bigint => "bigint",
            Self::Float => "float",
            Self::Double => "double",
            Self::String => "string",
            Self::Binary => "binary",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::TimestampNtz => "timestamp_ntz",
            Self::Decimal { precision, scale } => return write!(formatter, "decimal({precision},{scale})"),
            Self::Array(element) => return write!(formatter, "array<{element}>"),
            Self::Map(key, value) => return write!(formatter, "map<{key},{value}>"),
            Self::Struct(fields) => {
                formatter.write_str("struct<")?;
                for (index, field) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(formatter, "{comma}{}:{}", field.name, field.data_type)?;
                }
                return formatter.write_str(">");
            }
        };
        formatter.write_str(word)
    }
}

impl From<DataType> for String {
    fn from(data_type: DataType) -> String {
        data_type.to_string()
    }
}

impl TryFrom<String> for DataType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        DataType::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_reads_back() {
        for text in ["decimal(18,2)", "array<struct<a:int,b:map<string,double>>>", "timestamp_ntz"] {
            assert_eq!(DataType::parse(text).expect(text).to_string(), text);
        }
        assert_eq!(DataType::parse("INTEGER"), Ok(DataType::Int));
        assert_eq!(DataType::parse("decimal( 5 )").map(|t| t.to_string()), Ok("decimal(5,0)".to_owned()));
    }

    #[test]
    fn wrong_types_say_what_is_wrong() {
        for (text, reason) in [
            ("decimal(39,2)", "1 to 38"),
            ("decimal(2,3)", "do not fit"),
            ("strng", "did you mean `string`"),
            ("array<int", "`>` is missing"),
            ("int int", "left over"),
        ] {
            let error = DataType::parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
