//! From facts to the journal's batch: the secrets that go into the records are added here.

use std::sync::Arc;

use crate::actors::coordinator::CoordinatorPart;
use crate::actors::coordinator_message::CoordinatorMessage;
use crate::actors::rotation_keys::Kept;
use crate::actors::tell_once::TellOnce;
use crate::journal::fact::{Attached, JournalFact};
use crate::journal::load::RotationSecrets;
use crate::key::event::WriteFailure;
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
                self.writing_keys.push(*id);
                let secrets = self.secrets.get(id).and_then(Kept::secrets);
                let RotationSecrets { old, new, .. } = secrets.cloned().unwrap_or_default();
                Attached::Keys { old, new }
            }
            Fact::Snapshot(id) => {
                let snapshot = self.secrets.get(id).and_then(Kept::snapshot);
                Attached::Snapshot(snapshot.cloned().unwrap_or_default())
            }
            Fact::Record(step) => {
                let proposal = self.proposals.get(step).cloned();
                proposal.map_or(Attached::Nothing, |(_, key, change)| Attached::Record {
                    key,
                    change,
                })
            }
            Fact::Rotation(header) => {
                self.note_declared(header);
                Attached::Nothing
            }
            Fact::MemberGone(_)
            | Fact::CallbackGone { .. }
            | Fact::NextSequence(_)
            | Fact::Member(_)
            | Fact::Callback(_)
            | Fact::Step(..)
            | Fact::Ended(..)
            | Fact::Dismissed(_) => Attached::Nothing,
        };
        JournalFact::new(fact, attached)
    }
}
