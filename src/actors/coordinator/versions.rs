//! The versions of keys, as the coordinator's actor has them: what goes into the journal with them, and what their
//! keys are told.

use std::sync::Arc;

use crate::actors::coordinator::message::{CoordinatorMessage, With};
use crate::actors::coordinator::part::CoordinatorPart;
use crate::actors::key_message::KeyMessage;
use crate::actors::store_writer::StoreWriter;
use crate::key::event::{Event as KeyEvent, Ticket};
use crate::key::journal_down::JournalDown;
use crate::key::name::KeyName;
use crate::key::versions::fact::VersionFact;
use crate::key::versions::held::{HeldVersions, VersionValue, VersionValues};
use crate::key::versions::id::VersionId;
use crate::key::versions::table::VersionTable;
use crate::rotation::event::{Event, StepRef};
use crate::rotation::id::RotationId;
use crate::secret::value::SecretKeyPair;
use crate::worker::link::WorkerLink;

impl CoordinatorPart {
    /// The new keys of a rotation are the value of a version.
    pub(super) fn keep_value(&mut self, rotation: RotationId, new: SecretKeyPair) {
        if let Some(id) = self.engine.machine().new_version(rotation) {
            self.values.insert(id, VersionValue::Whole(new));
        }
    }

    /// A key gets versions of these values.
    pub(super) fn take_values(&mut self, ticket: Ticket) {
        if let With::Values(values) = self.requests.take_with(ticket) {
            self.values.extend(values);
        }
    }

    /// What has changed is durable: the key is told, with the values that it does not know.
    pub(super) fn versions_changed(&mut self, key: &KeyName, facts: &[VersionFact]) {
        let mut values = VersionValues::new();
        for fact in facts {
            match fact {
                VersionFact::Value(id) => {
                    values.extend(self.values.get(id).map(|value| (*id, value.clone())));
                }
                VersionFact::Gone(id) => {
                    self.values.remove(id);
                }
                VersionFact::Current { .. }
                | VersionFact::Version(_)
                | VersionFact::Debt { .. }
                | VersionFact::DebtGone { .. }
                | VersionFact::NoStateRecord
                | VersionFact::NoVersions => {}
            }
        }
        let facts = facts.to_vec();
        self.tell_key(key, KeyEvent::VersionsChanged { facts, values });
    }

    /// The key is told all its versions, with their values.
    pub(super) fn tell_versions(&self, key: &KeyName, table: &Result<VersionTable, String>) {
        let held = table.clone().map(|table| {
            let of_key = |id: &VersionId| table.get(*id).is_some();
            let values = self.values.iter().filter(|(id, _)| of_key(id));
            let values = values.map(|(id, value)| (*id, value.clone())).collect();
            HeldVersions { table, values }
        });
        self.tell_key(key, KeyEvent::Versions(Box::new(held)));
    }

    /// A write failed: whoever waits for a version to owe its worker need not wait for the journal.
    pub(super) fn tell_debtors(&self, why: &JournalDown) {
        for key in self.engine.machine().keys_with_versions() {
            self.tell_key(key, KeyEvent::JournalDown(why.clone()));
        }
    }

    pub(super) fn ask_last_written(&self, rotation: RotationId, key: &KeyName, asked: u64) {
        let Some(entry) = self.key(key) else {
            return;
        };
        let slot = Arc::clone(&self.slot);
        let tell = move |last| {
            let event = Event::LastWritten {
                rotation,
                asked,
                last,
            };
            slot.post(CoordinatorMessage::Happened(Box::new(event)));
        };
        entry.post(KeyMessage::LastWritten(Box::new(tell)));
    }

    /// The way to who does a step of keyward's own.
    pub(super) fn own_link(&self, step: StepRef, key: &KeyName) -> Option<Arc<dyn WorkerLink>> {
        if !self.engine.machine().is_own(step) {
            return None;
        }
        let coordinator = Arc::clone(&self.slot);
        Some(Arc::new(StoreWriter {
            fetcher: Arc::clone(self.key(key)?.fetcher()),
            plugins: Arc::clone(&self.means.plugins),
            tell: Arc::new(move |event| coordinator.post(CoordinatorMessage::Worker(event))),
        }))
    }
}
