//! What the database says of itself: the check record, the last batch, the next sequence number.

use serde::{Deserialize, Serialize};

use crate::journal::codec::{Bytes, Malformed, Plain, TooLarge, decode, encode};
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

/// Which batch was written last, in which life of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::journal) struct BatchRecord {
    pub(in crate::journal) life: u64,
    pub(in crate::journal) number: u64,
}

pub(in crate::journal) fn encode_check(
    fingerprint_key: &SecretKeyValue,
) -> Result<Plain, TooLarge> {
    let fingerprint_key = Bytes(fingerprint_key.expose());
    encode(&CheckV1 { fingerprint_key })
}

pub(in crate::journal) fn decode_check(plain: &[u8]) -> Result<SecretKeyValue, Malformed> {
    let frozen: CheckV1<'_> = decode(plain)?;
    Ok(SecretKeyValue::from(frozen.fingerprint_key.0))
}

pub(in crate::journal) fn encode_batch(batch: BatchRecord) -> Result<Plain, TooLarge> {
    let BatchRecord { life, number } = batch;
    encode(&BatchV1 { life, number })
}

pub(in crate::journal) fn decode_batch(plain: &[u8]) -> Result<BatchRecord, Malformed> {
    let BatchV1 { life, number } = decode(plain)?;
    Ok(BatchRecord { life, number })
}

pub(in crate::journal) fn encode_sequence(next: u64) -> Result<Plain, TooLarge> {
    encode(&SequenceV1 { next })
}

pub(in crate::journal) fn decode_sequence(plain: &[u8]) -> Result<u64, Malformed> {
    decode(plain).map(|SequenceV1 { next }| next)
}
