//! Suites of Great Expectations, one a table, in the format of 1.x or 0.18.

use super::Exported;
use crate::check::Checked;
use crate::ir::NodeId;

/// The format of suites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 1.x: `name`, `type`, `severity`.
    V1,
    /// 0.18: `expectation_suite_name`, `expectation_type`.
    V018,
}

/// The versions by the name that the command line takes, the default first.
pub const VERSIONS: &[(&str, Version)] = &[("1", Version::V1), ("0.18", Version::V018)];

/// Writes a suite for each of `tables` that has assertions.
pub fn export(_checked: &Checked, _tables: &[NodeId], _version: Version) -> Exported {
    Exported::default()
}
