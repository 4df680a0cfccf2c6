//! Declaring a change: checked before anything is journaled, and answered when it is durable.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use uuid::{Builder, Uuid};

use crate::actors::clock::Clock;
use crate::actors::coordinator::door::CoordinatorDoor;
use crate::actors::coordinator::message::With;
use crate::actors::directory::{Directory, KeyEntry};
use crate::actors::fetch::Fetcher;
use crate::actors::fetch::fetch_end::CannotWrite;
use crate::actors::fetch::what::What;
use crate::actors::key_message::KeyMessage;
use crate::guard::events::Events;
use crate::guard::foreign::Foreign;
use crate::guard::plugins::Plugins;
use crate::journal::fingerprints::KeyFingerprints;
use crate::journal::secrets::RotationSecrets;
use crate::key::effect::Answer;
use crate::key::error::KeyError;
use crate::key::event::{FetchFailure, Request as KeyRequest};
use crate::key::flow::SecretKeyUseCase;
use crate::key::versions::id::VersionId;
use crate::key::versions::version::MAX_VERSION_BYTES;
use crate::rotation::act::By;
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::event::{Declaration, DeclaredVersion, Event, OldKeys};
use crate::rotation::id::RotationId;
use crate::rotation::versions_error::VersionsError;
use crate::secret::scrub::Scrubber;
use crate::secret::value::{InvalidKey, SecretKeyPair, SecretKeyValue, SecretKeys};
use crate::store::keys_store::{KeysStore, StoreRequest};
use crate::worker::change::{Change, New, Old};

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
    /// Where the stores of new keys run.
    pub plugins: Arc<Plugins>,
    /// The program's log.
    pub events: Events,
    /// This process, by which what is not said to be another's is done.
    pub own: By,
    /// How long a call may take that asks for no key.
    pub limit: Duration,
    /// Makes a value of so many random bytes, or says why there are none.
    pub make_value: fn(usize) -> Result<SecretKeyValue, String>,
}

/// Where the new keys of a change come from that does not give them.
enum NewKeys {
    OfStore(Foreign<Arc<dyn KeysStore>>),
    Made(usize),
}

impl Declarer {
    /// Declares a change; answers its rotation's id when it is durable.
    ///
    /// # Errors
    /// `key_not_defined`, `invalid_reason`, `invalid_key`, `same_keys`, `other_declaration`, `rotation_unfinished`, `busy`,
    /// `repo_unavailable`, `write_unknown`, `timed_out`, `shut_down`; where a store is to be asked,
    /// `store_failed` and what asking the key answers.
    pub async fn declare(&self, change: Change, by: By) -> Result<RotationId, RotationError> {
        let by = match &change.reason {
            Some(reason) => by.because(reason)?,
            None => by,
        };
        let id = RotationId::new(change.id.unwrap_or_else(|| new_id(self.clock)));
        self.within(Some(id), self.declare_as(id, change, by)).await
    }

    async fn declare_as(
        &self,
        id: RotationId,
        change: Change,
        by: By,
    ) -> Result<RotationId, RotationError> {
        if self.directory.is_closed() {
            return Err(RotationError::ShutDown { id: None });
        }
        let entry = self.directory.find(&change.key).map_err(refused)?;
        let _permit = self.coordinator.permit()?;
        let (mut source, mut old) = match change.old {
            Old::Undeclared => (OldKeys::Undeclared, None),
            Old::Given(keys) => (OldKeys::Given, Some(checked(&entry, "old", &keys)?)),
            Old::OfStore => (OldKeys::OfStore, None),
        };
        let (mut source_of_new, mut new) = match change.new {
            New::Undeclared => (None, None),
            New::Given(keys) => (None, Some(checked(&entry, "new", &keys)?)),
            New::Generated(bytes) => (Some(NewKeys::Made(bytes)), None),
            New::From(store) => (Some(NewKeys::OfStore(Foreign::new(store))), None),
        };
        let versions = entry.behaviour().versions.is_some();
        if versions {
            // They are the version that is current when the rotation begins to run.
            (source, old) = (OldKeys::Given, None);
        }
        if old.is_some() && old == new {
            let key = entry.name().clone();
            return Err(RotationError::SameKeys { key });
        }
        let mut version = DeclaredVersion {
            id: VersionId::from_random(*Uuid::new_v4().as_bytes()),
            again: change.again,
            switch: None,
        };
        loop {
            let random =
                |keys: &Option<SecretKeyPair>| keys.as_ref().map(|_| Uuid::new_v4().as_u128());
            let name = entry.name();
            let declaration = Declaration {
                id,
                chosen: change.id.is_some(),
                key: name.clone(),
                declared: self.fingerprints.declared(name, old.as_ref(), new.as_ref()),
                old: source,
                new_unasked: source_of_new.is_some(),
                old_keys: random(&old),
                new_keys: random(&new),
                by: by.clone(),
                version,
            };
            let secrets = RotationSecrets {
                old: old.clone(),
                new: new.clone(),
                snapshot: None,
            };
            let make = move |ticket| Event::Declare {
                ticket,
                declaration,
            };
            match self.coordinator.send(With::Secrets(secrets), make).await? {
                Reply::AskStores { old: of_key } => {
                    if of_key {
                        old = Some(self.ask_own_store(&entry).await?);
                        source = OldKeys::Asked;
                    }
                    match source_of_new.take() {
                        Some(NewKeys::OfStore(store)) => {
                            new = Some(self.ask_store(&entry, store, old.as_ref()).await?);
                        }
                        Some(NewKeys::Made(bytes)) => new = Some(self.make(&entry, bytes)?),
                        None => {}
                    }
                    if let Some(new) = new.as_ref().filter(|_| versions) {
                        version.switch = Some(self.may_switch(&entry, new).await?);
                    }
                }
                Reply::Accepted { .. }
                | Reply::Done
                | Reply::WithoutVersions { .. }
                | Reply::Joined { .. }
                | Reply::CaughtUp { .. }
                | Reply::Report(_)
                | Reply::NotLive { .. } => return Ok(id),
            }
        }
    }

    /// New keys of so many random bytes.
    fn make(&self, entry: &KeyEntry, bytes: usize) -> Result<SecretKeyPair, RotationError> {
        let (which, key) = ("new", entry.name().clone());
        let refused = |why| RotationError::InvalidKey {
            key: key.clone(),
            which,
            why,
        };
        match bytes {
            0 => return Err(refused(InvalidKey::Empty)),
            1..=MAX_VERSION_BYTES => {}
            bytes => return Err(refused(InvalidKey::TooLong { bytes })),
        }
        let value = (self.make_value)(bytes).map_err(|why| {
            let key = key.clone();
            RotationError::StoreFailed { key, which, why }
        })?;
        checked(entry, which, &value.into())
    }

    /// Whether the last step of a rotation to these keys puts them into the key's store.
    async fn may_switch(
        &self,
        entry: &KeyEntry,
        new: &SecretKeyPair,
    ) -> Result<bool, RotationError> {
        let refuse = |why: String| {
            let key = entry.name().clone();
            Err(VersionsError::StoreNotWritable { key, why }.into())
        };
        let files = entry.fetcher().files();
        let others = self.directory.all();
        let others = others.iter().filter(|other| other.name() != entry.name());
        let (told, ended) = oneshot::channel();
        let fetcher = entry.fetcher().asked_to(What::Look);
        let halves = vec![new.forward().clone(), new.back().clone()];
        fetcher.fetch(Scrubber::new(halves), move |end| drop(told.send(end)));
        let Ok(end) = ended.await else {
            return Err(RotationError::ShutDown { id: None });
        };
        match (end.cannot_write, end.answer) {
            (Some(CannotWrite::ReadOnly), _) => return Ok(false),
            (Some(CannotWrite::Refused), Err(FetchFailure::Failed { why })) => return refuse(why),
            (None, Ok(found)) if !found.keys.is_pair() && !new.is_symmetric() => {
                return refuse("it has one value, and the new keys are a pair".to_owned());
            }
            // A store that is away now may be back at the last step.
            (_, _) => {}
        }
        for other in others {
            if other
                .fetcher()
                .files()
                .iter()
                .any(|file| files.contains(file))
            {
                return refuse(format!("key {} reads the same file", other.name()));
            }
        }
        Ok(true)
    }

    /// What the key's own store answers now.
    async fn ask_own_store(&self, entry: &KeyEntry) -> Result<SecretKeyPair, RotationError> {
        let which = "old";
        match entry.ask(KeyRequest::AskStore).await {
            Ok(Answer::OfStore(fetched)) => Ok(fetched.keys.to_pair()),
            Ok(
                Answer::Key { .. }
                | Answer::Version { .. }
                | Answer::Versions(_)
                | Answer::Candidates(_)
                | Answer::Saved
                | Answer::Staged { .. },
            ) => Err(RotationError::Unavailable { id: None }),
            Err(KeyError::StoreFailed { key, why }) => {
                Err(RotationError::StoreFailed { key, which, why })
            }
            Err(KeyError::InvalidKey { key, why }) => {
                Err(RotationError::InvalidKey { key, which, why })
            }
            Err(error) => Err(refused(error)),
        }
    }

    /// What the store of the new keys answers, which is read as the key's own is.
    async fn ask_store(
        &self,
        entry: &KeyEntry,
        store: Foreign<Arc<dyn KeysStore>>,
        old: Option<&SecretKeyPair>,
    ) -> Result<SecretKeyPair, RotationError> {
        let request = StoreRequest::new(entry.name().as_str());
        let limit = entry.behaviour().store_time_limit;
        let (plugins, events) = (Arc::clone(&self.plugins), self.events.clone());
        let fetcher = Fetcher::new(plugins, store, request, limit, events);
        let halves = old.into_iter();
        let halves = halves.flat_map(|pair| [pair.forward().clone(), pair.back().clone()]);
        let (reply, scrubber) = oneshot::channel();
        entry.post(KeyMessage::Scrubber(halves.collect(), reply));
        let scrubber = scrubber.await.map_err(|_| refused(entry.gone()))?;
        let (which, key) = ("new", entry.name().clone());
        let Some(turn) = entry.new_keys().take(&self.plugins, limit).await else {
            let why = "the store of new keys of another change has not returned".to_owned();
            return Err(RotationError::StoreFailed { key, which, why });
        };
        let (told, ended) = oneshot::channel();
        let plugins = Arc::clone(&self.plugins);
        fetcher.fetch(scrubber, move |mut end| {
            turn.end(&mut end, &plugins);
            drop(told.send(end.answer.map(|fetched| fetched.keys)))
        });
        match ended.await {
            Ok(Ok(keys)) => checked(entry, which, &keys),
            Ok(Err(FetchFailure::Invalid(why))) => {
                Err(RotationError::InvalidKey { key, which, why })
            }
            Ok(Err(FetchFailure::Failed { why })) => {
                Err(RotationError::StoreFailed { key, which, why })
            }
            Err(_) => Err(RotationError::ShutDown { id: None }),
        }
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

fn checked(
    entry: &KeyEntry,
    which: &'static str,
    keys: &SecretKeys,
) -> Result<SecretKeyPair, RotationError> {
    let one_way = entry.behaviour().use_case == SecretKeyUseCase::OneWayTrip;
    let fits = match keys.check() {
        Ok(()) if one_way && keys.is_pair() => Err(InvalidKey::PairForOneWay),
        checked => checked,
    };
    let key = entry.name().clone();
    fits.map_err(|why| RotationError::InvalidKey { key, which, why })?;
    Ok(keys.to_pair())
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
        KeyError::RepoUnavailable { why, .. } => RotationError::RepoUnavailable { why },
        KeyError::JournalLost { code, why, .. } => {
            let id = None;
            RotationError::JournalLost { id, code, why }
        }
        other => RotationError::OfKey(other),
    }
}
