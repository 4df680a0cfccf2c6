//! Declaring a change: checked before anything is journaled, and answered when it is durable.

use std::sync::Arc;

use tokio::sync::oneshot;
use uuid::{Builder, Uuid};

use crate::actors::admission::{Place, Places};
use crate::actors::clock::Clock;
use crate::actors::coordinator::CoordinatorPart;
use crate::actors::coordinator_message::{CoordinatorMessage, Parcel, Request, With};
use crate::actors::directory::{Directory, KeyEntry};
use crate::actors::key_message::KeyMessage;
use crate::actors::supervision::seat::Seat;
use crate::guard::fork;
use crate::journal::fingerprints::KeyFingerprints;
use crate::journal::load::RotationSecrets;
use crate::key::error::KeyError;
use crate::key::flow::SecretKeyUseCase;
use crate::key::name::WorkerName;
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::event::{Ask, Declaration, Event};
use crate::rotation::id::RotationId;
use crate::secret::value::{InvalidKey, SecretKeyPair, SecretKeys};
use crate::worker::change::Change;

/// How many requests the coordinator admits at once.
pub const MAX_COORDINATOR_REQUESTS: usize = 16_384;

/// How many may wait for rotations at once.
const MAX_WAITS: usize = 65_536;

/// How many messages may lie in its mailbox.
const MAX_MAIL: usize = 16_384;

/// How many listings it may be asked for at once.
const MAX_LISTINGS: usize = 64;

/// The way to the coordinator, with admission on it.
#[derive(Clone)]
pub struct CoordinatorDoor {
    seat: Arc<Seat<CoordinatorPart>>,
    directory: Arc<Directory>,
    places: Arc<Places>,
    waits: Arc<Places>,
    mail: Arc<Places>,
    listings: Arc<Places>,
}

impl CoordinatorDoor {
    /// The way to this coordinator.
    pub fn new(seat: Arc<Seat<CoordinatorPart>>, directory: Arc<Directory>) -> Self {
        Self {
            seat,
            directory,
            places: Places::new(MAX_COORDINATOR_REQUESTS),
            waits: Places::new(MAX_WAITS),
            mail: Places::new(MAX_MAIL),
            listings: Places::new(MAX_LISTINGS),
        }
    }

    /// Tells the coordinator something.
    pub fn post(&self, message: CoordinatorMessage) {
        self.seat.post(message);
    }

    /// Why the coordinator has not answered.
    pub fn gone(&self) -> RotationError {
        let id = None;
        if self.directory.is_closed() {
            return RotationError::ShutDown { id };
        }
        match self.seat.failure() {
            Some(why) => RotationError::CoordinatorFailed { why },
            None => RotationError::Unavailable { id },
        }
    }

    /// A place for a listing, which goes with its message.
    ///
    /// # Errors
    /// `busy`.
    pub fn listing(&self) -> Result<Place, RotationError> {
        take(&self.listings)
    }

    /// Asks the coordinator, if a place is free.
    ///
    /// # Errors
    /// `busy`, `shut_down`, `unavailable`, `coordinator_failed`, and what the coordinator answers.
    pub async fn ask(
        &self,
        with: With,
        make: impl FnOnce(Ask) -> Event + Send + 'static,
    ) -> Result<Reply, RotationError> {
        let place = self.place()?;
        self.ask_in(place, with, make).await
    }

    /// A place of somebody who wants something done.
    ///
    /// # Errors
    /// `busy`.
    pub fn place(&self) -> Result<Place, RotationError> {
        take(&self.places)
    }

    /// As [`ask`](Self::ask), in a place that is taken already.
    ///
    /// # Errors
    /// As there, but `busy`.
    pub async fn ask_in(
        &self,
        _place: Place,
        with: With,
        make: impl FnOnce(Ask) -> Event + Send + 'static,
    ) -> Result<Reply, RotationError> {
        self.send(with, make).await
    }

    /// A place of somebody who waits.
    ///
    /// # Errors
    /// `busy`.
    pub fn place_to_wait(&self) -> Result<Place, RotationError> {
        take(&self.waits)
    }

    /// Waits for a rotation: such requests take long, and have places of their own.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn wait(&self, id: RotationId) -> Result<Reply, RotationError> {
        self.send(With::Nothing, move |ask| Event::Wait { ask, id })
            .await
    }

    async fn send(
        &self,
        with: With,
        make: impl FnOnce(Ask) -> Event + Send + 'static,
    ) -> Result<Reply, RotationError> {
        let mail = take(&self.mail)?;
        let (reply, answer) = oneshot::channel();
        let joining = match &with {
            With::Worker(worker) => Some(worker.clone()),
            With::Nothing | With::Secrets(_) | With::Key(_) | With::Callback { .. } => None,
        };
        let request = Parcel::new(Request {
            make: Box::new(make),
            with,
        });
        let mut asking = Asking {
            seat: &self.seat,
            request: request.clone(),
            answer,
            joining,
        };
        self.seat.post(CoordinatorMessage::Ask {
            request,
            reply,
            mail,
        });
        let answered = (&mut asking.answer).await;
        asking.joining = None;
        answered.unwrap_or_else(|_| Err(self.gone()))
    }
}

fn take(places: &Arc<Places>) -> Result<Place, RotationError> {
    fork::refuse_child()?;
    let bound = places.bound();
    places.take().ok_or(RotationError::Busy { bound })
}

/// Sees to it that nothing is left of what nobody waits for: neither what was asked for, nor a worker
/// that joined, whose name is free then.
struct Asking<'a> {
    seat: &'a Seat<CoordinatorPart>,
    request: Parcel,
    answer: oneshot::Receiver<Result<Reply, RotationError>>,
    joining: Option<WorkerName>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        drop(self.request.take());
        let Some(worker) = self.joining.take() else {
            return;
        };
        self.answer.close();
        if let Ok(Ok(Reply::Joined { incarnation })) = self.answer.try_recv() {
            let died = Event::Died {
                worker,
                incarnation,
            };
            self.seat.post(CoordinatorMessage::Happened(Box::new(died)));
        }
    }
}

/// Everything that declaring a change needs.
#[derive(Clone)]
pub struct Declarer {
    /// Where the keys are.
    pub directory: Arc<Directory>,
    /// The way to the coordinator.
    pub coordinator: CoordinatorDoor,
    /// What tells the same declaration from another one.
    pub fingerprints: KeyFingerprints,
    /// The clock, for new ids.
    pub clock: Clock,
}

impl Declarer {
    /// Declares a change; answers its rotation's id when it is durable.
    ///
    /// # Errors
    /// `key_not_defined`, `invalid_key`, `same_keys`, `other_declaration`, `busy`,
    /// `repo_unavailable`, `write_unknown`, `shut_down`.
    pub async fn declare(&self, change: Change) -> Result<RotationId, RotationError> {
        fork::refuse_child()?;
        if self.directory.is_closed() {
            return Err(RotationError::ShutDown { id: None });
        }
        let entry = self.directory.find(&change.key).map_err(refused)?;
        // Before the key is asked what it holds, so that this is bounded as well.
        let place = self.coordinator.place()?;
        let old = checked(&entry, "old", change.old.as_ref())?;
        let new = checked(&entry, "new", change.new.as_ref())?;
        if old.is_some() && old == new {
            let key = entry.name().clone();
            return Err(RotationError::SameKeys { key });
        }
        let declared = self
            .fingerprints
            .declared(entry.name(), old.as_ref(), new.as_ref());
        let old = match old {
            Some(old) => Some(old),
            None => held(&entry).await?,
        };
        let id = RotationId::new(change.id.unwrap_or_else(|| new_id(self.clock)));
        let random = |keys: &Option<SecretKeyPair>| keys.as_ref().map(|_| Uuid::new_v4().as_u128());
        let declaration = Declaration {
            id,
            chosen: change.id.is_some(),
            key: entry.name().clone(),
            declared,
            old_keys: random(&old),
            new_keys: random(&new),
        };
        let secrets = RotationSecrets {
            old,
            new,
            snapshot: None,
        };
        let make = move |ask| Event::Declare { ask, declaration };
        self.coordinator
            .ask_in(place, With::Secrets(secrets), make)
            .await
            .map(|_accepted| id)
    }
}

/// A UUID v7 of the clock's time. The call of its crate that asks the clock itself panics before 1970.
fn new_id(clock: Clock) -> Uuid {
    let random = Uuid::new_v4();
    // The two bytes between these also say which kind of UUID it is.
    let [a, b, c, d, e, f, _, _, _, g, h, i, j, ..] = *random.as_bytes();
    let random = [a, b, c, d, e, f, g, h, i, j];
    Builder::from_unix_timestamp_millis(clock.moment().wall_ms, &random).into_uuid()
}

/// What the key holds. One that does not answer is not taken for one that holds nothing.
async fn held(entry: &KeyEntry) -> Result<Option<SecretKeyPair>, RotationError> {
    let (reply, held) = oneshot::channel();
    entry.post(KeyMessage::Held(reply));
    held.await.map_err(|_| refused(entry.gone()))
}

fn checked(
    entry: &KeyEntry,
    which: &'static str,
    keys: Option<&SecretKeys>,
) -> Result<Option<SecretKeyPair>, RotationError> {
    let Some(keys) = keys else {
        return Ok(None);
    };
    let one_way = entry.behaviour().use_case == SecretKeyUseCase::OneWayTrip;
    let fits = match keys.check() {
        Ok(()) if one_way && keys.is_pair() => Err(InvalidKey::PairForOneWay),
        checked => checked,
    };
    let key = entry.name().clone();
    fits.map_err(|why| RotationError::InvalidKey { key, which, why })?;
    Ok(Some(keys.to_pair()))
}

/// A key that cannot be found, as the coordinator says it.
pub fn refused(error: KeyError) -> RotationError {
    match error {
        KeyError::InvalidName(error) => RotationError::InvalidName(error),
        KeyError::NotDefined { key } => RotationError::KeyNotDefined { key },
        KeyError::InvalidDefinition { key, why } => RotationError::InvalidDefinition { key, why },
        KeyError::Forked => RotationError::Forked,
        KeyError::ShutDown { .. } => RotationError::ShutDown { id: None },
        KeyError::Unavailable { .. } => RotationError::Unavailable { id: None },
        KeyError::Failed { key, why } => RotationError::KeyFailed { key, why },
        other => RotationError::RepoUnavailable {
            why: other.to_string(),
        },
    }
}
