//! The author's text with its tables called otherwise, and nothing else changed.
//!
//! In: the text of a query or an expression, and what each table is called elsewhere. Out: the text with every mention of a
//! table replaced at its place, and columns that name their table's layer (`silver.orders.amount`) without it, since the
//! layer may have another name there. Comments and layout stay.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use deltalake::datafusion::sql::sqlparser::ast::{
    self, Expr, ObjectName, SelectItem, SelectItemQualifiedWildcardKind, Spanned, TableFactor, Visit, Visitor,
};

use crate::name::{TableName, is_identifier};
use crate::sql::parse::{self, SqlError};
use crate::sql::position;
use crate::sql::relations::{parts, relations};

/// What a table is called in the new text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewName {
    /// What stands for the table in FROM.
    pub text: String,
    /// Whether its columns can still be named by the table's own name (`orders.amount`). Where not, an alias sees to it.
    pub keeps_name: bool,
}

/// Which kind of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Query,
    /// An expression, which may hold subqueries.
    Expression,
}

/// The text with tables called what `new_name` says.
///
/// # Errors
/// What parsing reports; a text that was checked has none.
pub fn rename(text: &str, kind: Kind, new_name: &dyn Fn(&TableName) -> NewName) -> Result<String, SqlError> {
    let (prefix, whole) = match kind {
        Kind::Query => ("", text.to_owned()),
        // Only a query has tables; as one, the expression stands behind this word.
        Kind::Expression => ("SELECT ", format!("SELECT {text}")),
    };
    let query = parse::parse_query(&whole)?;
    let mut walk = Walk { text: &whole, tables: BTreeSet::new(), starts: BTreeSet::new(), edits: Vec::new(), new_name };
    for relation in relations(&query) {
        if let [layer, name] = relation.parts.as_slice() {
            walk.tables.insert((layer.clone(), name.clone()));
            walk.starts.insert(relation.range.start);
        }
    }
    let _: ControlFlow<()> = query.ast.visit(&mut walk);
    let mut edits = walk.edits;
    edits.sort_by_key(|(range, _)| range.start);
    let mut renamed = String::with_capacity(whole.len());
    let mut written = 0;
    for (range, new) in edits {
        if range.start >= written {
            renamed.push_str(&whole[written..range.start]);
            renamed.push_str(&new);
            written = range.end;
        }
    }
    renamed.push_str(&whole[written..]);
    Ok(renamed.split_off(prefix.len()))
}

struct Walk<'a> {
    text: &'a str,
    /// Layer and name, in lower case.
    tables: BTreeSet<(String, String)>,
    /// Where mentions of tables begin.
    starts: BTreeSet<usize>,
    edits: Vec<(Range<usize>, String)>,
    new_name: &'a dyn Fn(&TableName) -> NewName,
}

impl Walk<'_> {
    /// Removes the layer in front of a table's name.
    fn without_layer(&mut self, idents: &[ast::Ident]) {
        let [layer, table, ..] = idents else { return };
        if !self.tables.contains(&(layer.value.to_lowercase(), table.value.to_lowercase())) {
            return;
        }
        let ranges = (position::range(self.text, layer.span), position::range(self.text, table.span));
        if let (Some(layer), Some(table)) = ranges {
            self.edits.push((layer.start..table.start, String::new()));
        }
    }
}

impl Visitor for Walk<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, args: None, .. } = factor
            && let Some([layer, table]) = parts(name).as_deref()
            && let Some(range) = position::range(self.text, name.span())
            && self.starts.contains(&range.start)
        {
            let name = TableName::new(layer, table);
            let NewName { mut text, keeps_name } = (self.new_name)(&name);
            if alias.is_none() && !keeps_name {
                text.push_str(" AS ");
                text.push_str(&quoted(&name.name));
            }
            self.edits.push((range, text));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(idents) = expr
            && idents.len() >= 3
        {
            self.without_layer(idents);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &ast::Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item
                && let Some(idents) = idents(name)
            {
                self.without_layer(&idents);
            }
        }
        ControlFlow::Continue(())
    }
}

fn idents(name: &ObjectName) -> Option<Vec<ast::Ident>> {
    name.0.iter().map(|part| part.as_ident().cloned()).collect()
}

/// A name as SQL takes it, in backticks where it must be.
pub fn quoted(name: &str) -> String {
    if is_identifier(name) && name.is_ascii() { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(text: &str, kind: Kind) -> String {
        let new_name = |table: &TableName| match table.name.as_str() {
            "own" => NewName { text: "rows_under_test".to_owned(), keeps_name: false },
            name => NewName { text: format!("IDENTIFIER(:{} || '.{name}')", table.layer), keeps_name: true },
        };
        rename(text, kind, &new_name).expect(text)
    }

    #[test]
    fn only_tables_change() {
        let text = "-- orders\nWITH o AS (SELECT * FROM silver.orders) -- ç\nSELECT o.a, 'silver.orders'\nFROM o\n  JOIN Silver.`Items` AS i ON i.k = o.k";
        let expected = "-- orders\nWITH o AS (SELECT * FROM IDENTIFIER(:silver || '.orders')) -- ç\nSELECT o.a, 'silver.orders'\nFROM o\n  JOIN IDENTIFIER(:silver || '.items') AS i ON i.k = o.k";
        assert_eq!(renamed(text, Kind::Query), expected);
    }

    #[test]
    fn columns_lose_the_layer() {
        assert_eq!(
            renamed(
                "SELECT silver.orders.a, silver.orders.* FROM silver.orders WHERE silver.orders.b > 1",
                Kind::Query
            ),
            "SELECT orders.a, orders.* FROM IDENTIFIER(:silver || '.orders') WHERE orders.b > 1"
        );
        // A struct's member is no table's column.
        assert_eq!(
            renamed("SELECT o.address.city FROM silver.orders o", Kind::Query),
            "SELECT o.address.city FROM IDENTIFIER(:silver || '.orders') o"
        );
    }

    #[test]
    fn expressions_may_look_at_tables() {
        assert_eq!(
            renamed("observed = (SELECT count(*) FROM bronze.raw) AND a > 1", Kind::Expression),
            "observed = (SELECT count(*) FROM IDENTIFIER(:bronze || '.raw')) AND a > 1"
        );
        assert_eq!(renamed("SELECT own.a FROM silver.own", Kind::Query), "SELECT own.a FROM rows_under_test AS own");
    }
}
