//! Workers and callbacks: their places name them, their records hold the number that orders them.

use serde::{Deserialize, Serialize};

use crate::journal::codec::{Malformed, Plain, Record, TooLarge, decode_first, encode};
use crate::journal::kind::{Kind, Shape};
use crate::journal::place::layout::CALLBACK;
use crate::journal::place::{Of, Place};
use crate::repo::space::Space;
use crate::rotation::roster::{Member, MemberCallback};

#[derive(Serialize, Deserialize)]
struct NumberV1 {
    number: u64,
}

impl Record for Member {
    const KIND: Kind = Kind::new(Space::Roster, "member", "worker", 1, (Shape::Worker, 1));

    fn encode(&self) -> Result<Plain, TooLarge> {
        let number = self.joined;
        encode(&NumberV1 { number })
    }

    fn decode(place: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let NumberV1 { number: joined } = decode_first(schema, plain)?;
        let Of::Worker(worker) = place.of.clone() else {
            return Err(Malformed::Bytes);
        };
        Ok(Self { worker, joined })
    }
}

impl Record for MemberCallback {
    const KIND: Kind = Kind::new(
        Space::Roster,
        "callback",
        "callback",
        1,
        (Shape::Callback, CALLBACK),
    );

    fn encode(&self) -> Result<Plain, TooLarge> {
        let number = self.registered;
        encode(&NumberV1 { number })
    }

    fn decode(place: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let NumberV1 { number: registered } = decode_first(schema, plain)?;
        let Of::Callback(worker, key, callback) = place.of.clone() else {
            return Err(Malformed::Bytes);
        };
        Ok(Self {
            worker,
            key,
            callback,
            registered,
        })
    }
}
