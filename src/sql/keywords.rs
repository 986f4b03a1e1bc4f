//! Misspelt keywords: the word before an unexpected token that was meant to be one.

use std::ops::Range;

/// The keywords that begin a clause or join one; a name beside an error is held against them.
const CLAUSES: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "QUALIFY",
    "WINDOW",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "JOIN",
    "LEFT",
    "RIGHT",
    "INNER",
    "OUTER",
    "FULL",
    "CROSS",
    "WITH",
    "DISTINCT",
    "PARTITION",
    "BETWEEN",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
];

/// The nearest misspelt keyword among the word at `at` and the two before it, with its bytes.
pub(super) fn misspelt(text: &str, at: usize) -> Option<(Range<usize>, &'static str)> {
    let mut end = word_end(text, at);
    for _ in 0..3 {
        let word = last_word(text, end)?;
        let written = text.get(word.clone())?;
        if let Some(keyword) = meant(written).filter(|_| !is_name(text, word.start)) {
            return Some((word, keyword));
        }
        end = word.start;
    }
    None
}

/// Whether what stands before a word makes it a name: a dot, a comma, or a keyword that a name follows.
fn is_name(text: &str, start: usize) -> bool {
    let before = text.get(..start).unwrap_or_default().trim_end();
    let last = last_word(text, start).filter(|word| word.end == before.len()).and_then(|word| text.get(word));
    before.ends_with(['.', ',', '(', '`'])
        || last.is_some_and(|word| ["FROM", "JOIN", "AS", "BY", "SELECT"].contains(&word.to_uppercase().as_str()))
}

/// The keyword that a word was meant to be: another word, with one or two slips.
fn meant(word: &str) -> Option<&'static str> {
    let upper = word.to_uppercase();
    if upper.len() < 4 || CLAUSES.contains(&upper.as_str()) {
        return None;
    }
    let most = if upper.len() > 5 { 2 } else { 1 };
    CLAUSES.iter().copied().find(|keyword| strsim::damerau_levenshtein(&upper, keyword) <= most)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn word_end(text: &str, at: usize) -> usize {
    text.get(at..).map_or(text.len(), |rest| at + rest.find(|character| !is_word(character)).unwrap_or(rest.len()))
}

/// The last word that ends before `end`.
fn last_word(text: &str, end: usize) -> Option<Range<usize>> {
    let before = text.get(..end)?;
    let stop = before.trim_end_matches(|character: char| !is_word(character)).len();
    let start = before[..stop]
        .rfind(|character: char| !is_word(character))
        .map_or(0, |index| index + before[index..].chars().next().map_or(1, char::len_utf8));
    (start < stop).then_some(start..stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_keyword_is_seen_and_names_are_left_alone() {
        let text = "SELECT a FROM paid GRUOP BY a";
        let at = text.find("BY").expect("BY");
        assert_eq!(misspelt(text, at), Some((19..24, "GROUP")));
        assert_eq!(misspelt("SELECT amount quantity FROM x", 14), None);
        assert_eq!(misspelt("SELCT a", 6), Some((0..5, "SELECT")));
        assert_eq!(misspelt("SELECT a FROM orders where", 21), None);
        assert_eq!(misspelt("SELECT a FROM silver.orders where", 28), None);
    }
}
