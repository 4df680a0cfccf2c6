//! Every back half that data of a key may be under: what the key knows, and the halves of its rotations
//! that have begun. Nothing is changed by it.

use std::collections::{BTreeSet, HashSet};

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::actors::coordinator::CoordinatorPart;
use crate::actors::coordinator_message::CoordinatorMessage;
use crate::actors::declare::Declarer;
use crate::actors::directory::KeyEntry;
use crate::actors::journal_thread::{JournalThread, Refused};
use crate::actors::rotation_keys::Kept;
use crate::guard::fork;
use crate::journal::fingerprints::KeyFingerprints;
use crate::journal::load::RotationSecrets;
use crate::key::effect::Answer;
use crate::key::error::KeyError;
use crate::key::event::Request;
use crate::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use crate::key::name::KeyName;
use crate::key::time::Time;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::rotation::state::RotationState;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};

/// How often the key is asked anew at most, where rotations of it begin or end while it is asked.
const ROUNDS: usize = 4;

/// The halves of a key's rotations.
#[derive(Debug, Default)]
pub struct RotationHalves {
    /// Each that has begun and holds its keys, the one that was declared last first: whether it is
    /// obsolete, and its keys, where they are not in the journal only.
    begun: Vec<(RotationId, bool, Option<RotationSecrets>)>,
    /// What tells whether one has begun, ended or been declared since.
    mark: (u64, Vec<(RotationId, RotationState, bool)>),
}

impl CoordinatorPart {
    /// The halves of the rotations of a key.
    pub(super) fn halves(&self, key: &KeyName) -> RotationHalves {
        let (next, headers) = self.engine.machine().latest_of(key);
        let mut halves = RotationHalves::default();
        for id in self.ending(key) {
            let here = self.secrets.get(&id).and_then(Kept::secrets);
            halves.mark.1.push((id, RotationState::Running, true));
            halves.begun.push((id, false, here.cloned()));
        }
        for header in headers {
            let state = (header.id, header.state, header.begun);
            halves.mark.1.push(state);
            if header.begun {
                let here = self.secrets.get(&header.id).and_then(Kept::secrets);
                let is_obsolete = header.state == RotationState::Obsolete;
                halves.begun.push((header.id, is_obsolete, here.cloned()));
            }
        }
        halves.mark.0 = next;
        halves
    }

    /// The rotations of a key that have ended, but not durably yet: they hold their keys, and what they
    /// did to the key's state may not be adopted.
    fn ending(&self, key: &KeyName) -> Vec<RotationId> {
        let first = (key.clone(), RotationId::new(Uuid::nil()));
        let of_key = self.known.range(first..);
        let of_key = of_key.take_while(|(of, _)| of == key).map(|(_, id)| *id);
        let machine = self.engine.machine();
        of_key.filter(|id| !machine.is_live(*id)).collect()
    }
}

/// Candidates so far, each once.
struct Found<'a> {
    key: &'a KeyName,
    prints: &'a KeyFingerprints,
    known: HashSet<[u8; 32]>,
    values: Vec<SecretKeyValue>,
    obsolete: BTreeSet<RotationId>,
}

impl Found<'_> {
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
/// `invalid_flow` for a one-way key, `busy`, `shut_down`, `unavailable`, `key_failed`,
/// `coordinator_failed`, `forked`. A store or a record that fails is none.
pub async fn candidates(
    declarer: &Declarer,
    journal: &JournalThread,
    entry: &KeyEntry,
) -> Result<Vec<SecretKeyValue>, KeyError> {
    fork::refuse_child()?;
    let use_case = entry.behaviour().use_case;
    if use_case == SecretKeyUseCase::OneWayTrip {
        return Err(KeyError::InvalidFlow {
            key: entry.name().clone(),
            flow: SecretKeyFlow::BackPath,
            use_case,
        });
    }
    let mut found = Found {
        key: entry.name(),
        prints: &declarer.fingerprints,
        known: HashSet::new(),
        values: Vec::new(),
        obsolete: BTreeSet::new(),
    };
    let deadline = entry.deadline();
    let mut before = halves(declarer, journal, entry, deadline).await?;
    for _ in 0..ROUNDS {
        if let Answer::Candidates(values) = entry.ask_by(Request::Candidates, deadline).await? {
            values.into_iter().for_each(|value| found.add(value));
        }
        // What began meanwhile has its keys only now, and what ended had them only before.
        let after = halves(declarer, journal, entry, deadline).await?;
        found.add_halves(&after);
        found.add_halves(&before);
        if before.mark == after.mark {
            break;
        }
        before = after;
    }
    for rotation in found.obsolete {
        let key = entry.name().clone();
        declarer.events.tell(move || {
            tracing::warn!(%key, %rotation, "keys of an obsolete rotation are among the candidates");
        });
    }
    Ok(found.values)
}

async fn halves(
    declarer: &Declarer,
    journal: &JournalThread,
    entry: &KeyEntry,
    deadline: Time,
) -> Result<RotationHalves, KeyError> {
    let coordinator = &declarer.coordinator;
    let key = entry.name().clone();
    let failed = |error: RotationError| match error {
        RotationError::ShutDown { .. } => KeyError::ShutDown { key: key.clone() },
        RotationError::Busy { bound } => KeyError::Busy {
            key: key.clone(),
            bound,
        },
        RotationError::CoordinatorFailed { why } => KeyError::CoordinatorFailed { why },
        _ => KeyError::Unavailable { key: key.clone() },
    };
    let place = coordinator.place().map_err(failed)?;
    let (reply, halves) = oneshot::channel();
    coordinator.post(CoordinatorMessage::Halves {
        key: key.clone(),
        reply,
        place,
    });
    let mut halves = halves.await.map_err(|_| failed(coordinator.gone()))?;
    for (id, _, secrets) in &mut halves.begun {
        if secrets.is_none() {
            let id = *id;
            let limit = declarer.clock.now().until(deadline);
            let read = tokio::select! {
                biased;
                read = journal.ask(move |journal| journal.living_secrets(id)) => Some(read),
                () = declarer.plugins.passed(limit) => None,
            };
            *secrets = match read {
                Some(Err(Refused::Busy { bound })) => {
                    return Err(failed(RotationError::Busy { bound }));
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
