//! What a data folder has, after every record of it was opened.

use std::collections::BTreeMap;
use std::fmt;

use crate::operator::status::UnreadableRecord;
use crate::repo::space::Space;
use crate::rotation::report::UnreadableRotation;

/// What was found in a data folder by opening every record. See
/// [`verify`](crate::management::builder::KeysManagementBuilder::verify).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Verified {
    /// How many records each space has.
    pub records: BTreeMap<Space, u64>,
    /// Rotations with a record that cannot be read, or is missing.
    pub unreadable_rotations: Vec<UnreadableRotation>,
    /// Every other record that cannot be read.
    pub unreadable: Vec<UnreadableRecord>,
}

impl Verified {
    /// Whether every record could be read. What was moved to quarantine earlier does not count: something
    /// newer has taken its place.
    pub fn is_whole(&self) -> bool {
        self.unreadable_rotations.is_empty() && self.unreadable.is_empty()
    }
}

impl fmt::Display for Verified {
    /// A line for the whole, and one for each record that cannot be read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records: u64 = self.records.values().sum();
        let faults = self.unreadable_rotations.len() + self.unreadable.len();
        match faults {
            0 => write!(f, "all {records} records can be read")?,
            _ => write!(f, "of {records} records, {faults} or more cannot be read")?,
        }
        for rotation in &self.unreadable_rotations {
            let UnreadableRotation { id, key, why, .. } = rotation;
            write!(f, "\nrotation {id} of {key}: {why}")?;
        }
        for record in &self.unreadable {
            let UnreadableRecord { space, place, why } = record;
            write!(f, "\n{space}, {place}: {why}")?;
        }
        Ok(())
    }
}
