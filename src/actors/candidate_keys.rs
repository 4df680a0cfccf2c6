//! Every back half that data of a key may be under: what the key knows, and the halves of its rotations
//! that have begun. Nothing is changed by it.

use std::collections::{BTreeSet, HashSet};

use futures_util::future::join;
use tokio::sync::oneshot;

use crate::actors::coordinator::message::CoordinatorMessage;
use crate::actors::declarer::Declarer;
use crate::actors::directory::KeyEntry;
use crate::actors::journal_thread::{JournalThread, Refused};
use crate::actors::overview::RotationHalves;
use crate::guard::fork;
use crate::journal::fingerprints::KeyFingerprints;
use crate::journal::secrets::RotationSecrets;
use crate::key::effect::Answer;
use crate::key::error::KeyError;
use crate::key::event::Request;
use crate::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use crate::key::name::KeyName;
use crate::key::time::Time;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};

/// How often the key is asked anew at most, where rotations of it begin or end while it is asked.
const ROUNDS: usize = 4;

/// Candidates so far, each once.
struct FoundCandidates<'a> {
    key: &'a KeyName,
    prints: &'a KeyFingerprints,
    known: HashSet<[u8; 32]>,
    values: Vec<SecretKeyValue>,
    obsolete: BTreeSet<RotationId>,
}

impl FoundCandidates<'_> {
    /// Keyed fingerprints tell which are the same: how long that takes tells nothing of a key.
    fn add(&mut self, value: SecretKeyValue) {
        let pair = SecretKeyPair::of(value.clone());
        let [_, back] = self.prints.of(self.key, &pair);
        if self.known.insert(back) {
            self.values.push(value);
        }
    }

    fn add_halves(&mut self, halves: &RotationHalves) {
        for (id, is_obsolete, secrets) in &halves.begun {
            let pairs = secrets.iter().flat_map(|keys| [&keys.new, &keys.old]);
            for pair in pairs.flatten() {
                self.add(pair.back().clone());
                if *is_obsolete {
                    self.obsolete.insert(*id);
                }
            }
        }
    }
}

/// Every back half that data of a key may be under, each once, the likeliest first.
///
/// # Errors
/// `invalid_flow` for a one-way key, `timed_out`, `busy`, `shut_down`, `unavailable`, `key_failed`,
/// `coordinator_failed`, `forked`. A store or a record that fails or hangs is none.
pub async fn candidates(
    declarer: &Declarer,
    journal: &JournalThread,
    entry: &KeyEntry,
) -> Result<Vec<SecretKeyValue>, KeyError> {
    fork::refuse_child()?;
    if entry.behaviour().versions.is_some() {
        return entry.version_candidates().await;
    }
    let use_case = entry.behaviour().use_case;
    if use_case == SecretKeyUseCase::OneWayTrip {
        return Err(KeyError::InvalidFlow {
            key: entry.name().clone(),
            flow: SecretKeyFlow::BackPath,
            use_case,
        });
    }
    let mut found = FoundCandidates {
        key: entry.name(),
        prints: &declarer.fingerprints,
        known: HashSet::new(),
        values: Vec::new(),
        obsolete: BTreeSet::new(),
    };
    let asking = CandidateSearch::new(declarer, journal, entry);
    let mut rounds = Vec::new();
    let Some(halves) = asking.halves().await? else {
        let (key, limit) = (entry.name().clone(), entry.behaviour().request_time_limit);
        return Err(KeyError::TimedOut { key, limit });
    };
    let mut next = Some(halves);
    for _ in 0..ROUNDS {
        let Some(halves) = next.take() else {
            break;
        };
        let mark = halves.mark.clone();
        let of_key = entry.ask_by(Request::Candidates, asking.deadline);
        let (of_key, read) = join(of_key, asking.read(halves)).await;
        if let Answer::Candidates(values) = of_key? {
            values.into_iter().for_each(|value| found.add(value));
        }
        rounds.push(read?);
        // What began meanwhile has its keys only now, and what ended had them only before.
        let after = asking.halves().await?;
        next = after.filter(|after| after.mark != mark);
    }
    if let Some(halves) = next {
        rounds.push(asking.read(halves).await?);
    }
    rounds
        .iter()
        .rev()
        .for_each(|round| found.add_halves(round));
    for rotation in found.obsolete {
        let key = entry.name().clone();
        declarer.events.tell(move || {
            tracing::warn!(%key, %rotation, "keys of an obsolete rotation are among the candidates");
        });
    }
    Ok(found.values)
}

/// CandidateSearch for the halves of a key's rotations, within the limit of one request.
struct CandidateSearch<'a> {
    declarer: &'a Declarer,
    journal: &'a JournalThread,
    entry: &'a KeyEntry,
    /// When the key and the journal must have answered. A store or a record that hangs leaves a tenth
    /// of the limit to ask the coordinator, which answers from what it knows.
    deadline: Time,
    end: Time,
}

impl<'a> CandidateSearch<'a> {
    fn new(declarer: &'a Declarer, journal: &'a JournalThread, entry: &'a KeyEntry) -> Self {
        let limit = entry.behaviour().request_time_limit;
        let now = declarer.clock.now();
        Self {
            declarer,
            journal,
            entry,
            deadline: now.after(limit - limit / 10),
            end: now.after(limit),
        }
    }

    /// Waits for this until then; none where that passes before.
    async fn until<T>(&self, end: Time, wait: impl Future<Output = T>) -> Option<T> {
        let left = self.declarer.clock.now().until(end);
        self.declarer.plugins.within(left, wait).await
    }

    /// The halves, without the keys that are in the journal only; none where the coordinator does not
    /// answer in time.
    async fn halves(&self) -> Result<Option<RotationHalves>, KeyError> {
        let coordinator = &self.declarer.coordinator;
        let key = self.entry.name().clone();
        let permit = coordinator.permit().map_err(|error| self.failed(error))?;
        let (reply, halves) = oneshot::channel();
        coordinator.post(CoordinatorMessage::Halves { key, reply, permit });
        let halves = self.until(self.end, halves).await.transpose();
        halves.map_err(|_| self.failed(coordinator.gone()))
    }

    /// The halves with the keys that are in the journal only.
    async fn read(&self, mut halves: RotationHalves) -> Result<RotationHalves, KeyError> {
        for (id, _, secrets) in &mut halves.begun {
            if secrets.is_none() {
                let id = *id;
                let read = self.journal.ask(move |journal| journal.living_secrets(id));
                *secrets = match self.until(self.deadline, read).await {
                    Some(Err(Refused::Busy { bound })) => {
                        return Err(self.failed(RotationError::Busy { bound }));
                    }
                    Some(Ok(Ok(found))) => found,
                    // A record that cannot be read, or not in time, hides nothing of the rest.
                    Some(Ok(Err(_)) | Err(Refused::Closed)) | None => None,
                };
            }
        }
        // One that has ended may never have begun.
        let has_begun = |keys: &RotationSecrets| keys.snapshot.is_some();
        halves
            .begun
            .retain(|(.., keys)| keys.as_ref().is_none_or(has_begun));
        Ok(halves)
    }

    fn failed(&self, error: RotationError) -> KeyError {
        let key = self.entry.name().clone();
        match error {
            RotationError::ShutDown { .. } => KeyError::ShutDown { key },
            RotationError::Busy { bound } => KeyError::Busy { key, bound },
            RotationError::CoordinatorFailed { why } => KeyError::CoordinatorFailed { why },
            _ => KeyError::Unavailable { key },
        }
    }
}
