//! The tables that a query reads.
//!
//! In: a parsed query. Out: each mention of a table, in the order of the text, with its byte range. A name of one part
//! that a WITH in scope defines is not a table; a CTE is visible in later ones, in the body and in everything nested
//! there, and in itself only under RECURSIVE. Calls of table functions are no mentions.

use std::ops::{ControlFlow, Range};

use deltalake::datafusion::sql::sqlparser::ast::{self, ObjectName, Spanned, TableFactor, Visit, Visitor};

use crate::sql::parse::Query;
use crate::sql::position;

/// One mention of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationRef {
    /// The parts of the name in lower case, without quotes.
    pub parts: Vec<String>,
    /// Bytes of the query's text.
    pub range: Range<usize>,
}

/// Every mention of a table that the query really reads.
pub fn relations(query: &Query) -> Vec<RelationRef> {
    let mut walk = Walk { text: &query.text, scopes: Vec::new(), found: Vec::new() };
    let _: ControlFlow<()> = query.ast.visit(&mut walk);
    walk.found.sort_by_key(|relation| relation.range.start);
    walk.found
}

/// A name's parts in lower case; `None` for names that are computed.
pub(super) fn parts(name: &ObjectName) -> Option<Vec<String>> {
    name.0.iter().map(|part| part.as_ident().map(|ident| ident.value.to_lowercase())).collect()
}

struct Scope {
    visible: Vec<String>,
    /// CTEs of this query that become visible when the visit of their query ends.
    pending: Vec<(*const ast::Query, String)>,
}

struct Walk<'a> {
    text: &'a str,
    scopes: Vec<Scope>,
    found: Vec<RelationRef>,
}

impl Visitor for Walk<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
        let mut scope = Scope { visible: Vec::new(), pending: Vec::new() };
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                let name = cte.alias.name.value.to_lowercase();
                if with.recursive {
                    scope.visible.push(name.clone());
                }
                scope.pending.push((std::ptr::from_ref(cte.query.as_ref()), name));
            }
        }
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
        self.scopes.pop();
        if let Some(scope) = self.scopes.last_mut()
            && let Some((_, name)) = scope.pending.iter().find(|(pending, _)| std::ptr::eq(*pending, query))
        {
            scope.visible.push(name.clone());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: None, .. } = factor
            && let Some(parts) = parts(name)
            && let Some(range) = position::range(self.text, name.span())
        {
            let shadowed =
                matches!(parts.as_slice(), [single] if self.scopes.iter().any(|scope| scope.visible.contains(single)));
            if !shadowed {
                self.found.push(RelationRef { parts, range });
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::parse::parse_query;

    fn names(text: &str) -> Vec<String> {
        let query = parse_query(text).expect(text);
        relations(&query).iter().map(|relation| relation.parts.join(".")).collect()
    }

    #[test]
    fn tables_are_found_wherever_they_are_read() {
        assert_eq!(names("select * from silver.a join `Silver`.`B` on true"), ["silver.a", "silver.b"]);
        assert_eq!(
            names(
                "select (select max(x) from s.c) from (select * from s.a) t where exists (select 1 from s.d) and k in (select k from s.e)"
            ),
            ["s.c", "s.a", "s.d", "s.e"]
        );
        assert_eq!(
            names("select 1 from s.a union all (select 2 from s.b except select 3 from s.c)"),
            ["s.a", "s.b", "s.c"]
        );
        assert_eq!(names("select a.x from s.a order by (select 1 from s.b)"), ["s.a", "s.b"]);
    }

    #[test]
    fn ctes_shadow_one_part_names_in_their_scope() {
        assert_eq!(names("with a as (select * from s.a), b as (select * from a) select * from b, s.b"), ["s.a", "s.b"]);
        // A CTE does not see itself or later ones without RECURSIVE.
        assert_eq!(names("with a as (select * from b), b as (select * from b) select * from a"), ["b", "b"]);
        assert_eq!(
            names("with recursive a as (select 1 x union all select x + 1 from a where x < 3) select * from a"),
            [""; 0]
        );
        // An inner WITH ends with its query.
        assert_eq!(names("select * from (with c as (select 1 from s.x) select * from c) t, c"), ["s.x", "c"]);
    }

    #[test]
    fn table_functions_are_no_tables() {
        assert_eq!(names("select * from range(10), s.t"), ["s.t"]);
    }

    #[test]
    fn ranges_are_the_names() {
        let query = parse_query("select é.x\nfrom `silver`.orders as é").expect("parses");
        let relation = &relations(&query)[0];
        assert_eq!(&query.text[relation.range.clone()], "`silver`.orders");
    }
}
