//! Where each record lies. A place alone tells key name, rotation id and whether the rotation has
//! ended, also where the content cannot be read.
//!
//! Never in here: what records contain, and anything that reads or writes them.

pub(super) mod layout;

use std::fmt;

use crate::journal::kind::Kind;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::repo::space::Space;
use crate::rotation::id::RotationId;

/// The place of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Check,
    Batch,
    Sequence,
    State(KeyName),
    Declared(KeyName),
    Member(WorkerName),
    Callback(WorkerName, KeyName, CallbackName),
    Living(RotationId, KeyName, Part),
    /// Of a rotation that has ended; only its header and its steps are kept.
    Ended(RotationId, KeyName, Part),
}

/// Which record of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Header,
    /// The step of this number.
    Step(u32),
    /// The keys under this random id.
    Keys(u128),
    Snapshot,
}

impl Place {
    pub(super) fn space(&self) -> Space {
        match self {
            Self::Check | Self::Batch | Self::Sequence => Space::Meta,
            Self::State(_) => Space::States,
            Self::Declared(_) => Space::Keys,
            Self::Member(_) | Self::Callback(..) => Space::Roster,
            Self::Living(..) => Space::Rotations,
            Self::Ended(..) => Space::History,
        }
    }

    /// The rotation, living or ended, whose record lies here.
    pub(super) fn rotation(&self) -> Option<RotationId> {
        match self {
            Self::Living(id, ..) | Self::Ended(id, ..) => Some(*id),
            Self::Check
            | Self::Batch
            | Self::Sequence
            | Self::State(_)
            | Self::Declared(_)
            | Self::Member(_)
            | Self::Callback(..) => None,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Check => Kind::Check,
            Self::Batch => Kind::Batch,
            Self::Sequence => Kind::Sequence,
            Self::State(_) => Kind::State,
            Self::Declared(_) => Kind::Declared,
            Self::Member(_) => Kind::Member,
            Self::Callback(..) => Kind::Callback,
            Self::Living(_, _, Part::Header) => Kind::Header,
            Self::Living(_, _, Part::Step(_)) => Kind::Step,
            Self::Ended(_, _, Part::Header) => Kind::EndedHeader,
            Self::Ended(_, _, Part::Step(_)) => Kind::EndedStep,
            Self::Living(_, _, Part::Keys(_)) | Self::Ended(_, _, Part::Keys(_)) => Kind::Keys,
            Self::Living(_, _, Part::Snapshot) | Self::Ended(_, _, Part::Snapshot) => {
                Kind::Snapshot
            }
        }
    }

    /// What the seal of a record binds it to, each part with its length before it.
    pub(super) fn associated(&self, database: &[u8; 16], schema: u8) -> Vec<u8> {
        let mut key = &[][..];
        let mut worker = &[][..];
        let mut callback = &[][..];
        let mut rotation = Vec::new();
        let mut step = Vec::new();
        let mut keys = Vec::new();
        match self {
            Self::Check | Self::Batch | Self::Sequence => {}
            Self::State(name) | Self::Declared(name) => key = name.as_str().as_bytes(),
            Self::Member(name) => worker = name.as_str().as_bytes(),
            Self::Callback(of, for_key, name) => {
                worker = of.as_str().as_bytes();
                key = for_key.as_str().as_bytes();
                callback = name.as_str().as_bytes();
            }
            Self::Living(id, name, part) | Self::Ended(id, name, part) => {
                key = name.as_str().as_bytes();
                rotation = id.as_uuid().as_bytes().to_vec();
                match part {
                    Part::Header | Part::Snapshot => {}
                    Part::Step(no) => step = no.to_be_bytes().to_vec(),
                    Part::Keys(id) => keys = id.to_be_bytes().to_vec(),
                }
            }
        }
        let kind = self.kind().name().as_bytes();
        let parts: [&[u8]; 9] = [
            database,
            kind,
            &[schema],
            key,
            &rotation,
            &step,
            worker,
            callback,
            &keys,
        ];
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let mut all = Vec::with_capacity(bytes.saturating_add(size_of_val(&parts)));
        for part in parts {
            all.extend_from_slice(&(part.len() as u64).to_le_bytes());
            all.extend_from_slice(part);
        }
        all
    }
}

impl fmt::Display for Place {
    /// The place in words, fit for an error or a listing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check => f.write_str("the check record"),
            Self::Batch => f.write_str("the record of the last batch"),
            Self::Sequence => f.write_str("the next sequence number"),
            Self::State(key) => write!(f, "the state of key {key}"),
            Self::Declared(key) => write!(f, "the last declaration of key {key}"),
            Self::Member(worker) => write!(f, "worker {worker}"),
            Self::Callback(worker, key, callback) => {
                write!(f, "callback {callback} of worker {worker} for key {key}")
            }
            Self::Living(id, key, part) => write!(f, "the {part} of rotation {id} of key {key}"),
            Self::Ended(id, key, part) => {
                write!(f, "the {part} of the ended rotation {id} of key {key}")
            }
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("header"),
            Self::Step(no) => write!(f, "step {no}"),
            Self::Keys(_) => f.write_str("keys"),
            Self::Snapshot => f.write_str("snapshot"),
        }
    }
}
