//! What the database says of itself: the check record, the last batch, the next sequence number.

use serde::{Deserialize, Serialize};

use crate::journal::codec::{Bytes, Malformed, Plain, Record, TooLarge, decode_first, encode};
use crate::journal::kind::{Kind, Shape};
use crate::journal::place::Place;
use crate::repo::space::Space;
use crate::secret::value::SecretKeyValue;

#[derive(Serialize, Deserialize)]
struct CheckV1<'a> {
    #[serde(borrow)]
    fingerprint_key: Bytes<'a>,
}

#[derive(Serialize, Deserialize)]
struct BatchV1 {
    life: u64,
    number: u64,
}

#[derive(Serialize, Deserialize)]
struct SequenceV1 {
    next: u64,
}

/// That the master key is the right one, and the key of the fingerprints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct CheckRecord {
    pub(in super::super) fingerprint_key: SecretKeyValue,
}

/// Which batch was written last, in which life of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct BatchRecord {
    pub(in super::super) life: u64,
    pub(in super::super) number: u64,
}

/// The next number of the one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct SequenceRecord {
    pub(in super::super) next: u64,
}

impl Record for CheckRecord {
    const KIND: Kind = Kind::new(Space::Meta, "check", "check record", 1, (Shape::One, 0));

    fn encode(&self) -> Result<Plain, TooLarge> {
        let fingerprint_key = Bytes(self.fingerprint_key.expose());
        encode(&CheckV1 { fingerprint_key })
    }

    fn decode(_: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let frozen: CheckV1<'_> = decode_first(schema, plain)?;
        let fingerprint_key = SecretKeyValue::from(frozen.fingerprint_key.0);
        Ok(Self { fingerprint_key })
    }
}

impl Record for BatchRecord {
    const KIND: Kind = Kind::new(
        Space::Meta,
        "batch",
        "record of the last batch",
        1,
        (Shape::One, 0),
    );

    fn encode(&self) -> Result<Plain, TooLarge> {
        let Self { life, number } = *self;
        encode(&BatchV1 { life, number })
    }

    fn decode(_: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let BatchV1 { life, number } = decode_first(schema, plain)?;
        Ok(Self { life, number })
    }
}

impl Record for SequenceRecord {
    const KIND: Kind = Kind::new(
        Space::Meta,
        "sequence",
        "next sequence number",
        1,
        (Shape::One, 0),
    );

    fn encode(&self) -> Result<Plain, TooLarge> {
        encode(&SequenceV1 { next: self.next })
    }

    fn decode(_: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        decode_first(schema, plain).map(|SequenceV1 { next }| Self { next })
    }
}
