//! Versions of contracts, and what a change asks of them.
//!
//! Semantic Versioning 2.0.0, three numbers. Its exception for `0.x` is not made: a table that is read is a promise.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Grade;

/// A semantic version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u64,
    pub minor: u64,
    pub patch: u64,
}

impl Version {
    /// Reads three numbers with dots; `None` for anything else. A number beyond 64 bits counts as the largest.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut number = || {
            let part = parts.next()?;
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| part.parse().unwrap_or(u64::MAX))
        };
        let version = Version { major: number()?, minor: number()?, patch: number()? };
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The part of a version that has to be raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Raise {
    Minor,
    Major,
}

impl Raise {
    pub fn word(self) -> &'static str {
        match self {
            Raise::Minor => "minor",
            Raise::Major => "major",
        }
    }
}

/// What a change of this grade asks and these versions do not give. The first version that a contract gets is enough for
/// whatever it then says; a contract without one says nothing.
pub(super) fn lacking(before: Option<Version>, after: Option<Version>, grade: Grade) -> Option<Raise> {
    let raise = match grade {
        Grade::Compatible => return None,
        Grade::Risky => Raise::Minor,
        Grade::Breaking => Raise::Major,
    };
    let is_raised = match (before, after) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(before), Some(after)) => match raise {
            Raise::Major => after.major > before.major,
            Raise::Minor => (after.major, after.minor) > (before.major, before.minor),
        },
    };
    (!is_raised).then_some(raise)
}

/// The next version with that part raised; the first one where there was none.
pub(super) fn next(before: Option<Version>, raise: Raise) -> Version {
    match (before, raise) {
        (None, _) => Version { major: 1, minor: 0, patch: 0 },
        (Some(before), Raise::Major) => Version { major: before.major.saturating_add(1), minor: 0, patch: 0 },
        (Some(before), Raise::Minor) => Version { minor: before.minor.saturating_add(1), patch: 0, ..before },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Option<Version> {
        let parsed = Version::parse(text);
        assert!(parsed.is_some(), "{text}");
        parsed
    }

    #[test]
    fn only_three_numbers_are_a_version() {
        assert_eq!(version("1.20.3"), Some(Version { major: 1, minor: 20, patch: 3 }));
        for text in ["1.2", "1.2.3.4", "1.2.x", "1.2.", "v1.2.3", "1.2.3-rc1", "", "+1.2.3"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
        assert_eq!(Version::parse("1.99999999999999999999.0").map(|version| version.minor), Some(u64::MAX));
    }

    #[test]
    fn a_breaking_change_asks_for_a_major_version() {
        let lacks = |before, after| lacking(version(before), version(after), Grade::Breaking);
        assert_eq!(lacks("1.2.3", "2.0.0"), None);
        assert_eq!(lacks("1.2.3", "1.3.0"), Some(Raise::Major));
        assert_eq!(lacks("1.2.3", "1.2.3"), Some(Raise::Major));
        assert_eq!(lacks("2.0.0", "1.0.0"), Some(Raise::Major));
        assert_eq!(lacks("0.1.0", "0.2.0"), Some(Raise::Major));
        assert_eq!(next(version("1.2.3"), Raise::Major), Version { major: 2, minor: 0, patch: 0 });
    }

    #[test]
    fn a_risky_change_asks_for_a_minor_version() {
        let lacks = |before, after| lacking(version(before), version(after), Grade::Risky);
        assert_eq!(lacks("1.2.3", "1.3.0"), None);
        assert_eq!(lacks("1.2.3", "2.0.0"), None);
        assert_eq!(lacks("1.2.3", "1.2.4"), Some(Raise::Minor));
        assert_eq!(next(version("1.2.3"), Raise::Minor), Version { major: 1, minor: 3, patch: 0 });
    }

    #[test]
    fn a_contract_without_a_version_says_nothing() {
        assert_eq!(lacking(None, None, Grade::Breaking), Some(Raise::Major));
        assert_eq!(lacking(version("1.0.0"), None, Grade::Breaking), Some(Raise::Major));
        assert_eq!(lacking(None, version("1.0.0"), Grade::Breaking), None);
        assert_eq!(lacking(None, None, Grade::Compatible), None);
        assert_eq!(next(None, Raise::Major), Version { major: 1, minor: 0, patch: 0 });
    }
}
