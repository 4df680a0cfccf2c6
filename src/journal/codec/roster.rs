//! Workers and callbacks: their places name them, their records hold the number that orders them.

use serde::{Deserialize, Serialize};

use crate::journal::codec::{Malformed, Plain, TooLarge, decode, encode};

#[derive(Serialize, Deserialize)]
struct NumberV1 {
    number: u64,
}

pub(in crate::journal) fn encode_number(number: u64) -> Result<Plain, TooLarge> {
    encode(&NumberV1 { number })
}

pub(in crate::journal) fn decode_number(plain: &[u8]) -> Result<u64, Malformed> {
    decode(plain).map(|NumberV1 { number }| number)
}
