//! Who did what: with a rotation's header, and in a record of their own the acts that stand with none.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::journal::codec::{
    Malformed, Plain, Record, TooLarge, decode_first, encode, frozen, list,
};
use crate::journal::kind::{Kind, Shape};
use crate::journal::place::Place;
use crate::key::name::{CallbackName, InvalidName, KeyName, WorkerName};
use crate::repo::space::Space;
use crate::rotation::act::{About, Act, By, Deed};
use crate::rotation::id::RotationId;

frozen!(DeedV1 of Deed { Declared, Resumed, Aborted, Dismissed, Removed });

#[derive(Serialize, Deserialize)]
enum AboutV1<'a> {
    Rotation(u128, &'a str),
    Worker(&'a str),
    Callback(&'a str, &'a str, &'a str),
    Instance(&'a str, u64),
}

/// An act.
#[derive(Serialize, Deserialize)]
pub(super) struct ActV1<'a> {
    deed: DeedV1,
    #[serde(borrow)]
    about: Option<AboutV1<'a>>,
    at_ms: u64,
    user: u32,
    process: u32,
    #[serde(borrow)]
    worker: Option<&'a str>,
    #[serde(borrow)]
    reason: Option<&'a str>,
}

impl<'a> From<&'a About> for AboutV1<'a> {
    fn from(about: &'a About) -> Self {
        match about {
            About::Rotation { id, key } => Self::Rotation(id.as_uuid().as_u128(), key.as_str()),
            About::Worker { worker } => Self::Worker(worker.as_str()),
            About::Callback {
                worker,
                key,
                callback,
            } => Self::Callback(worker.as_str(), key.as_str(), callback.as_str()),
            About::Instance { worker, instance } => Self::Instance(worker.as_str(), *instance),
        }
    }
}

impl TryFrom<AboutV1<'_>> for About {
    type Error = InvalidName;

    fn try_from(frozen: AboutV1<'_>) -> Result<Self, InvalidName> {
        Ok(match frozen {
            AboutV1::Rotation(id, key) => Self::Rotation {
                id: RotationId::new(Uuid::from_u128(id)),
                key: KeyName::new(key)?,
            },
            AboutV1::Worker(worker) => Self::Worker {
                worker: WorkerName::new(worker)?,
            },
            AboutV1::Callback(worker, key, callback) => Self::Callback {
                worker: WorkerName::new(worker)?,
                key: KeyName::new(key)?,
                callback: CallbackName::new(callback)?,
            },
            AboutV1::Instance(worker, instance) => Self::Instance {
                worker: WorkerName::new(worker)?,
                instance,
            },
        })
    }
}

impl<'a> From<&'a Act> for ActV1<'a> {
    fn from(act: &'a Act) -> Self {
        let By {
            user,
            process,
            worker,
            reason,
        } = &act.by;
        Self {
            deed: act.deed.into(),
            about: act.about.as_ref().map(AboutV1::from),
            at_ms: act.at_ms,
            user: *user,
            process: *process,
            worker: worker.as_ref().map(WorkerName::as_str),
            reason: reason.as_deref(),
        }
    }
}

impl TryFrom<ActV1<'_>> for Act {
    type Error = Malformed;

    fn try_from(frozen: ActV1<'_>) -> Result<Self, Malformed> {
        let worker = frozen.worker.map(WorkerName::new).transpose();
        let about = frozen.about.map(About::try_from).transpose();
        let by = By {
            user: frozen.user,
            process: frozen.process,
            worker: worker.map_err(|_| Malformed::Name)?,
            reason: frozen.reason.map(str::to_owned),
        };
        let about = about.map_err(|_| Malformed::Name)?;
        Ok(by.did(frozen.deed.into(), about, frozen.at_ms))
    }
}

#[derive(Serialize, Deserialize)]
struct ActsV1<'a> {
    #[serde(borrow, deserialize_with = "list")]
    acts: Vec<ActV1<'a>>,
}

/// The acts that stand with no rotation, the earliest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in super::super) struct ActsRecord {
    pub(in super::super) acts: Vec<Act>,
}

impl Record for ActsRecord {
    const KIND: Kind = Kind::new(
        Space::Meta,
        "acts",
        "record of what was removed and dismissed",
        1,
        (Shape::One, 0),
    );

    fn encode(&self) -> Result<Plain, TooLarge> {
        let acts = self.acts.iter().map(ActV1::from).collect();
        encode(&ActsV1 { acts })
    }

    fn decode(_: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let frozen: ActsV1<'_> = decode_first(schema, plain)?;
        let acts = frozen.acts.into_iter().map(Act::try_from);
        let acts = acts.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { acts })
    }
}
