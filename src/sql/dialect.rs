//! The grammar: sqlparser's Databricks dialect with what it lacks.
//!
//! Added: `DIV`, backslash escapes in strings, and letters of any script in unquoted names. Everything else is
//! sqlparser's own Databricks dialect, also where its parser asks for the dialect by type.

use std::any::TypeId;

use deltalake::datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};
use deltalake::datafusion::sql::sqlparser::dialect::{DatabricksDialect, Dialect};
use deltalake::datafusion::sql::sqlparser::keywords::Keyword;
use deltalake::datafusion::sql::sqlparser::parser::{Parser, ParserError};
use deltalake::datafusion::sql::sqlparser::tokenizer::Token;

/// Databricks SQL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Databricks;

const BASE: DatabricksDialect = DatabricksDialect {};

impl Dialect for Databricks {
    fn dialect(&self) -> TypeId {
        TypeId::of::<DatabricksDialect>()
    }

    fn is_delimited_identifier_start(&self, character: char) -> bool {
        BASE.is_delimited_identifier_start(character)
    }

    fn is_identifier_start(&self, character: char) -> bool {
        character.is_alphabetic() || character == '_'
    }

    fn is_identifier_part(&self, character: char) -> bool {
        character.is_alphanumeric() || character == '_'
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }

    /// `\%` and `\_` keep their backslash, so that LIKE sees it (Spark: `ParserUtils.unescapeSQLString`).
    fn ignores_wildcard_escapes(&self) -> bool {
        true
    }

    fn supports_numeric_prefix(&self) -> bool {
        BASE.supports_numeric_prefix()
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        BASE.supports_filter_during_aggregation()
    }

    fn supports_group_by_expr(&self) -> bool {
        BASE.supports_group_by_expr()
    }

    fn supports_table_versioning(&self) -> bool {
        BASE.supports_table_versioning()
    }

    fn supports_lambda_functions(&self) -> bool {
        BASE.supports_lambda_functions()
    }

    fn supports_select_wildcard_except(&self) -> bool {
        BASE.supports_select_wildcard_except()
    }

    fn require_interval_qualifier(&self) -> bool {
        BASE.require_interval_qualifier()
    }

    fn supports_struct_literal(&self) -> bool {
        BASE.supports_struct_literal()
    }

    fn supports_nested_comments(&self) -> bool {
        BASE.supports_nested_comments()
    }

    fn supports_group_by_with_modifier(&self) -> bool {
        BASE.supports_group_by_with_modifier()
    }

    fn supports_values_as_table_factor(&self) -> bool {
        BASE.supports_values_as_table_factor()
    }

    fn supports_bang_not_operator(&self) -> bool {
        BASE.supports_bang_not_operator()
    }

    fn supports_cte_without_as(&self) -> bool {
        BASE.supports_cte_without_as()
    }

    fn supports_select_item_multi_column_alias(&self) -> bool {
        BASE.supports_select_item_multi_column_alias()
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        is_div(&parser.peek_token_ref().token)
            .then(|| Ok(self.prec_value(deltalake::datafusion::sql::sqlparser::dialect::Precedence::MulDivModOp)))
    }

    fn parse_infix(&self, parser: &mut Parser, left: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        if !is_div(&parser.peek_token_ref().token) {
            return None;
        }
        parser.advance_token();
        Some(parser.parse_subexpr(precedence).map(|right| Expr::BinaryOp {
            left: Box::new(left.clone()),
            op: BinaryOperator::MyIntegerDivide,
            right: Box::new(right),
        }))
    }
}

fn is_div(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.keyword == Keyword::DIV)
}
