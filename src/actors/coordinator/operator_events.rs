//! The events that an operator acts on: how rotations settled, which ones need a person, and which
//! steps wait long.

use crate::actors::coordinator::part::CoordinatorPart;
use crate::key::journal_down::JournalDown;
use crate::key::name::KeyName;
use crate::rotation::id::RotationId;
use crate::rotation::report::{RotationReport, UnreadableRotation, WaitsFor};
use crate::rotation::state::RotationState;

impl CoordinatorPart {
    pub(super) fn tell_settled(&self, report: &RotationReport) {
        if needs_a_person(report.state) {
            self.tell_of_failure(report, "callbacks of a rotation failed");
            return;
        }
        let (rotation, key, state) = (report.id, report.key.clone(), report.state);
        self.means.events.tell(move || {
            tracing::info!(%rotation, %key, %state, "a rotation settled");
        });
    }

    /// At a start: what an earlier life left that does not go on by itself.
    pub(super) fn tell_who_needs_a_person(&self) {
        let machine = self.engine.machine();
        for report in machine.reports_in(needs_a_person) {
            self.tell_of_failure(&report, "a rotation needs a person: resume or abort it");
        }
        for UnreadableRotation {
            id,
            key,
            why: error,
            ..
        } in machine.unreadable()
        {
            self.means.events.tell(move || {
                tracing::error!(
                    rotation = %id, %key, %error,
                    "a rotation needs a person: it cannot be read; restore a backup or dismiss it"
                );
            });
        }
    }

    /// One event a rotation, with the first failed step; the others are in its report.
    fn tell_of_failure(&self, report: &RotationReport, what: &'static str) {
        let (rotation, key, state) = (report.id, report.key.clone(), report.state);
        let failed = report.failed().count();
        let Some(first) = report.failed().next().cloned() else {
            return;
        };
        let (worker, callback) = (first.worker, first.callback);
        let error = first.error.unwrap_or_default();
        self.means.events.tell(move || {
            tracing::error!(
                %rotation, %key, %state, %worker, %callback, %error, failed, "{what}"
            );
        });
    }

    /// Whether nothing is written any more, for good, which is told the first time.
    pub(super) fn tell_if_lost(&self, why: &JournalDown) -> bool {
        let Some(code) = why.for_good else {
            return false;
        };
        if self.engine.machine().lost().is_none() {
            let why = why.clone();
            let text = "the journal is lost for good; this manager writes nothing more";
            self.means
                .events
                .tell(move || tracing::error!(code, %why, "{text}"));
        }
        true
    }

    pub(super) fn tell_long_wait(&self, rotation: RotationId, key: &KeyName, waits_for: &WaitsFor) {
        let (what, worker, callback) = match waits_for {
            WaitsFor::Worker { worker, callback } => (
                "a step waits for its worker to join and to register its callback: bring it back, \
                 or remove it if its data is gone",
                worker,
                callback,
            ),
            WaitsFor::Instance {
                worker, callback, ..
            } => (
                "a step waits for an instance of its worker that is absent or not ready: see `workers`; remove the \
                 instance if its process has ended",
                worker,
                callback,
            ),
            WaitsFor::EarlierCall { worker, callback } => (
                "a step waits for an earlier call of its worker's callbacks for the key to return",
                worker,
                callback,
            ),
            WaitsFor::Thread { worker, callback } => (
                "a step waits for a thread for its callback",
                worker,
                callback,
            ),
            WaitsFor::Definition
            | WaitsFor::Rotation { .. }
            | WaitsFor::Unreadable { .. }
            | WaitsFor::Callback { .. }
            | WaitsFor::Drain { .. }
            | WaitsFor::Journal => return,
        };
        let (key, worker, callback) = (key.clone(), worker.clone(), callback.clone());
        self.means.events.tell(move || {
            tracing::warn!(%rotation, %key, %worker, %callback, "{what}");
        });
    }
}

fn needs_a_person(state: RotationState) -> bool {
    matches!(
        state,
        RotationState::Stopped | RotationState::CompletedWithFailures
    )
}
