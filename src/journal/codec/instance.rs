//! Instances of other processes: their places tell worker and number.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::journal::codec::roster::CallbackOfV1;
use crate::journal::codec::{
    Bytes, Malformed, Plain, Record, TooLarge, decode_first, encode, list,
};
use crate::journal::kind::{Kind, Shape};
use crate::journal::place::layout::INSTANCE;
use crate::journal::place::{Of, Place};
use crate::key::name::{CallbackName, KeyName};
use crate::repo::space::Space;
use crate::rotation::event::StepRef;
use crate::rotation::id::RotationId;
use crate::rotation::instance::{GivenCall, Instance, Process};

#[derive(Serialize, Deserialize)]
struct InstanceV1<'a> {
    process: u32,
    user: u32,
    is_known_again: bool,
    #[serde(borrow)]
    identity: Bytes<'a>,
    ready: bool,
    dropped: bool,
    /// Key and callback.
    #[serde(borrow, deserialize_with = "list")]
    registered: Vec<(&'a str, &'a str)>,
    #[serde(borrow, deserialize_with = "list")]
    calls: Vec<CallV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct CallV1<'a> {
    rotation: u128,
    step: u32,
    attempt: u32,
    key: &'a str,
    of: CallbackOfV1,
    done: bool,
}

impl Record for Instance {
    const KIND: Kind = Kind::new(
        Space::Roster,
        "instance",
        "instance",
        1,
        (Shape::Instance, INSTANCE),
    );

    fn encode(&self) -> Result<Plain, TooLarge> {
        let registered = self.registered.iter();
        let registered = registered.map(|(key, callback)| (key.as_str(), callback.as_str()));
        let calls = self.calls.iter().map(|(at, call)| CallV1 {
            rotation: at.rotation.as_uuid().as_u128(),
            step: at.step,
            attempt: call.attempt,
            key: call.key.as_str(),
            of: call.of.into(),
            done: call.done,
        });
        encode(&InstanceV1 {
            process: self.process.id,
            user: self.process.user,
            is_known_again: self.process.is_known_again,
            identity: Bytes(&self.process.identity),
            ready: self.ready,
            dropped: self.dropped,
            registered: registered.collect(),
            calls: calls.collect(),
        })
    }

    fn decode(place: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let frozen: InstanceV1<'_> = decode_first(schema, plain)?;
        let Of::Instance(worker, number) = place.of.clone() else {
            return Err(Malformed::Bytes);
        };
        let key = |text| KeyName::new(text).map_err(|_| Malformed::Name);
        let mut registered = BTreeSet::new();
        for (of, callback) in frozen.registered {
            let callback = CallbackName::new(callback).map_err(|_| Malformed::Name)?;
            registered.insert((key(of)?, callback));
        }
        let mut calls = BTreeMap::new();
        for call in frozen.calls {
            let at = StepRef {
                rotation: RotationId::new(Uuid::from_u128(call.rotation)),
                step: call.step,
            };
            let given = GivenCall {
                attempt: call.attempt,
                key: key(call.key)?,
                of: call.of.into(),
                done: call.done,
            };
            calls.insert(at, given);
        }
        Ok(Self {
            worker,
            number,
            process: Process {
                id: frozen.process,
                user: frozen.user,
                is_known_again: frozen.is_known_again,
                identity: frozen.identity.0.to_vec(),
            },
            ready: frozen.ready,
            dropped: frozen.dropped,
            registered,
            calls,
        })
    }
}
