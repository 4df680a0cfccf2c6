//! What the coordinator's machine wants made durable.

use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::versions::fact::VersionFact;
use crate::rotation::act::Act;
use crate::rotation::id::RotationId;
use crate::rotation::instance::Instance;
use crate::rotation::outcome::StepRef;
use crate::rotation::plan::{Header, Step};
use crate::rotation::roster::{Member, MemberCallback};

/// One fact to be made durable. The facts of one write are one atomic batch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fact {
    /// The next number of the one sequence that orders everything.
    NextSequence(u64),
    /// A worker is on the roster.
    Member(Member),
    /// A worker is off the roster, its callbacks too.
    MemberGone(WorkerName),
    /// A worker has a callback.
    Callback(MemberCallback),
    /// A callback is off the roster.
    CallbackGone {
        /// The worker.
        worker: WorkerName,
        /// The key.
        key: KeyName,
        /// Its name.
        callback: CallbackName,
    },
    /// What is known of an instance of another process.
    Instance(Instance),
    /// An instance is gone.
    InstanceGone {
        /// Its worker.
        worker: WorkerName,
        /// Its number.
        number: u64,
    },
    /// What is known of a rotation.
    Rotation(Header),
    /// The keys of a rotation, which the shell has.
    Keys(RotationId),
    /// What the key had when the rotation began, which the shell has.
    Snapshot(RotationId),
    /// A step of a rotation.
    Step(RotationId, KeyName, Step),
    /// The state record that the key proposed for a step, which the shell has.
    Record(StepRef),
    /// A rotation ended: its keys leave the journal, the rest moves to the history.
    Ended(Header, Vec<Step>),
    /// What is known of the versions of a key. The values stay with the shell.
    Version(KeyName, VersionFact),
    /// An unreadable rotation is dismissed: its bytes move to quarantine.
    Dismissed(RotationId),
    /// Something was done that stands with no rotation: a removal, a dismissal.
    Act(Act),
}

impl Fact {
    /// Its name, without what it says.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NextSequence(_) => "NextSequence",
            Self::Member(_) => "Member",
            Self::MemberGone(_) => "MemberGone",
            Self::Callback(_) => "Callback",
            Self::CallbackGone { .. } => "CallbackGone",
            Self::Instance(_) => "Instance",
            Self::InstanceGone { .. } => "InstanceGone",
            Self::Rotation(_) => "Rotation",
            Self::Keys(_) => "Keys",
            Self::Snapshot(_) => "Snapshot",
            Self::Step(..) => "Step",
            Self::Record(_) => "Record",
            Self::Ended(..) => "Ended",
            Self::Version(..) => "Version",
            Self::Dismissed(_) => "Dismissed",
            Self::Act(_) => "Act",
        }
    }
}
