//! Rows in an order: each value against the one before it.

use crate::diagnostic::code;
use crate::ir::{MetadataColumn, Test};
use crate::kind::{self, Problem};

use super::{Sentence, Subject, values};

/// Which way values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Increasing,
    Decreasing,
}

/// A test that each value stands rightly to the one before it. Without `order_by`, the order is that of the source's lines.
///
/// # Errors
/// `resolve::expectation` without a column that has an order, and for a column that is not there.
pub(super) fn lower(
    direction: Direction,
    strictly: bool,
    order_by: &[String],
    subject: &Subject<'_>,
) -> Result<Sentence, Problem> {
    let word = match direction {
        Direction::Increasing => "increasing",
        Direction::Decreasing => "decreasing",
    };
    let column = subject.column_of(word, values::is_ordered, "numbers, dates or texts")?;
    values::refuse_repeated_columns(order_by, "/order_by")?;
    for (index, other) in order_by.iter().enumerate() {
        subject.other(other, &format!("/order_by/{index}"))?;
        if crate::name::same(other, column) {
            let problem = format!("ordered by itself, `{column}` is always {word}");
            return Err(Problem::new(code::EXPECTATION, format!("/order_by/{index}"), problem)
                .help("order by what the rows came in, e.g. a timestamp"));
        }
    }
    let lines = [MetadataColumn::SourceFile, MetadataColumn::SourceLine];
    let order: Vec<String> =
        if order_by.is_empty() { lines.iter().map(|line| line.name().to_owned()).collect() } else { order_by.to_vec() };
    let quoted = kind::column(column);
    let ordered: Vec<String> = order.iter().map(|other| kind::column(other)).collect();
    let wrong = match (direction, strictly) {
        (Direction::Increasing, false) => "<",
        (Direction::Increasing, true) => "<=",
        (Direction::Decreasing, false) => ">",
        (Direction::Decreasing, true) => ">=",
    };
    let violated = format!("{quoted} {wrong} lag({quoted}) OVER (ORDER BY {})", ordered.join(", "));
    let strictly = if strictly { "strictly " } else { "" };
    let by = if order_by.is_empty() { String::new() } else { format!(" by {}", order_by.join(", ")) };
    Ok(Sentence {
        label: format!("{column} is {strictly}{word}{by}"),
        columns: std::iter::once(column.to_owned()).chain(order).collect(),
        test: Test::Window {
            considered: Some(subject.sql(format!("{quoted} IS NOT NULL"), "")),
            violated: subject.sql(violated, ""),
        },
    })
}
