//! Names: what an identifier is, how tables are called, and the nearest name to a mistyped one.
//!
//! Databricks compares names without regard to case and stores table names in lower case, so a [`TableName`] is lower
//! case from its construction on; column names keep the author's case and are compared with [`same`].

use std::fmt;

/// A table's full name, `layer.name`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The layer, which is also the schema that the table lives in.
    pub layer: String,
    pub name: String,
}

impl TableName {
    /// Lower-cases both parts. The caller has checked them with [`is_identifier`].
    pub fn new(layer: &str, name: &str) -> Self {
        TableName { layer: layer.to_lowercase(), name: name.to_lowercase() }
    }

    /// Reads `layer.name`; `None` if it has not exactly two parts that are identifiers.
    pub fn parse(text: &str) -> Option<Self> {
        let (layer, name) = text.split_once('.')?;
        (is_identifier(layer) && is_identifier(name)).then(|| TableName::new(layer, name))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.layer, self.name)
    }
}

/// Whether `text` is a name that both engines take without quotes: a letter or underscore, then letters, digits and
/// underscores, at most 255 characters. Letters of any script count (`região`).
pub fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|character| character.is_alphanumeric() || character == '_')
        && text.chars().count() <= 255
}

/// Whether two names are the same to Databricks.
pub fn same(left: &str, right: &str) -> bool {
    left == right || left.to_lowercase() == right.to_lowercase()
}

/// The candidate that `wrong` was probably meant to be; `None` when nothing is near.
///
/// Near is a Damerau-Levenshtein distance of at most a third of the longer name, and at least the same name in another
/// case always is.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (wrong.chars().count().max(candidate.chars().count())).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Help that names the nearest candidate, or else lists what there is (up to eight).
pub fn did_you_mean<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(near) = nearest(wrong, candidates.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let known: Vec<&str> = candidates.into_iter().collect();
    match known.len() {
        0 => None,
        1..=8 => Some(format!("there is {}", list(&known))),
        n => Some(format!("there are {n}, among them {}", list(&known[..8]))),
    }
}

/// Names in backticks, separated by commas.
pub fn list<S: AsRef<str>>(names: &[S]) -> String {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_prefers_the_smallest_distance_and_refuses_far_ones() {
        assert_eq!(nearest("tabels", ["tables", "layers"]), Some("tables"));
        assert_eq!(nearest("amout", ["amount", "account"]), Some("amount"));
        assert_eq!(nearest("xyz", ["tables", "layers"]), None);
    }

    #[test]
    fn identifiers_may_have_accents_but_no_dots_or_leading_digits() {
        assert!(is_identifier("região_1"));
        assert!(!is_identifier("1a"));
        assert!(!is_identifier("a.b"));
        assert!(!is_identifier(""));
    }
}
