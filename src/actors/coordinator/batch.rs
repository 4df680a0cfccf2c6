//! From facts to the journal's batch: the secrets that go into the records are added here.

use std::sync::Arc;

use crate::actors::coordinator::message::CoordinatorMessage;
use crate::actors::coordinator::part::CoordinatorPart;
use crate::actors::coordinator::work::{RotationWork, StepWork};
use crate::actors::tell_once::TellOnce;
use crate::journal::fact::{Attached, JournalFact};
use crate::journal::secrets::RotationSecrets;
use crate::key::event::WriteFailure;
use crate::key::versions::fact::VersionFact;
use crate::rotation::effect::Fact;

impl CoordinatorPart {
    pub(super) fn write(&mut self, facts: Vec<Fact>) {
        let slot = Arc::clone(&self.slot);
        let lost = WriteFailure {
            why: "a panic came before the write".to_owned().into(),
            unknown: false,
        };
        let end = TellOnce::new((0, Err(lost)), move |(number, result)| {
            slot.post(CoordinatorMessage::Written { number, result });
        });
        self.slot.fault_points().pass();
        self.read_keys_for(&facts);
        let facts: Vec<JournalFact> = facts
            .into_iter()
            .map(|fact| self.with_secrets(fact))
            .collect();
        let journal = &self.means.journal;
        journal.write(facts, move |number, result| end.tell((number, result)));
    }

    /// Has the journal read anew.
    pub(super) fn reopen(&self) {
        let slot = Arc::clone(&self.slot);
        self.means.journal.reread(self.doubtful(), move |found| {
            let found = found.map(|(made, loaded)| (made, Box::new(loaded)));
            slot.post(CoordinatorMessage::Reread(found));
        });
    }

    /// A fact with the secrets that go into its records.
    fn with_secrets(&mut self, fact: Fact) -> JournalFact {
        let attached = match &fact {
            Fact::Keys(id) => {
                self.batch.with_keys.push(*id);
                let secrets = self.secrets(*id).cloned();
                let RotationSecrets { old, new, .. } = secrets.unwrap_or_default();
                Attached::Keys { old, new }
            }
            Fact::Snapshot(id) => {
                let work = self.rotations.get_mut(id);
                let snapshot = work.and_then(RotationWork::snapshot).cloned().flatten();
                Attached::Snapshot(snapshot.unwrap_or_default())
            }
            Fact::Record(step) => {
                let proposal = self.steps.get(step).and_then(StepWork::proposal);
                proposal.map_or(Attached::Nothing, |of| Attached::Record {
                    key: of.key.clone(),
                    change: of.record.clone(),
                })
            }
            Fact::Rotation(header) => {
                self.note_declared(header);
                Attached::Nothing
            }
            Fact::Version(_, VersionFact::Value(id)) => {
                let value = self.values.get(id).cloned();
                value.map_or(Attached::Nothing, Attached::Value)
            }
            Fact::Version(..)
            | Fact::MemberGone(_)
            | Fact::CallbackGone { .. }
            | Fact::Instance(_)
            | Fact::InstanceGone { .. }
            | Fact::NextSequence(_)
            | Fact::Member(_)
            | Fact::Callback(_)
            | Fact::Step(..)
            | Fact::Ended(..)
            | Fact::Dismissed(_)
            | Fact::Act(_) => Attached::Nothing,
        };
        JournalFact::new(fact, attached)
    }
}
