//! sqlparser's lines and columns as byte ranges of the text.

use std::ops::Range;

use deltalake::datafusion::common as datafusion;
use deltalake::datafusion::sql::sqlparser::tokenizer::{Location, Span};

/// The byte offset of a location; the end of the text for one beyond it, `None` for an empty location.
pub(super) fn offset(text: &str, location: Location) -> Option<usize> {
    if location.line == 0 || location.column == 0 {
        return None;
    }
    let mut start = 0;
    for _ in 1..location.line {
        start += text[start..].find('\n')? + 1;
    }
    let column = usize::try_from(location.column - 1).unwrap_or(usize::MAX);
    let rest = &text[start..];
    Some(rest.char_indices().nth(column).map_or(text.len(), |(index, _)| start + index))
}

/// The bytes of a span; `None` when sqlparser does not know it.
pub(super) fn range(text: &str, span: Span) -> Option<Range<usize>> {
    let (start, end) = (offset(text, span.start)?, offset(text, span.end)?);
    (start <= end).then_some(start..end)
}

/// The bytes of a span that DataFusion collected.
pub(super) fn datafusion_range(text: &str, span: datafusion::Span) -> Option<Range<usize>> {
    range(
        text,
        Span::new(Location::new(span.start.line, span.start.column), Location::new(span.end.line, span.end.column)),
    )
}

/// The text without leading and trailing white space, as bytes of it; never empty unless the text is.
pub(super) fn whole(text: &str) -> Range<usize> {
    let start = text.len() - text.trim_start().len();
    let end = text.trim_end().len();
    if start < end { start..end } else { 0..text.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_end_at_newlines() {
        let text = "é = 1,\r\n  b";
        assert_eq!(offset(text, Location::new(1, 2)), Some(2));
        assert_eq!(offset(text, Location::new(2, 3)), Some(11));
        assert_eq!(offset(text, Location::new(2, 4)), Some(12));
        assert_eq!(offset(text, Location::new(0, 0)), None);
    }
}
