//! Who did what, and why.

use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::act;
#[cfg(feature = "client")]
use crate::wire::generated::Acts;
use crate::wire::generated::about::What;
use crate::wire::generated::{
    About, Act, Deed, DismissedRotation, RemovedCallback, RemovedInstance,
};
#[cfg(feature = "client")]
use crate::wire::invalid::enumerated;
use crate::wire::invalid::{InvalidMessage, id, name, needed};

impl From<act::Deed> for Deed {
    fn from(deed: act::Deed) -> Self {
        match deed {
            act::Deed::Declared => Self::Declared,
            act::Deed::Resumed => Self::Resumed,
            act::Deed::Aborted => Self::Aborted,
            act::Deed::Dismissed => Self::Dismissed,
            act::Deed::Removed => Self::Removed,
        }
    }
}

impl From<&act::About> for About {
    fn from(about: &act::About) -> Self {
        let what = match about {
            act::About::Rotation { id, key } => What::Rotation(DismissedRotation {
                id: id.to_string(),
                key: key.as_str().to_owned(),
            }),
            act::About::Worker { worker } => What::Worker(worker.as_str().to_owned()),
            act::About::Callback {
                worker,
                key,
                callback,
            } => What::Callback(RemovedCallback {
                worker: worker.as_str().to_owned(),
                key: key.as_str().to_owned(),
                callback: callback.as_str().to_owned(),
            }),
            act::About::Instance { worker, instance } => What::Instance(RemovedInstance {
                worker: worker.as_str().to_owned(),
                instance: *instance,
            }),
        };
        Self { what: Some(what) }
    }
}

impl TryFrom<About> for act::About {
    type Error = InvalidMessage;

    fn try_from(about: About) -> Result<Self, InvalidMessage> {
        let worker = |text: &str| name("act.about.worker", WorkerName::new(text));
        let key = |text: &str| name("act.about.key", KeyName::new(text));
        Ok(match needed("act.about.what", about.what)? {
            What::Rotation(rotation) => Self::Rotation {
                id: id("act.about.rotation", &rotation.id)?,
                key: key(&rotation.key)?,
            },
            What::Worker(text) => Self::Worker {
                worker: worker(&text)?,
            },
            What::Callback(of) => Self::Callback {
                worker: worker(&of.worker)?,
                key: key(&of.key)?,
                callback: name("act.about.callback", CallbackName::new(&of.callback))?,
            },
            What::Instance(of) => Self::Instance {
                worker: worker(&of.worker)?,
                instance: of.instance,
            },
        })
    }
}

impl From<&act::Act> for Act {
    fn from(act: &act::Act) -> Self {
        let by = &act.by;
        let worker = by.worker.as_ref().map(WorkerName::as_str);
        Self {
            deed: Deed::from(act.deed).into(),
            at_ms: act.at_ms,
            user: Some(by.user),
            process: by.process,
            worker: worker.unwrap_or_default().to_owned(),
            reason: by.reason.clone().unwrap_or_default(),
            about: act.about.as_ref().map(Into::into),
        }
    }
}

/// An act; none where this version does not know what was done.
#[cfg(feature = "client")]
fn act(act: Act) -> Result<Option<act::Act>, InvalidMessage> {
    let deed = match enumerated("act.deed", act.deed) {
        Ok(Deed::Declared) => act::Deed::Declared,
        Ok(Deed::Resumed) => act::Deed::Resumed,
        Ok(Deed::Aborted) => act::Deed::Aborted,
        Ok(Deed::Dismissed) => act::Deed::Dismissed,
        Ok(Deed::Removed) => act::Deed::Removed,
        Ok(Deed::Unspecified) | Err(_) => return Ok(None),
    };
    let worker = (!act.worker.is_empty()).then(|| WorkerName::new(&act.worker));
    let worker = worker
        .map(|worker| name("act.worker", worker))
        .transpose()?;
    let by = act::By::process(act.user.unwrap_or_default(), act.process).of_worker(worker);
    let by = by.because(&act.reason);
    let by = by.map_err(|error| InvalidMessage::new("act.reason", error.to_string()))?;
    let about = act.about.map(TryInto::try_into).transpose()?;
    Ok(Some(by.did(deed, about, act.at_ms)))
}

/// Acts as they came.
///
/// # Errors
/// What is wrong with one of them.
#[cfg(feature = "client")]
pub(super) fn acts(acts: Acts) -> Result<Vec<act::Act>, InvalidMessage> {
    let known = acts.acts.into_iter().map(act);
    known.filter_map(Result::transpose).collect()
}
