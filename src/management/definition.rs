//! A key's definition, as a program gives it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::key::definition::{KeyBehaviour, OnKeyChangedCallbackErrorStrategy};
use crate::key::flow::SecretKeyUseCase;
use crate::key::versions::rules::VersionRules;
use crate::store::closure::IntoStore;
use crate::store::keys_store::KeysStore;

/// The definition of a key: its name, its store, and how it behaves.
///
/// ```
/// use keyward::SecretKeyDefinition;
/// let definition = SecretKeyDefinition::round_trip("documents", || "value_1").stateless(false);
/// ```
#[derive(Clone)]
#[must_use = "a key is there once `define_key` has taken its definition"]
pub struct SecretKeyDefinition {
    pub(crate) name: String,
    pub(crate) store: Arc<dyn KeysStore>,
    pub(crate) behaviour: KeyBehaviour,
}

impl fmt::Debug for SecretKeyDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKeyDefinition")
            .field("name", &self.name)
            .field("behaviour", &self.behaviour)
            .finish_non_exhaustive()
    }
}

impl SecretKeyDefinition {
    /// A key of this use case. Its store is any [`KeysStore`], or any sync or async closure
    /// without arguments that answers one value or a pair.
    pub fn new<M>(
        name: impl Into<String>,
        use_case: SecretKeyUseCase,
        store: impl IntoStore<M>,
    ) -> Self {
        Self {
            name: name.into(),
            store: store.into_store(),
            behaviour: KeyBehaviour {
                use_case,
                stateless: true,
                keep_in_cache: true,
                error_strategy: OnKeyChangedCallbackErrorStrategy::Halt,
                store_time_limit: Duration::from_secs(10),
                request_time_limit: Duration::from_secs(15),
                callback_time_limit: Duration::from_secs(30),
                workers_at_once: 1,
                max_requests: 1_024,
                max_waiting_rotations: 64,
                versions: None,
            },
        }
    }

    /// A key with one flow, as for authentication.
    pub fn one_way<M>(name: impl Into<String>, store: impl IntoStore<M>) -> Self {
        Self::new(name, SecretKeyUseCase::OneWayTrip, store)
    }

    /// A key with two flows, as for encryption and decryption.
    pub fn round_trip<M>(name: impl Into<String>, store: impl IntoStore<M>) -> Self {
        Self::new(name, SecretKeyUseCase::RoundTrip, store)
    }

    /// Whether the key's state is *not* kept in the state repo. Default: true.
    pub fn stateless(mut self, stateless: bool) -> Self {
        self.behaviour.stateless = stateless;
        self
    }

    /// Whether the pair stays in memory until the back path has had it. Default: true.
    pub fn keep_in_cache(mut self, keep: bool) -> Self {
        self.behaviour.keep_in_cache = keep;
        self
    }

    /// What a failed callback does to a rotation. Default: Halt.
    pub fn error_strategy(mut self, strategy: OnKeyChangedCallbackErrorStrategy) -> Self {
        self.behaviour.error_strategy = strategy;
        self
    }

    /// How long one fetch from the store may take, its wait for a thread included. Default: 10 s.
    pub fn store_time_limit(mut self, limit: Duration) -> Self {
        self.behaviour.store_time_limit = limit;
        self
    }

    /// How long a request may take from its arrival. Default: 15 s.
    pub fn request_time_limit(mut self, limit: Duration) -> Self {
        self.behaviour.request_time_limit = limit;
        self
    }

    /// How long one callback may take. Default: 30 s.
    pub fn callback_time_limit(mut self, limit: Duration) -> Self {
        self.behaviour.callback_time_limit = limit;
        self
    }

    /// How many workers run their callbacks at once in a rotation of this key. Default: 1.
    pub fn workers_at_once(mut self, workers: usize) -> Self {
        self.behaviour.workers_at_once = workers;
        self
    }

    /// How many requests the key admits at once; three quarters of them may wait for the store.
    /// Default: 1,024.
    pub fn max_requests(mut self, requests: usize) -> Self {
        self.behaviour.max_requests = requests;
        self
    }

    /// How many rotations of the key may wait. Default: 64.
    pub fn max_waiting_rotations(mut self, rotations: usize) -> Self {
        self.behaviour.max_waiting_rotations = rotations;
        self
    }

    /// Whether the key has versions: every value that it had stays, under an id of its own by which data is read,
    /// until nothing needs it. What the store answers at the definition becomes the first one. Default: false.
    ///
    /// A key goes back to `false` only while it has one version.
    pub fn versions(mut self, versions: bool) -> Self {
        let rules = self.behaviour.versions.take().unwrap_or_default();
        self.behaviour.versions = versions.then_some(rules);
        self
    }

    /// How long a program may write with a version that a get answered it: so long after the last such get a
    /// rotation waits until it re-encrypts. The key has versions. Default: 30 s.
    pub fn drain(mut self, drain: Duration) -> Self {
        self.rules().drain = drain;
        self
    }

    /// How long data lives that is written with the key, tokens for example: so long after all write with a later
    /// version nothing is owed to anybody for such data. The key has versions. Default: for ever.
    pub fn data_lives(mut self, lives: Duration) -> Self {
        self.rules().data_lives = Some(lives);
        self
    }

    /// How many versions may be readable at once. The key has versions. Default: 16.
    pub fn max_readable_versions(mut self, versions: usize) -> Self {
        self.rules().max_readable = versions;
        self
    }

    /// Where the store has no key as the key gets versions, keyward makes the first value, of so many random bytes.
    /// The key has versions. Default: it makes none.
    pub fn make_first_value(mut self, bytes: usize) -> Self {
        self.rules().make_first = Some(bytes);
        self
    }

    fn rules(&mut self) -> &mut VersionRules {
        self.behaviour.versions.get_or_insert_default()
    }

    /// What is wrong with the definition, if anything is.
    pub(crate) fn fault(&self) -> Option<String> {
        let KeyBehaviour {
            store_time_limit,
            request_time_limit,
            callback_time_limit,
            workers_at_once,
            max_requests,
            max_waiting_rotations,
            ..
        } = &self.behaviour;
        let limits = [
            ("store_time_limit", store_time_limit),
            ("request_time_limit", request_time_limit),
            ("callback_time_limit", callback_time_limit),
        ];
        let bounds = [
            ("workers_at_once", workers_at_once),
            ("max_requests", max_requests),
            ("max_waiting_rotations", max_waiting_rotations),
        ];
        let zero_limit = limits.iter().find(|(_, limit)| limit.is_zero());
        let zero_bound = bounds.iter().find(|(_, bound)| **bound == 0);
        let rules = self.behaviour.versions.as_ref();
        if let Some(why) = rules.and_then(VersionRules::fault) {
            return Some(why);
        }
        let name = zero_limit
            .map(|(name, _)| name)
            .or(zero_bound.map(|(name, _)| name));
        name.map(|name| format!("{name} is zero; give it more"))
    }
}
