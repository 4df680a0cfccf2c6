//! What the journal has, as a coordinator starts with it.

use std::collections::BTreeMap;

use crate::key::name::KeyName;
use crate::key::versions::table::VersionTable;
use crate::rotation::instance::Instance;
use crate::rotation::plan::{Header, Step};
use crate::rotation::report::UnreadableRotation;
use crate::rotation::roster::{Member, MemberCallback};

/// What the journal has of a coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct DurableFacts {
    /// The next number of the one sequence.
    pub next_sequence: u64,
    /// The members of the roster.
    pub members: Vec<Member>,
    /// Their callbacks.
    pub callbacks: Vec<MemberCallback>,
    /// The instances of other processes.
    pub instances: Vec<Instance>,
    /// The rotations that have not ended.
    pub rotations: Vec<(Header, Vec<Step>)>,
    /// The rotations that have not ended and cannot be read.
    pub unreadable: Vec<UnreadableRotation>,
    /// The versions of each key that has some; in words why not where they cannot be read.
    pub versions: BTreeMap<KeyName, Result<VersionTable, String>>,
}
