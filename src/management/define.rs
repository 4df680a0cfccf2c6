//! Defining keys.

use std::sync::Arc;

use crate::actors::coordinator::message::{CoordinatorMessage, With};
use crate::actors::directory::NewKey;
use crate::actors::fetch::Fetcher;
use crate::actors::journal_thread::Refused;
use crate::actors::key_actor::KeyMeans;
use crate::guard::foreign::Foreign;
use crate::key::declared::Declared;
use crate::key::definition::KeyBehaviour;
use crate::key::journal_down::JournalDown;
use crate::key::name::{KeyName, WorkerName};
use crate::key::versions::id::VersionId;
use crate::management::definition::SecretKeyDefinition;
use crate::management::keys_management::KeysManagement;
use crate::rotation::error::RotationError;
use crate::rotation::event::Event;
use crate::store::keys_store::{KeysStore, StoreRequest};

/// A definition whose store is dropped on a thread where foreign code may run.
struct GuardedDefinition {
    name: String,
    behaviour: KeyBehaviour,
    store: Foreign<Arc<dyn KeysStore>>,
    fault: Option<String>,
}

impl KeysManagement {
    /// Defines a key. Rotations of it that an earlier life left unfinished go on.
    ///
    /// # Errors
    /// `invalid_name`; `invalid_definition` if a limit or bound is zero, the key is defined already, or an
    /// unfinished rotation was accepted with another use case; `timed_out`, `busy`, `repo_unavailable`,
    /// `write_unknown`, `unavailable`, `coordinator_failed`, `shut_down`, `forked`.
    pub async fn define_key(&self, definition: SecretKeyDefinition) -> Result<(), RotationError> {
        self.inner
            .declarer
            .within(None, self.define([definition]))
            .await
    }

    /// Defines keys, all of them or none, as [`define_key`](Self::define_key) does each.
    ///
    /// # Errors
    /// As [`define_key`](Self::define_key), of the first key that cannot be defined; then none was.
    pub async fn define_keys(
        &self,
        definitions: impl IntoIterator<Item = SecretKeyDefinition>,
    ) -> Result<(), RotationError> {
        self.inner
            .declarer
            .within(None, self.define(definitions))
            .await
    }

    async fn define(
        &self,
        definitions: impl IntoIterator<Item = SecretKeyDefinition>,
    ) -> Result<(), RotationError> {
        // Wherever this ends, or is given up.
        let guard = |definition: SecretKeyDefinition| {
            let fault = definition.fault();
            let SecretKeyDefinition {
                name,
                behaviour,
                store,
            } = definition;
            let store = Foreign::new(store);
            GuardedDefinition {
                name,
                behaviour,
                store,
                fault,
            }
        };
        let definitions: Vec<GuardedDefinition> = definitions.into_iter().map(guard).collect();
        let (mut keys, mut new) = (Vec::new(), Vec::new());
        for definition in definitions {
            let defined = self.new_key(definition).await?;
            keys.push((defined.means.name.clone(), defined.means.behaviour.clone()));
            new.push(defined);
        }
        self.begin_versions(&new).await?;
        let define = move |ticket| Event::Define { ticket, keys };
        let coordinator = &self.inner.declarer.coordinator;
        coordinator.ask(With::Keys(new), define).await?;
        Ok(())
    }

    /// What the actor of a key needs.
    async fn new_key(&self, definition: GuardedDefinition) -> Result<NewKey, RotationError> {
        let GuardedDefinition {
            name,
            behaviour,
            store,
            fault,
        } = definition;
        let name = KeyName::new(&name)?;
        if let Some(why) = fault {
            return Err(RotationError::InvalidDefinition { key: name, why });
        }
        let of_key = name.clone();
        let declared = self
            .inner
            .journal
            .ask(move |journal| journal.last_declared(&of_key))
            .await;
        let declared = match declared {
            Ok(Ok(declared)) => declared,
            Ok(Err(error)) => {
                let key = name.clone();
                self.inner.events.tell(move || {
                    tracing::warn!(%key, %error, "what was declared last cannot be read");
                });
                Declared::default()
            }
            Err(Refused::Busy { bound }) => return Err(RotationError::Busy { bound }),
            Err(Refused::Closed) => return Err(RotationError::ShutDown { id: None }),
        };
        let Some(thread) = self.inner.next_thread() else {
            return Err(RotationError::ShutDown { id: None });
        };
        #[cfg(feature = "testing")]
        let store = self.inner.settings.panics.store(store);
        let means = KeyMeans {
            name: name.clone(),
            behaviour: behaviour.clone(),
            fetcher: Fetcher::new(
                Arc::clone(&self.inner.plugins),
                store,
                StoreRequest::new(name.as_str()),
                behaviour.store_time_limit,
                self.inner.events.clone(),
            ),
            journal: self.inner.journal.clone(),
            fingerprints: self.inner.declarer.fingerprints.clone(),
            declared,
            hand_out: self.hand_out(&name),
            in_doubt: self.in_doubt(),
            events: self.inner.events.clone(),
            clock: self.inner.clock,
        };
        Ok(NewKey { means, thread })
    }

    /// Has the coordinator let a version of the key owe a worker.
    fn hand_out(&self, key: &KeyName) -> Arc<dyn Fn(VersionId, WorkerName) + Send + Sync> {
        let (coordinator, key) = (self.inner.declarer.coordinator.clone(), key.clone());
        Arc::new(move |version, worker| {
            let key = key.clone();
            let event = Event::HandOut {
                key,
                version,
                worker,
            };
            coordinator.post(CoordinatorMessage::Happened(Box::new(event)));
        })
    }

    /// Tells the coordinator that it is unknown whether a write was made.
    fn in_doubt(&self) -> Arc<dyn Fn(JournalDown) + Send + Sync> {
        let coordinator = self.inner.declarer.coordinator.clone();
        Arc::new(move |why| coordinator.post(CoordinatorMessage::InDoubt(why)))
    }
}
