//! A key that has versions: what it answers from them, and what it waits for. No store is asked, nothing is held,
//! and there is no state record.

use std::collections::VecDeque;

use crate::key::attempt::{After, Attempt};
use crate::key::effect::{Answer, KeyEffect};
use crate::key::error::KeyError;
use crate::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use crate::key::journal_down::JournalDown;
use crate::key::machine::KeyMachine;
use crate::key::name::WorkerName;
use crate::key::state::Snapshot;
use crate::key::time::Time;
use crate::key::versions::fact::VersionFact;
use crate::key::versions::held::{HeldVersions, VersionValue, VersionValues};
use crate::key::versions::id::VersionId;
use crate::key::versions::listing::VersionListing;
use crate::key::versions::state::VersionState;
use crate::key::versions::version::Version;
use crate::key::waiting::For;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};

impl KeyMachine {
    /// Whether the key has versions, by its definition.
    pub(crate) fn is_versioned(&self) -> bool {
        self.behaviour().versions.is_some()
    }

    /// The current version, for this worker to write with, once the version owes it.
    pub(crate) fn current_for(&self, worker: &WorkerName) -> Attempt {
        let held = match self.held_versions() {
            Ok(held) => held,
            Err(attempt) => return attempt,
        };
        let current = held.table.current();
        let version = held.table.get(current);
        let value = held.values.get(&current).and_then(VersionValue::forward);
        let (Some(version), Some(value)) = (version, value) else {
            return Attempt::Fail(self.value_unreadable(current));
        };
        if !held.table.owes(current, worker) {
            return Attempt::Owe(current);
        }
        let flow = match self.behaviour().use_case {
            SecretKeyUseCase::OneWayTrip => SecretKeyFlow::Default,
            SecretKeyUseCase::RoundTrip => SecretKeyFlow::ForwardPath,
        };
        done(Answer::Version {
            value: value.clone(),
            flow,
            id: current,
            number: version.number,
        })
    }

    /// The back half of a version.
    pub(crate) fn version(&self, id: VersionId) -> Attempt {
        match self.readable(id) {
            Ok((version, value)) => done(Answer::Version {
                value: value.back().clone(),
                flow: self.back_flow(),
                id,
                number: version.number,
            }),
            Err(attempt) => attempt,
        }
    }

    fn back_flow(&self) -> SecretKeyFlow {
        match self.behaviour().use_case {
            SecretKeyUseCase::OneWayTrip => SecretKeyFlow::Default,
            SecretKeyUseCase::RoundTrip => SecretKeyFlow::BackPath,
        }
    }

    fn readable(&self, id: VersionId) -> Result<(&Version, &VersionValue), Attempt> {
        let held = self.held_versions()?;
        let key = || self.name().clone();
        let Some(version) = held.table.get(id) else {
            return Err(Attempt::Fail(KeyError::VersionUnknown { key: key(), id }));
        };
        let number = version.number;
        match version.state {
            VersionState::Pending | VersionState::Active | VersionState::Deactivated => {
                let value = held.values.get(&id);
                let value = value.ok_or_else(|| Attempt::Fail(self.value_unreadable(id)))?;
                Ok((version, value))
            }
            VersionState::Withdrawn => Err(Attempt::Fail(KeyError::VersionWithdrawn {
                key: key(),
                id,
                number,
            })),
            VersionState::Destroyed => Err(Attempt::Fail(KeyError::VersionDestroyed {
                key: key(),
                id,
                number,
            })),
        }
    }

    /// The back halves of all versions that are read, the current one first. One that cannot be read hides nothing
    /// of the rest.
    pub(crate) fn version_candidates(&self) -> Attempt {
        match self.held_versions() {
            Ok(held) => {
                let readable = held.table.readable().into_iter();
                let values = readable.filter_map(|version| held.values.get(&version.id));
                done(Answer::Candidates(
                    values.map(|value| value.back().clone()).collect(),
                ))
            }
            Err(attempt) => attempt,
        }
    }

    /// What is shown of the versions.
    pub(crate) fn version_listing(&self) -> Attempt {
        match self.held_versions() {
            Ok(held) => done(Answer::Versions(VersionListing::of_table(&held.table))),
            Err(attempt) => attempt,
        }
    }

    fn held_versions(&self) -> Result<&HeldVersions, Attempt> {
        let key = self.name().clone();
        match &self.versions {
            _ if !self.is_versioned() => Err(Attempt::Fail(KeyError::NotVersioned { key })),
            Some(Ok(held)) => Ok(held),
            Some(Err(why)) => Err(Attempt::Fail(KeyError::VersionUnreadable {
                key,
                what: format!("its versions ({why})"),
            })),
            // A key that has just been defined is told them at once.
            None => Err(Attempt::KnowVersions),
        }
    }

    fn value_unreadable(&self, id: VersionId) -> KeyError {
        KeyError::VersionUnreadable {
            key: self.name().clone(),
            what: format!("the value of version {id}"),
        }
    }

    /// The current pair, for a rotation that begins or a declaration that does not name its old keys.
    pub(crate) fn current_pair(&self) -> Option<&SecretKeyPair> {
        let held = self.held_versions().ok()?;
        match held.values.get(&held.table.current())? {
            VersionValue::Whole(pair) => Some(pair),
            VersionValue::Back(_) => None,
        }
    }

    /// What a callback's handle tells of the state: there is none, and data is under the current version.
    pub(crate) fn version_snapshot(&self) -> Snapshot {
        Snapshot::Known {
            flow: Some(SecretKeyFlow::ForwardPath),
            previous: self.current_pair().cloned(),
        }
    }

    /// Every value that no text may show.
    pub fn version_values(&self) -> impl Iterator<Item = &SecretKeyValue> {
        let held = self.versions.as_ref().and_then(|held| held.as_ref().ok());
        let values = held.into_iter().flat_map(|held| held.values.values());
        values.flat_map(|value| value.forward().into_iter().chain([value.back()]))
    }

    /// A get has answered the current version for writing.
    pub(crate) fn was_written(&mut self, id: VersionId, now: Time) {
        match self.written.iter_mut().find(|(of, _)| *of == id) {
            Some((_, at)) => *at = now,
            None => self.written.push((id, now)),
        }
    }

    /// When a get last answered another version than the current one for writing, if one did in this life.
    pub fn last_written_with_others(&self) -> Option<Time> {
        let held = self.held_versions().ok()?;
        let current = held.table.current();
        let others = self.written.iter().filter(|(id, _)| *id != current);
        others.map(|(_, at)| *at).max()
    }

    /// These are the versions now.
    pub(crate) fn take_versions(
        &mut self,
        versions: Result<HeldVersions, String>,
        effects: &mut VecDeque<KeyEffect>,
    ) {
        self.versions = Some(versions);
        self.forget_old_writes();
        for ticket in self.proposals.take_snapshots() {
            self.snapshot(ticket, effects);
        }
        for waiter in self.waiting.take_all(For::Versions) {
            self.serve(waiter, None, effects);
        }
        self.serve_debtors(effects);
    }

    /// The versions have changed so.
    pub(crate) fn change_versions(
        &mut self,
        facts: &[VersionFact],
        values: VersionValues,
        effects: &mut VecDeque<KeyEffect>,
    ) {
        if let Some(Ok(held)) = &mut self.versions {
            held.values.extend(values);
            for fact in facts {
                held.table.apply(fact);
                if let VersionFact::Gone(id) = fact {
                    held.values.remove(id);
                }
            }
        }
        self.forget_old_writes();
        self.serve_debtors(effects);
    }

    fn forget_old_writes(&mut self) {
        if let Some(Ok(held)) = &self.versions {
            let readable = |id: &VersionId| {
                let version = held.table.get(*id);
                version.is_some_and(|version| version.state.is_readable())
            };
            self.written.retain(|(id, _)| readable(id));
        }
    }

    /// Those that wait until a version owes them are served anew.
    fn serve_debtors(&mut self, effects: &mut VecDeque<KeyEffect>) {
        for waiter in self.waiting.take_all(For::Debt) {
            self.journal_jobs = self.journal_jobs.saturating_sub(1);
            self.serve(waiter, None, effects);
        }
    }

    /// The journal does not answer: no version can be made to owe anybody.
    pub(crate) fn no_debts(&mut self, why: &JournalDown, effects: &mut VecDeque<KeyEffect>) {
        for waiter in self.waiting.take_all(For::Debt) {
            self.journal_jobs = self.journal_jobs.saturating_sub(1);
            let error = KeyError::of_journal(self.name().clone(), why.clone());
            effects.push_back(KeyEffect::Answer {
                ticket: waiter.ask.ticket,
                answer: Err(error),
            });
        }
    }
}

fn done(answer: Answer) -> Attempt {
    let after = After::Same;
    Attempt::Done { answer, after }
}
