//! Versions of keys: which is current, each version, its sealed value, and what it owes. Their places tell key,
//! version and worker.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::journal::codec::{Bytes, Malformed, Plain, Record, TooLarge};
use crate::journal::codec::{decode_first, encode, frozen, list};
use crate::journal::kind::{Kind, Shape};
use crate::journal::place::{Of, OfVersions, Place};
use crate::key::versions::debt::Debt;
use crate::key::versions::held::VersionValue;
use crate::key::versions::id::VersionId;
use crate::key::versions::state::VersionState;
use crate::key::versions::version::{Arrow, Cause, Compromised, Prints, Version};
use crate::repo::space::Space;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};

frozen!(VersionStateV1 of VersionState { Pending, Active, Deactivated, Withdrawn, Destroyed });

#[derive(Serialize, Deserialize)]
struct CurrentV1 {
    current: u128,
    next: u64,
}

#[derive(Serialize, Deserialize)]
struct VersionV1<'a> {
    number: u64,
    #[serde(borrow, deserialize_with = "list")]
    arrows: Vec<ArrowV1<'a>>,
    forward: Option<[u8; 32]>,
    back: [u8; 32],
    compromised: Option<CompromisedV1<'a>>,
    unwritten_ms: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct ArrowV1<'a> {
    to: VersionStateV1,
    at_ms: u64,
    #[serde(borrow)]
    cause: CauseV1<'a>,
}

#[derive(Serialize, Deserialize)]
enum CauseV1<'a> {
    Adopted,
    StateRecord,
    Made,
    Rotation(u128),
    Person { by: &'a str, why: &'a str },
    NotNeeded,
}

#[derive(Serialize, Deserialize)]
struct CompromisedV1<'a> {
    at_ms: u64,
    by: &'a str,
    why: &'a str,
}

#[derive(Serialize, Deserialize)]
struct ValueV1<'a> {
    #[serde(borrow)]
    forward: Option<Bytes<'a>>,
    #[serde(borrow)]
    back: Bytes<'a>,
}

#[derive(Serialize, Deserialize)]
struct DebtV1 {
    since_ms: u64,
}

/// Which version of a key is current, and the number of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct CurrentRecord {
    pub(in super::super) current: VersionId,
    pub(in super::super) next: u64,
}

const fn kind(name: &'static str, words: &'static str, shape: (Shape, u8)) -> Kind {
    Kind::new(Space::Versions, name, words, 1, shape)
}

impl Record for CurrentRecord {
    const KIND: Kind = kind("current", "current version", (Shape::Versions, 1));

    fn encode(&self) -> Result<Plain, TooLarge> {
        encode(&CurrentV1 {
            current: self.current.as_uuid().as_u128(),
            next: self.next,
        })
    }

    fn decode(_: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let CurrentV1 { current, next } = decode_first(schema, plain)?;
        let current = VersionId::new(Uuid::from_u128(current));
        Ok(Self { current, next })
    }
}

impl Record for Version {
    const KIND: Kind = kind("version", "version", (Shape::Version, 2));

    fn encode(&self) -> Result<Plain, TooLarge> {
        let arrows = self.arrows.iter().map(|arrow| ArrowV1 {
            to: arrow.to.into(),
            at_ms: arrow.at_ms,
            cause: freeze_cause(&arrow.cause),
        });
        encode(&VersionV1 {
            number: self.number,
            arrows: arrows.collect(),
            forward: self.prints.forward,
            back: self.prints.back,
            compromised: self.compromised.as_ref().map(|mark| CompromisedV1 {
                at_ms: mark.at_ms,
                by: &mark.by,
                why: &mark.why,
            }),
            unwritten_ms: self.unwritten_ms,
        })
    }

    fn decode(place: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let frozen: VersionV1<'_> = decode_first(schema, plain)?;
        let Of::Versions(_, OfVersions::Version(id)) = place.of else {
            return Err(Malformed::Bytes);
        };
        let arrows = frozen.arrows.into_iter().map(|arrow| {
            let ArrowV1 { to, at_ms, cause } = arrow;
            Arrow::new(to.into(), at_ms, thaw_cause(cause))
        });
        let arrows: Vec<Arrow> = arrows.collect();
        let state = arrows.last().ok_or(Malformed::Bytes)?.to;
        let mark = |CompromisedV1 { at_ms, by, why }| {
            Compromised::new(at_ms, by.to_owned(), why.to_owned())
        };
        Ok(Self {
            id,
            number: frozen.number,
            state,
            arrows,
            prints: Prints {
                forward: frozen.forward,
                back: frozen.back,
            },
            compromised: frozen.compromised.map(mark),
            unwritten_ms: frozen.unwritten_ms,
        })
    }
}

impl Record for VersionValue {
    const KIND: Kind = kind("value", "value", (Shape::Version, 3));

    fn encode(&self) -> Result<Plain, TooLarge> {
        encode(&ValueV1 {
            forward: self.forward().map(|half| Bytes(half.expose())),
            back: Bytes(self.back().expose()),
        })
    }

    fn decode(_: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let ValueV1 { forward, back } = decode_first(schema, plain)?;
        let value = |bytes: Bytes<'_>| {
            let value = SecretKeyValue::from(bytes.0);
            value.check().map_err(|_| Malformed::Value)?;
            Ok(value)
        };
        let back = value(back)?;
        Ok(match forward {
            Some(forward) => Self::Whole(SecretKeyPair::new(value(forward)?, back)),
            None => Self::Back(back),
        })
    }
}

impl Record for Debt {
    const KIND: Kind = kind("debt", "debt", (Shape::Debt, 4));

    fn encode(&self) -> Result<Plain, TooLarge> {
        let since_ms = self.since_ms;
        encode(&DebtV1 { since_ms })
    }

    fn decode(_: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let DebtV1 { since_ms } = decode_first(schema, plain)?;
        Ok(Self::since(since_ms))
    }
}

fn freeze_cause(cause: &Cause) -> CauseV1<'_> {
    match cause {
        Cause::Adopted => CauseV1::Adopted,
        Cause::StateRecord => CauseV1::StateRecord,
        Cause::Made => CauseV1::Made,
        Cause::Rotation(id) => CauseV1::Rotation(id.as_u128()),
        Cause::Person { by, why } => CauseV1::Person { by, why },
        Cause::NotNeeded => CauseV1::NotNeeded,
    }
}

fn thaw_cause(cause: CauseV1<'_>) -> Cause {
    match cause {
        CauseV1::Adopted => Cause::Adopted,
        CauseV1::StateRecord => Cause::StateRecord,
        CauseV1::Made => Cause::Made,
        CauseV1::Rotation(id) => Cause::Rotation(Uuid::from_u128(id)),
        CauseV1::Person { by, why } => Cause::Person {
            by: by.to_owned(),
            why: why.to_owned(),
        },
        CauseV1::NotNeeded => Cause::NotNeeded,
    }
}
