//! Where each record lies. A place alone tells key name, rotation id and whether the rotation has
//! ended, also where the content cannot be read.
//!
//! Never in here: what records contain, and anything that reads or writes them.

pub(super) mod layout;

use std::fmt;

use crate::journal::kind::Kind;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::versions::id::VersionId;
use crate::repo::space::Space;
use crate::rotation::id::RotationId;

/// The place of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) of: Of,
}

/// Which one of the records of a kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    /// The only one.
    Database,
    Key(KeyName),
    Worker(WorkerName),
    Callback(WorkerName, KeyName, CallbackName),
    Instance(WorkerName, u64),
    Rotation(RotationId, KeyName, Number),
    Versions(KeyName, OfVersions),
}

/// What tells the records of one key's versions apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OfVersions {
    /// Which is current.
    Current,
    /// This version, or its value.
    Version(VersionId),
    /// What this version owes the worker.
    Debt(VersionId, WorkerName),
}

/// What tells records of one kind and one rotation apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Number {
    /// There is one.
    None,
    /// The step of this number.
    Step(u32),
    /// The keys under this random id.
    Keys(u128),
}

impl Place {
    pub(super) fn space(&self) -> Space {
        self.kind.space
    }

    /// The rotation, living or ended, whose record lies here.
    pub(super) fn rotation(&self) -> Option<RotationId> {
        match self.of {
            Of::Rotation(id, ..) => Some(id),
            Of::Database
            | Of::Key(_)
            | Of::Worker(_)
            | Of::Callback(..)
            | Of::Instance(..)
            | Of::Versions(..) => None,
        }
    }

    /// What the seal of a record binds it to, each part with its length before it.
    pub(super) fn associated(&self, database: &[u8; 16], schema: u8) -> Vec<u8> {
        let (mut key, mut worker, mut callback) = (&[][..], &[][..], &[][..]);
        let (mut rotation, mut step, mut keys) = (vec![], vec![], vec![]);
        match &self.of {
            Of::Database => {}
            Of::Key(name) => key = name.as_str().as_bytes(),
            Of::Worker(name) => worker = name.as_str().as_bytes(),
            Of::Instance(name, number) => {
                worker = name.as_str().as_bytes();
                step = number.to_be_bytes().to_vec();
            }
            Of::Callback(of, for_key, name) => {
                worker = of.as_str().as_bytes();
                key = for_key.as_str().as_bytes();
                callback = name.as_str().as_bytes();
            }
            Of::Rotation(id, name, number) => {
                key = name.as_str().as_bytes();
                rotation = id.as_uuid().as_bytes().to_vec();
                match number {
                    Number::None => {}
                    Number::Step(no) => step = no.to_be_bytes().to_vec(),
                    Number::Keys(id) => keys = id.to_be_bytes().to_vec(),
                }
            }
            Of::Versions(name, of) => {
                key = name.as_str().as_bytes();
                match of {
                    OfVersions::Current => {}
                    OfVersions::Version(id) => keys = id.as_bytes().to_vec(),
                    OfVersions::Debt(id, to) => {
                        keys = id.as_bytes().to_vec();
                        worker = to.as_str().as_bytes();
                    }
                }
            }
        }
        let parts: [&[u8]; 9] = [
            database,
            self.kind.name.as_bytes(),
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
        let words = self.kind.words;
        match &self.of {
            Of::Database => write!(f, "the {words}"),
            Of::Key(key) => write!(f, "the {words} of key {key}"),
            Of::Worker(worker) => write!(f, "{words} {worker}"),
            Of::Instance(worker, number) => write!(f, "{words} {number} of worker {worker}"),
            Of::Callback(worker, key, callback) => {
                write!(f, "{words} {callback} of worker {worker} for key {key}")
            }
            Of::Versions(key, of) => match of {
                OfVersions::Current => write!(f, "the {words} of key {key}"),
                OfVersions::Version(id) if self.kind.words == "version" => {
                    write!(f, "version {id} of key {key}")
                }
                OfVersions::Version(id) => write!(f, "the {words} of version {id} of key {key}"),
                OfVersions::Debt(id, worker) => {
                    write!(
                        f,
                        "the {words} of version {id} of key {key} to worker {worker}"
                    )
                }
            },
            Of::Rotation(id, key, number) => {
                write!(f, "the {words}")?;
                if let Number::Step(no) = number {
                    write!(f, " {no}")?;
                }
                let ended = match self.space() {
                    Space::History => "the ended ",
                    _ => "",
                };
                write!(f, " of {ended}rotation {id} of key {key}")
            }
        }
    }
}
