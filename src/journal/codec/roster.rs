//! Workers and callbacks: their places name them, their records hold the number that orders them, and what
//! kind they are. Instances of other processes have a file of their own.

use serde::{Deserialize, Serialize};

use crate::journal::codec::{Malformed, Plain, Record, TooLarge, decode, encode, frozen};
use crate::journal::kind::{Kind, Shape};
use crate::journal::place::layout::CALLBACK;
use crate::journal::place::{Of, Place};
use crate::repo::space::Space;
use crate::rotation::instance::{CallbackOf, Sharing};
use crate::rotation::roster::{Member, MemberCallback};

frozen!(SharingV1 of Sharing { Sole, Shared });
frozen!(CallbackOfV1 of CallbackOf { Data, Memory });

/// What the first schema had of either: every worker was sole and in the keeper's process, and every
/// callback one of data.
#[derive(Serialize, Deserialize)]
struct NumberV1 {
    number: u64,
}

#[derive(Serialize, Deserialize)]
struct MemberV2 {
    joined: u64,
    sharing: SharingV1,
    elsewhere: bool,
}

#[derive(Serialize, Deserialize)]
struct CallbackV2 {
    registered: u64,
    of: CallbackOfV1,
}

impl Record for Member {
    const KIND: Kind = Kind::new(Space::Roster, "member", "worker", 2, (Shape::Worker, 1));

    fn encode(&self) -> Result<Plain, TooLarge> {
        encode(&MemberV2 {
            joined: self.joined,
            sharing: self.sharing.into(),
            elsewhere: self.elsewhere,
        })
    }

    fn decode(place: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let MemberV2 {
            joined,
            sharing,
            elsewhere,
        } = match schema {
            1 => {
                let NumberV1 { number: joined } = decode(plain)?;
                MemberV2 {
                    joined,
                    sharing: SharingV1::Sole,
                    elsewhere: false,
                }
            }
            2 => decode(plain)?,
            other => return Err(Malformed::Schema(other)),
        };
        let Of::Worker(worker) = place.of.clone() else {
            return Err(Malformed::Bytes);
        };
        Ok(Self {
            worker,
            joined,
            sharing: sharing.into(),
            elsewhere,
        })
    }
}

impl Record for MemberCallback {
    const KIND: Kind = Kind::new(
        Space::Roster,
        "callback",
        "callback",
        2,
        (Shape::Callback, CALLBACK),
    );

    fn encode(&self) -> Result<Plain, TooLarge> {
        encode(&CallbackV2 {
            registered: self.registered,
            of: self.of.into(),
        })
    }

    fn decode(place: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let CallbackV2 { registered, of } = match schema {
            1 => {
                let NumberV1 { number: registered } = decode(plain)?;
                let of = CallbackOfV1::Data;
                CallbackV2 { registered, of }
            }
            2 => decode(plain)?,
            other => return Err(Malformed::Schema(other)),
        };
        let Of::Callback(worker, key, callback) = place.of.clone() else {
            return Err(Malformed::Bytes);
        };
        Ok(Self {
            worker,
            key,
            callback,
            registered,
            of: of.into(),
        })
    }
}
