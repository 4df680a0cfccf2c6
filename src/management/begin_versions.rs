//! Giving versions to keys that are defined with them and have none yet: what their stores and records have becomes
//! the first ones.

use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::actors::coordinator::message::With;
use crate::actors::directory::NewKey;
use crate::actors::fetch::fetch_end::FetchEnd;
use crate::actors::journal_thread::Refused;
use crate::actors::key_actor::KeyMeans;
use crate::crypto::random::{fill_random, random_bytes};
use crate::key::error::KeyError;
use crate::key::event::FetchFailure;
use crate::key::flow::SecretKeyUseCase;
use crate::key::name::KeyName;
use crate::key::state::Loaded;
use crate::key::versions::held::{VersionValue, VersionValues};
use crate::key::versions::id::VersionId;
use crate::key::versions::table::{FirstVersion, NewVersion};
use crate::key::versions::version::{Cause, Prints, check_size};
use crate::management::keys_management::KeysManagement;
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::event::Event;
use crate::secret::scrub::Scrubber;
use crate::secret::value::{InvalidKey, SecretKeyPair, SecretKeyValue, SecretKeys};

impl KeysManagement {
    /// Gives versions to those of these keys that are to have some and have none.
    pub(super) async fn begin_versions(&self, new: &[NewKey]) -> Result<(), RotationError> {
        let versioned = new.iter().map(|key| &key.means);
        let versioned = versioned.filter(|means| means.behaviour.versions.is_some());
        let keys: Vec<KeyName> = versioned.map(|means| means.name.clone()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let look = move |ticket| Event::LookForVersions { ticket, keys };
        let coordinator = &self.inner.declarer.coordinator;
        let without = match coordinator.ask(With::Nothing, look).await? {
            Reply::WithoutVersions { keys } => keys,
            Reply::Done
            | Reply::Joined { .. }
            | Reply::CaughtUp { .. }
            | Reply::Accepted { .. }
            | Reply::AskStores { .. }
            | Reply::Report(_)
            | Reply::NotLive { .. } => Vec::new(),
        };
        for NewKey { means, .. } in new {
            if without.contains(&means.name) {
                self.begin_versions_of(means).await?;
            }
        }
        Ok(())
    }

    async fn begin_versions_of(&self, means: &KeyMeans) -> Result<(), RotationError> {
        let key = means.name.clone();
        let (pair, cause) = self.first_value(means).await?;
        let prints = means.fingerprints.of(&key, &pair);
        let first = self.new_version(&key, Prints::of(prints))?;
        let mut values = VersionValues::from([(first.id, VersionValue::Whole(pair))]);
        let earlier = match self.recorded(&key).await? {
            Some(back) => {
                let [_, print] = means
                    .fingerprints
                    .of(&key, &SecretKeyPair::of(back.clone()));
                let (forward, back_print) = (None, print);
                let other = print != first.prints.back;
                let prints = Prints {
                    forward,
                    back: back_print,
                };
                let earlier = other.then(|| self.new_version(&key, prints)).transpose()?;
                if let Some(earlier) = &earlier {
                    values.insert(earlier.id, VersionValue::Back(back));
                }
                earlier
            }
            None => None,
        };
        let first = FirstVersion {
            first,
            cause,
            earlier,
        };
        let begin = move |ticket| Event::BeginVersions { ticket, key, first };
        let coordinator = &self.inner.declarer.coordinator;
        coordinator.ask(With::Values(values), begin).await.map(drop)
    }

    fn new_version(&self, key: &KeyName, prints: Prints) -> Result<NewVersion, RotationError> {
        let random = random_bytes().map_err(|error| no_randomness(key, &error))?;
        let id = VersionId::from_random(random);
        Ok(NewVersion { id, prints })
    }

    /// What the key's store answers, or a value that is made because it has none.
    async fn first_value(&self, means: &KeyMeans) -> Result<(SecretKeyPair, Cause), RotationError> {
        let key = &means.name;
        let (told, ended) = oneshot::channel();
        let fetcher = &means.fetcher;
        fetcher.fetch(Scrubber::default(), move |end| drop(told.send(end)));
        let Ok(FetchEnd {
            answer, has_none, ..
        }) = ended.await
        else {
            return Err(RotationError::ShutDown { id: None });
        };
        let rules = means.behaviour.versions.as_ref();
        let made = rules
            .and_then(|rules| rules.make_first)
            .filter(|_| has_none);
        if let Some(bytes) = made {
            let mut value = Zeroizing::new(vec![0; bytes]);
            fill_random(&mut value).map_err(|error| no_randomness(key, &error))?;
            let value = SecretKeyValue::from_zeroizing(value);
            return Ok((SecretKeyPair::of(value), Cause::Made));
        }
        let why = match answer {
            Ok(fetched) => match checked(means.behaviour.use_case, &fetched.keys) {
                Ok(pair) => return Ok((pair, Cause::Adopted)),
                Err(why) => why,
            },
            Err(FetchFailure::Invalid(why)) => why,
            Err(FetchFailure::Failed { why }) => {
                let key = key.clone();
                return Err(RotationError::OfKey(KeyError::StoreFailed { key, why }));
            }
        };
        let key = key.clone();
        Err(RotationError::OfKey(KeyError::InvalidKey { key, why }))
    }

    /// The back half that the key's state record has.
    async fn recorded(&self, key: &KeyName) -> Result<Option<SecretKeyValue>, RotationError> {
        let of = key.clone();
        let loaded = self
            .inner
            .journal
            .ask(move |journal| journal.load_state(&of));
        match loaded.await {
            Ok(Loaded::Absent) => Ok(None),
            Ok(Loaded::Record(record)) => Ok(record.key),
            Ok(Loaded::Unreadable { why }) => {
                let key = key.clone();
                Err(RotationError::OfKey(KeyError::StateUnreadable { key, why }))
            }
            Ok(Loaded::Unavailable { why }) => Err(RotationError::of_journal(None, why)),
            Err(Refused::Busy { bound }) => Err(RotationError::Busy { bound }),
            Err(Refused::Closed) => Err(RotationError::ShutDown { id: None }),
        }
    }
}

fn checked(use_case: SecretKeyUseCase, keys: &SecretKeys) -> Result<SecretKeyPair, InvalidKey> {
    keys.check()?;
    if use_case == SecretKeyUseCase::OneWayTrip && keys.is_pair() {
        return Err(InvalidKey::PairForOneWay);
    }
    let pair = keys.to_pair();
    check_size(&pair)?;
    Ok(pair)
}

fn no_randomness(key: &KeyName, error: &dyn std::error::Error) -> RotationError {
    let (key, why) = (key.clone(), error.to_string());
    RotationError::OfKey(KeyError::StoreFailed { key, why })
}
