//! Naming conventions: what a layer's tables are called.
//!
//! In: the nodes, and each layer's `naming`, a pattern such as `br_<source>_<entity>`. Out: a diagnostic for each table whose
//! name breaks it, an error or a warning as the layer says, at the table's key and with a name that keeps it where one
//! can be told. `*` and `<word>` stand for one character or more; anything else stands for itself, in any case. Nothing is
//! renamed here.

use indexmap::IndexMap;

use super::edges::Read;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Site, code};
use crate::ir::{Body, Node};
use crate::name::{self, TableName};
use crate::resolve::Resolved;
use crate::spec;

/// A pattern in parts: texts as they stand, and `None` for what may be anything.
struct Convention {
    parts: Vec<Option<String>>,
}

/// Holds every table's name against its layer's convention.
pub(super) fn hold(
    nodes: &IndexMap<TableName, Node>,
    reads: &[Vec<Read>],
    resolved: &Resolved,
    diagnostics: &mut Diagnostics,
) {
    for (layer, declared) in &resolved.layers {
        let Some(naming) = &declared.spec.naming else { continue };
        let (written, severity, pointer) = match naming {
            spec::Naming::Pattern(pattern) => (pattern, Severity::Error, "/naming"),
            spec::Naming::Rule(rule) => (&rule.pattern, rule.severity.into(), "/naming/pattern"),
        };
        let site = declared.origin.site(pointer);
        let convention = match parse(written) {
            Ok(convention) => convention,
            Err(why) => {
                diagnostics.error(
                    Diagnostic::error(code::NAMING, format!("no table can be named `{}`", written.escape_debug()))
                        .at(site, why)
                        .help("write letters, digits and `_`, with `*` or `<word>` for what differs, e.g. `br_<source>_<entity>`"),
                );
                continue;
            }
        };
        for (index, node) in nodes.values().enumerate().filter(|(_, node)| node.name.layer == *layer) {
            if convention.matches(&node.name.name) {
                continue;
            }
            let is_read = reads.iter().flatten().any(|read| read.input.index() == index);
            let found = broken(node, written, &convention, is_read, site.clone());
            match severity {
                Severity::Error => {
                    diagnostics.error(found);
                }
                Severity::Warning => diagnostics.warn(Diagnostic { severity, ..found }),
            }
        }
    }
}

fn broken(node: &Node, written: &str, convention: &Convention, is_read: bool, demanded: Site) -> Diagnostic {
    let layer = &node.name.layer;
    // A dataset is named by its model, which is a value and no key.
    let site = if node.dataset.is_some() { node.site.clone() } else { node.site.clone().key() };
    let found = Diagnostic::error(code::NAMING, format!("`{}` is not named as the tables of `{layer}` are", node.name))
        .at(site, "")
        .at(demanded, "their names");
    let Some(meant) = convention.nearest(&node.name) else {
        return found.help(format!("name it as `{written}` says"));
    };
    let meant = format!("{layer}.{meant}");
    // What others read, or an environment overrides, is named in other places too.
    let is_alone = !is_read && node.dataset.is_none() && matches!(node.body, Body::Relation(_));
    let found = found.help(if is_alone {
        format!("name it `{meant}`")
    } else {
        format!("name it `{meant}`, here and wherever it is named")
    });
    if is_alone { found.fix(meant) } else { found }
}

fn parse(written: &str) -> Result<Convention, &'static str> {
    let mut parts: Vec<Option<String>> = Vec::new();
    let mut rest = written;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '*' => 1,
            '<' => {
                let end = rest.find('>').ok_or("`<` is not closed")?;
                if !name::is_identifier(&rest[1..end]) {
                    return Err("between `<` and `>` stands a word");
                }
                end + 1
            }
            _ => rest.find(['*', '<']).unwrap_or(rest.len()),
        };
        let (part, behind) = rest.split_at(length);
        if matches!(first, '*' | '<') {
            parts.push(None);
        } else if part.chars().all(|character| character.is_alphanumeric() || character == '_') {
            parts.push(Some(part.to_lowercase()));
        } else {
            return Err("a table's name has letters, digits and `_` only");
        }
        rest = behind;
    }
    match parts.first() {
        None => Err("it is empty"),
        Some(Some(text)) if text.starts_with(|first: char| first.is_numeric()) => {
            Err("a table's name begins with a letter or `_`")
        }
        Some(_) => Ok(Convention { parts }),
    }
}

impl Convention {
    fn matches(&self, name: &str) -> bool {
        fits(&self.parts, name)
    }

    /// The name that was probably meant: the pattern's beginning and end around what is the table's own.
    fn nearest(&self, table: &TableName) -> Option<String> {
        let fixed = |part: Option<&Option<String>>| part.cloned().flatten().unwrap_or_default();
        let (begin, end) =
            (fixed(self.parts.first()), if self.parts.len() > 1 { fixed(self.parts.last()) } else { String::new() });
        let name = table.name.as_str();
        let own = match name.split_once('_') {
            // The beginning misspelt, or the layer in its place.
            Some((word, rest)) if is_near(word, begin.trim_end_matches('_')) || word == table.layer => rest,
            _ => name,
        };
        let own = own.strip_suffix(&end).unwrap_or(own);
        Some(format!("{begin}{own}{end}")).filter(|meant| self.matches(meant))
    }
}

fn is_near(word: &str, wanted: &str) -> bool {
    !wanted.is_empty() && word.len() <= wanted.len() + 1 && strsim::damerau_levenshtein(word, wanted) <= 1
}

fn fits(parts: &[Option<String>], name: &str) -> bool {
    match parts.split_first() {
        None => name.is_empty(),
        Some((Some(text), rest)) => name.strip_prefix(text.as_str()).is_some_and(|behind| fits(rest, behind)),
        Some((None, rest)) => {
            let ends = name.char_indices().map(|(place, character)| place + character.len_utf8());
            ends.into_iter().any(|end| fits(rest, &name[end..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearest(pattern: &str, layer: &str, name: &str) -> Option<String> {
        parse(pattern).ok().and_then(|convention| convention.nearest(&TableName::new(layer, name)))
    }

    #[test]
    fn words_stand_for_something() {
        let matches = |pattern: &str, name: &str| parse(pattern).is_ok_and(|convention| convention.matches(name));
        assert!(matches("br_<source>_<entity>", "br_bcb_ptax"));
        assert!(matches("br_*", "br_bcb_ptax") && matches("*_v*", "churn_v2") && matches("Days", "days"));
        assert!(!matches("br_<source>_<entity>", "br_ptax") && !matches("br_*", "br_") && !matches("br_*", "xbr_a"));
        assert!(matches("sl_<domínio>", "sl_câmbio"));
        for wrong in ["", "br_<", "br_<a b>", "br-*", "2_*"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_told_where_it_keeps_the_convention() {
        assert_eq!(nearest("br_<source>_<entity>", "bronze", "bcb_ptax").as_deref(), Some("br_bcb_ptax"));
        assert_eq!(nearest("br_<source>_<entity>", "bronze", "rb_bcb_ptax").as_deref(), Some("br_bcb_ptax"));
        assert_eq!(nearest("br_<source>_<entity>", "bronze", "bronze_bcb_ptax").as_deref(), Some("br_bcb_ptax"));
        assert_eq!(nearest("*_raw", "bronze", "orders").as_deref(), Some("orders_raw"));
        assert_eq!(nearest("br_<source>_<entity>", "bronze", "ptax"), None);
    }
}
