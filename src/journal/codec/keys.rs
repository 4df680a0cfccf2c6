//! Records that hold key values or stand for them: a key's state, the fingerprints of a
//! declaration, a rotation's keys, what a key had when a rotation began.

use serde::{Deserialize, Serialize};

use crate::journal::codec::{Bytes, Malformed, Plain, TooLarge, decode, encode};
use crate::key::flow::SecretKeyFlow;
use crate::key::state::{Snapshot, StateRecord};
use crate::rotation::plan::{Declared, Fingerprint};
use crate::secret::value::{SecretKeyPair, SecretKeyValue};

#[derive(Serialize, Deserialize)]
enum FlowV1 {
    Default,
    ForwardPath,
    BackPath,
}

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
pub(in crate::journal) struct DeclaredRecord {
    /// The number of the declaration.
    pub(in crate::journal) sequence: u64,
    /// The fingerprints of its old and new keys. Records of schema 1 name no new keys.
    pub(in crate::journal) keys: Declared,
}

pub(in crate::journal) fn encode_state(record: &StateRecord) -> Result<Plain, TooLarge> {
    encode(&StateV1 {
        flow: freeze(record.flow),
        key: record.key.as_ref().map(|key| Bytes(key.expose())),
    })
}

pub(in crate::journal) fn decode_state(plain: &[u8]) -> Result<StateRecord, Malformed> {
    let frozen: StateV1<'_> = decode(plain)?;
    Ok(StateRecord {
        flow: thaw(frozen.flow),
        key: frozen.key.map(value).transpose()?,
    })
}

pub(in crate::journal) fn encode_declared(record: &DeclaredRecord) -> Result<Plain, TooLarge> {
    let DeclaredRecord { sequence, keys } = *record;
    let Declared { old, new } = keys;
    encode(&DeclaredV2 { sequence, old, new })
}

pub(in crate::journal) fn decode_declared(
    schema: u8,
    plain: &[u8],
) -> Result<DeclaredRecord, Malformed> {
    let (sequence, old, new) = if schema < 2 {
        let DeclaredV1 { sequence, old } = decode(plain)?;
        (sequence, old, None)
    } else {
        let DeclaredV2 { sequence, old, new } = decode(plain)?;
        (sequence, old, new)
    };
    let keys = Declared { old, new };
    Ok(DeclaredRecord { sequence, keys })
}

pub(in crate::journal) fn encode_pair(pair: &SecretKeyPair) -> Result<Plain, TooLarge> {
    encode(&freeze_pair(pair))
}

pub(in crate::journal) fn decode_pair(plain: &[u8]) -> Result<SecretKeyPair, Malformed> {
    thaw_pair(decode(plain)?)
}

pub(in crate::journal) fn encode_snapshot(snapshot: &Snapshot) -> Result<Plain, TooLarge> {
    encode(&match snapshot {
        Snapshot::Known { flow, previous } => SnapshotV1::Known {
            flow: flow.map(freeze),
            previous: previous.as_ref().map(freeze_pair),
        },
        Snapshot::Unreadable { why } => SnapshotV1::Unreadable { why },
    })
}

pub(in crate::journal) fn decode_snapshot(plain: &[u8]) -> Result<Snapshot, Malformed> {
    Ok(match decode(plain)? {
        SnapshotV1::Known { flow, previous } => Snapshot::Known {
            flow: flow.map(thaw),
            previous: previous.map(thaw_pair).transpose()?,
        },
        SnapshotV1::Unreadable { why } => Snapshot::Unreadable {
            why: why.to_owned(),
        },
    })
}

fn freeze(flow: SecretKeyFlow) -> FlowV1 {
    match flow {
        SecretKeyFlow::Default => FlowV1::Default,
        SecretKeyFlow::ForwardPath => FlowV1::ForwardPath,
        SecretKeyFlow::BackPath => FlowV1::BackPath,
    }
}

fn thaw(flow: FlowV1) -> SecretKeyFlow {
    match flow {
        FlowV1::Default => SecretKeyFlow::Default,
        FlowV1::ForwardPath => SecretKeyFlow::ForwardPath,
        FlowV1::BackPath => SecretKeyFlow::BackPath,
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
