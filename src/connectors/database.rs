//! `format: postgresql`, `sqlserver`, `mysql`: a table or a query of a SQL database.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diagnostic::code;
use crate::ir::{Credential, Database as Form, DatabaseSystem, Reader, Through};
use crate::kind::Problem;

/// A table or a query of a SQL database, read in full. Its columns keep their types until the contract casts them.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The machine. Example: `db.example.com`.
    pub host: Option<String>,
    /// The port. Default: 5432 for PostgreSQL, 1433 for SQL Server, 3306 for MySQL.
    pub port: Option<u16>,
    /// The database. Example: `shop`.
    pub database: String,
    /// The table, with its schema where it has one. Example: `sales.orders`.
    pub table: Option<String>,
    /// A query in the database's own SQL, in place of `table`.
    pub query: Option<String>,
    /// Who reads: a secret, `${secret.SCOPE/KEY}`, or a name that is none.
    pub user: Option<String>,
    /// The password, always a secret: `${secret.SCOPE/KEY}`. It is looked up when a job runs and written nowhere.
    pub password: Option<String>,
    /// For Databricks: a connection of Unity Catalog, in place of `host`, `user` and `password`. Example: `shop_db`.
    pub connection: Option<String>,
}

impl Database {
    /// # Errors
    /// `resolve::source-option` for keys that lack each other or contradict each other, `resolve::secret-place` for a password
    /// that is no secret.
    pub fn lower(&self, system: DatabaseSystem) -> Result<Reader, Problem> {
        let wrong = |pointer: &str, message: &str, help: &str| {
            Err(Problem::new(code::SOURCE_OPTION, pointer, message).help(help.to_owned()))
        };
        let (table, query) = match (&self.table, &self.query) {
            (Some(_), Some(_)) => return wrong("/query", "a table and a query", "keep one of them"),
            (None, None) => {
                return wrong("", "it says nowhere what is read", "add `table: SCHEMA.TABLE`, or a `query`");
            }
            (table, query) => (table.clone(), query.clone()),
        };
        let through = match (&self.connection, &self.host) {
            (Some(_), Some(_)) => {
                return wrong("/connection", "a connection knows the host", "remove `host`, or `connection`");
            }
            (Some(_), None) if self.user.is_some() || self.password.is_some() || self.port.is_some() => {
                let help = "remove `port`, `user` and `password`";
                return wrong("/connection", "a connection knows who reads, and where", help);
            }
            (Some(connection), None) => Through::Connection(connection.clone()),
            (None, None) => return wrong("", "it says nowhere where the database is", "add `host`, or `connection`"),
            (None, Some(host)) => self.directly(host, system)?,
        };
        Ok(Reader::Database(Form { system, through, database: self.database.clone(), table, query }))
    }

    fn directly(&self, host: &str, system: DatabaseSystem) -> Result<Through, Problem> {
        let is_host = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
        if host.is_empty() || !host.chars().all(is_host) {
            return Err(Problem::new(code::SOURCE_OPTION, "/host", format!("`{}` is no host", host.escape_debug()))
                .help("write its name or address alone, e.g. `db.example.com`; `port` and `database` have keys of their own"));
        }
        let is_name =
            |character: char| !character.is_control() && !matches!(character, '/' | '?' | '&' | ';' | '#' | '=');
        if self.database.is_empty() || !self.database.chars().all(is_name) {
            let message = format!("`{}` is no name of a database", self.database.escape_debug());
            return Err(Problem::new(code::SOURCE_OPTION, "/database", message)
                .help("write its name alone; it becomes a part of an address"));
        }
        let (Some(user), Some(password)) = (&self.user, &self.password) else {
            return Err(Problem::new(code::SOURCE_OPTION, "", "who reads the database?")
                .help("add `user` and `password: \"${secret.SCOPE/KEY}\"`, or name a `connection`"));
        };
        let password = credential(password, "/password")?;
        if let Credential::Text(_) = password {
            return Err(Problem::new(code::SECRET_PLACE, "/password", "a password that everyone can read")
                .note("it would stand in files, plans and the bundle")
                .help("put it into a secret scope and write `${secret.SCOPE/KEY}`"));
        }
        let port = self.port.unwrap_or_else(|| system.port());
        Ok(Through::Address { host: host.to_owned(), port, user: credential(user, "/user")?, password })
    }

    /// Where it is, as a plan shows it; no credentials.
    pub fn location(&self, system: DatabaseSystem) -> String {
        let place = self.connection.as_deref().or(self.host.as_deref()).unwrap_or_default();
        let what = self.table.as_deref().unwrap_or("query");
        format!("{}://{place}/{}/{what}", system.word(), self.database)
    }
}

/// A text, or where a secret is kept.
fn credential(text: &str, pointer: &str) -> Result<Credential, Problem> {
    let Some(inner) = text.strip_prefix("${secret.").and_then(|rest| rest.strip_suffix('}')) else {
        return Ok(Credential::Text(text.to_owned()));
    };
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte))
    };
    match inner.split_once('/') {
        Some((scope, key)) if is_word(scope) && is_word(key) => {
            Ok(Credential::Secret { scope: scope.to_owned(), key: key.to_owned() })
        }
        _ => Err(Problem::new(code::SECRET_PLACE, pointer, format!("`{}` names no secret", text.escape_debug()))
            .help("write `${secret.SCOPE/KEY}`, with letters, digits, `-`, `_`, `.` and `@`")),
    }
}
