//! Small values of jobs: time spans, identities, texts with limits, names of parameters and keys.

use indexmap::IndexMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Site, code};
use crate::expectations::duration;
use crate::ir::deployment::Permission;
use crate::kind::Scalar;
use crate::spec;

/// Parameters that medc's notebooks get; `schema_…` besides.
pub(super) const OWN_PARAMETERS: [&str; 6] = ["catalog", "environment", "git_sha", "run_id", "path", "tables"];

/// The seconds of a time span, at least `least`.
pub(super) fn seconds(written: &spec::Period, least: u64, site: &Site, diagnostics: &mut Diagnostics) -> Option<u64> {
    let seconds = match written {
        spec::Period::Seconds(seconds) => *seconds,
        spec::Period::Text(text) => {
            if let Ok(seconds) = duration::seconds(text, "") {
                seconds
            } else {
                diagnostics.error(
                    Diagnostic::error(code::JOB_LIMIT, format!("`{text}` is no time span"))
                        .at(site.clone(), "")
                        .help("write seconds, or whole numbers with `s`, `m`, `h`, `d` or `w`, e.g. `900` or `1h30m`"),
                );
                return None;
            }
        }
    };
    // Databricks takes 32-bit numbers.
    let most = u64::from(u32::MAX >> 1) / 1000;
    if (least..=most).contains(&seconds) {
        return Some(seconds);
    }
    let help = if seconds > most {
        "write a shorter time".to_owned()
    } else if seconds == 0 {
        "write a longer time, or remove the key: it would mean nothing".to_owned()
    } else {
        format!("write at least `{least}` seconds")
    };
    diagnostics.error(
        Diagnostic::error(code::JOB_LIMIT, format!("{seconds} seconds are not from {least} to {most}"))
            .at(site.clone(), "")
            .help(help),
    );
    None
}

/// A text that is not longer than Databricks takes.
pub(super) fn short(text: &str, most_bytes: usize, what: &str, site: &Site, diagnostics: &mut Diagnostics) {
    if text.trim().is_empty() {
        diagnostics.error(
            Diagnostic::error(code::JOB_LIMIT, format!("{what} is empty"))
                .at(site.clone(), "")
                .help("write one, or remove the key"),
        );
    } else if text.len() > most_bytes {
        diagnostics.error(
            Diagnostic::error(
                code::JOB_LIMIT,
                format!("{what} has {} bytes, and Databricks takes {most_bytes}", text.len()),
            )
            .at(site.clone(), "")
            .help("make it shorter"),
        );
    }
}

/// Whether a text is a key of a resource or a task: letters, digits, `_` and `-`.
pub(super) fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-'))
}

/// A key made of a text that is none.
pub(super) fn key_from(text: &str) -> String {
    let replaced = text.chars().map(|character| if is_key(&character.to_string()) { character } else { '_' });
    replaced.collect()
}

/// Tags: at most 25, and what the clouds take.
pub(super) fn tags(
    written: &IndexMap<String, Scalar>,
    site: &Site,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, String> {
    if written.len() > 25 {
        diagnostics.error(
            Diagnostic::error(code::JOB_LIMIT, format!("{} tags, and Databricks takes 25", written.len()))
                .at(site.clone(), "")
                .help("remove some"),
        );
    }
    let mut tags = IndexMap::new();
    for (key, value) in written {
        let value = value.to_string();
        let (most_key, most_value) = (127, 255);
        if key.is_empty()
            || key.chars().count() > most_key
            || value.chars().count() > most_value
            || key.chars().chain(value.chars()).any(char::is_control)
        {
            diagnostics.error(
                Diagnostic::error(
                    code::JOB_LIMIT,
                    format!("the tag `{}` is none that Databricks takes", key.escape_debug()),
                )
                .at(site.member(key), "")
                .help("write a key of 1 to 127 and a value of at most 255 characters, on one line"),
            );
        }
        tags.insert(key.clone(), value);
    }
    tags
}

/// Parameters by name, as texts.
pub(super) fn parameters(
    written: &IndexMap<String, Scalar>,
    site: &Site,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, String> {
    let mut parameters = IndexMap::new();
    for (name, value) in written {
        let fits = !name.is_empty()
            && name.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.'));
        let found = if !fits {
            Diagnostic::error(code::JOB_PARAMETER, format!("`{}` is no name for a parameter", name.escape_debug()))
                .help("use letters, digits, `_`, `-` and `.`")
        } else if OWN_PARAMETERS.contains(&name.as_str()) || name.starts_with("schema_") {
            Diagnostic::error(code::JOB_PARAMETER, format!("`{name}` is a parameter that medc's notebooks get"))
                .help("give it another name")
        } else {
            parameters.insert(name.clone(), value.to_string());
            continue;
        };
        diagnostics.error(found.at(site.member(name).key(), ""));
    }
    parameters
}

/// Exactly one of group, user and service principal.
pub(super) fn identity(
    level: &'static str,
    identities: [&Option<String>; 3],
    site: &Site,
    diagnostics: &mut Diagnostics,
) -> Option<Permission> {
    let kinds = ["group_name", "user_name", "service_principal_name"];
    let mut given = kinds.into_iter().zip(identities).filter_map(|(kind, name)| name.clone().map(|name| (kind, name)));
    if let (Some((kind, identity)), None) = (given.next(), given.next()) {
        return Some(Permission { level, kind, identity });
    }
    diagnostics.error(
        Diagnostic::error(code::PERMISSION, "a permission is about one identity")
            .at(site.clone(), "")
            .help("name exactly one of `group_name`, `user_name` and `service_principal_name`"),
    );
    None
}
