//! Records that hold key values or stand for them: a key's state, the fingerprints of a
//! declaration, a rotation's keys, what a key had when a rotation began.

use serde::{Deserialize, Serialize};

use crate::journal::codec::{Bytes, Malformed, Plain, Record, TooLarge};
use crate::journal::codec::{decode, decode_first, encode, frozen};
use crate::journal::kind::{Kind, Shape};
use crate::journal::place::Place;
use crate::key::flow::SecretKeyFlow;
use crate::key::state::{Snapshot, StateRecord};
use crate::repo::space::Space;
use crate::rotation::plan::{Declared, Fingerprint};
use crate::secret::value::{SecretKeyPair, SecretKeyValue};

frozen!(FlowV1 of SecretKeyFlow { Default, ForwardPath, BackPath });

#[derive(Serialize, Deserialize)]
struct StateV1<'a> {
    flow: FlowV1,
    #[serde(borrow)]
    key: Option<Bytes<'a>>,
}

#[derive(Serialize, Deserialize)]
struct DeclaredV1 {
    sequence: u64,
    old: Option<[Fingerprint; 2]>,
}

#[derive(Serialize, Deserialize)]
struct DeclaredV2 {
    sequence: u64,
    old: Option<[Fingerprint; 2]>,
    new: Option<[Fingerprint; 2]>,
}

#[derive(Serialize, Deserialize)]
struct PairV1<'a> {
    #[serde(borrow)]
    forward: Bytes<'a>,
    #[serde(borrow)]
    back: Bytes<'a>,
}

#[derive(Serialize, Deserialize)]
enum SnapshotV1<'a> {
    Known {
        flow: Option<FlowV1>,
        #[serde(borrow)]
        previous: Option<PairV1<'a>>,
    },
    Unreadable {
        why: &'a str,
    },
}

/// What was declared last for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct DeclaredRecord {
    /// The number of the declaration.
    pub(in super::super) sequence: u64,
    /// The fingerprints of its old and new keys. Records of schema 1 name no new keys.
    pub(in super::super) keys: Declared,
}

/// Keys that lie in the history, where no version puts them.
pub(in super::super) const ENDED_KEYS: Kind = SecretKeyPair::KIND.ended("keys");
/// A snapshot that lies in the history, where no version puts it.
pub(in super::super) const ENDED_SNAPSHOT: Kind = Snapshot::KIND.ended("snapshot");

impl Record for StateRecord {
    const KIND: Kind = Kind::new(Space::States, "state", "state", 1, (Shape::Key, 0));

    fn encode(&self) -> Result<Plain, TooLarge> {
        encode(&StateV1 {
            flow: self.flow.into(),
            key: self.key.as_ref().map(|key| Bytes(key.expose())),
        })
    }

    fn decode(_: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let frozen: StateV1<'_> = decode_first(schema, plain)?;
        Ok(Self {
            flow: frozen.flow.into(),
            key: frozen.key.map(value).transpose()?,
        })
    }
}

impl Record for DeclaredRecord {
    const KIND: Kind = Kind::new(
        Space::Keys,
        "declared",
        "last declaration",
        2,
        (Shape::Key, 0),
    );

    fn encode(&self) -> Result<Plain, TooLarge> {
        let Self { sequence, keys } = *self;
        let Declared { old, new } = keys;
        encode(&DeclaredV2 { sequence, old, new })
    }

    fn decode(_: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let (sequence, old, new) = if schema == 2 {
            let DeclaredV2 { sequence, old, new } = decode(plain)?;
            (sequence, old, new)
        } else {
            let DeclaredV1 { sequence, old } = decode_first(schema, plain)?;
            (sequence, old, None)
        };
        let keys = Declared { old, new };
        Ok(Self { sequence, keys })
    }
}

impl Record for SecretKeyPair {
    const KIND: Kind = Kind::new(Space::Rotations, "keys", "keys", 1, (Shape::Keys, 3));

    fn encode(&self) -> Result<Plain, TooLarge> {
        encode(&freeze_pair(self))
    }

    fn decode(_: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        thaw_pair(decode_first(schema, plain)?)
    }
}

impl Record for Snapshot {
    const KIND: Kind = Kind::new(
        Space::Rotations,
        "snapshot",
        "snapshot",
        1,
        (Shape::Rotation, 4),
    );

    fn encode(&self) -> Result<Plain, TooLarge> {
        encode(&match self {
            Self::Known { flow, previous } => SnapshotV1::Known {
                flow: flow.map(FlowV1::from),
                previous: previous.as_ref().map(freeze_pair),
            },
            Self::Unreadable { why } => SnapshotV1::Unreadable { why },
        })
    }

    fn decode(_: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        Ok(match decode_first(schema, plain)? {
            SnapshotV1::Known { flow, previous } => Self::Known {
                flow: flow.map(SecretKeyFlow::from),
                previous: previous.map(thaw_pair).transpose()?,
            },
            SnapshotV1::Unreadable { why } => Self::Unreadable {
                why: why.to_owned(),
            },
        })
    }
}

fn freeze_pair(pair: &SecretKeyPair) -> PairV1<'_> {
    PairV1 {
        forward: Bytes(pair.forward().expose()),
        back: Bytes(pair.back().expose()),
    }
}

fn thaw_pair(pair: PairV1<'_>) -> Result<SecretKeyPair, Malformed> {
    Ok(SecretKeyPair::new(value(pair.forward)?, value(pair.back)?))
}

/// The one copy of a value that is made: of exactly its size, and zeroized with the value.
fn value(bytes: Bytes<'_>) -> Result<SecretKeyValue, Malformed> {
    let value = SecretKeyValue::from(bytes.0);
    value.check().map_err(|_| Malformed::Value)?;
    Ok(value)
}
