//! What the coordinator's machine tells of itself: reports, and what each rotation waits for.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::key::journal_down::JournalDown;
use crate::key::name::KeyName;
use crate::rotation::event::{Lacks, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::machine::RotationMachine;
use crate::rotation::plan::{Header, Step};
use crate::rotation::report::{RotationReport, UnreadableRotation, WaitsFor};
use crate::rotation::roster::{Roster, WorkerEntry};
use crate::rotation::rotations::{Active, Drain, Live};
use crate::rotation::shared::SharedList;
use crate::rotation::state::RotationState;
use crate::rotation::status::CallbackStatus;

/// How much is looked at at once for a listing: rotations, and parts of their steps.
const VIEWED_AT_ONCE: usize = 1_024;

impl RotationMachine {
    /// Whether a callback runs, or its end is being taken into account.
    pub fn has_running(&self) -> bool {
        self.find_running(|_| true).is_some()
    }

    /// Whether this attempt of a step is to be called, or under way.
    pub fn is_called(&self, step: StepRef, attempt: u32) -> bool {
        let live = self.rotations.get(step.rotation);
        let active = live.and_then(|live| live.active.get(&step.step));
        active == Some(&Active::Running { attempt })
    }

    /// Whether a key is defined in this life.
    pub fn is_defined(&self, key: &KeyName) -> bool {
        let queue = self.rotations.queue(key);
        queue.is_some_and(|queue| queue.defined.is_some())
    }

    /// The rotations of a key that have not ended.
    pub fn live_of(&self, key: &KeyName) -> Vec<RotationId> {
        self.rotations.of_key(key)
    }

    /// The headers of a key's rotations that have not ended, the one that was declared last first; and
    /// the next number of the sequence, which tells whether any was declared since.
    pub fn latest_of(&self, key: &KeyName) -> (u64, Vec<&Header>) {
        let of_key = self.rotations.of_key(key).into_iter();
        let headers = of_key.filter_map(|id| Some(&self.rotations.get(id)?.header));
        let mut headers: Vec<&Header> = headers.collect();
        headers.sort_by_key(|header| Reverse(header.seq));
        (self.next_sequence, headers)
    }

    /// The key of a rotation that has not ended.
    pub fn key_of(&self, id: RotationId) -> Option<KeyName> {
        self.rotations.get(id).map(|live| live.header.key.clone())
    }

    /// Whether a rotation has been accepted and has not ended.
    pub fn is_live(&self, id: RotationId) -> bool {
        self.rotations.get(id).is_some()
    }

    /// Whether a rotation begins to run, and its key is asked what it has.
    pub fn is_beginning(&self, id: RotationId) -> bool {
        self.rotations.get(id).is_some_and(|live| live.snapping)
    }

    /// Whether a rotation runs, or is about to: then its keys are needed. What waits needs none.
    pub fn needs_keys(&self, id: RotationId) -> bool {
        let needs = |live: &Live| live.snapping || live.header.begun && live.header.state.goes_on();
        self.rotations.get(id).is_some_and(needs)
    }

    /// Why rotations are paused, if they are.
    pub fn paused(&self) -> Option<&str> {
        self.paused.as_ref().map(|paused| paused.why.as_str())
    }

    /// The code of the cause where nothing is written any more, for good.
    pub fn lost(&self) -> Option<&'static str> {
        self.paused.as_ref()?.for_good
    }

    /// Why nothing can be made durable now, if so.
    pub fn is_paused(&self) -> Option<JournalDown> {
        self.paused.clone()
    }

    /// The keys that have versions.
    pub fn keys_with_versions(&self) -> impl Iterator<Item = &KeyName> {
        self.versions.keys()
    }

    /// The roster.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The reports of every rotation that has not ended, in the order of their declarations.
    #[cfg(feature = "testing")]
    pub fn reports(&self) -> Vec<RotationReport> {
        let views = self.rotations.iter().map(|live| self.view_of(live));
        reports(views)
    }

    /// The reports of the rotations in a state that is asked for, in the order of their declarations.
    pub fn reports_in(&self, wanted: impl Fn(RotationState) -> bool) -> Vec<RotationReport> {
        let found = self
            .rotations
            .iter()
            .filter(|live| wanted(live.header.state));
        reports(found.map(|live| self.view_of(live)))
    }

    /// The next rotations that have not ended, behind this one by id: as many as can be looked at
    /// in a short time. None at the end.
    pub fn views_behind(&self, id: Option<RotationId>) -> Vec<RotationView> {
        let mut cost = 0;
        let mut views = Vec::new();
        for live in self.rotations.behind(id) {
            let view = self.view_of(live);
            cost += 1 + view.steps.parts();
            views.push(view);
            if cost >= VIEWED_AT_ONCE {
                break;
            }
        }
        views
    }

    /// The rotations that had not ended and cannot be read.
    pub fn unreadable(&self) -> Vec<UnreadableRotation> {
        let mut unreadable: Vec<_> = self.rotations.unreadable().collect();
        unreadable.sort_by(|a, b| (&a.key, a.id).cmp(&(&b.key, b.id)));
        unreadable
    }

    /// The report of a rotation that has not ended.
    pub fn report(&self, id: RotationId) -> Option<RotationReport> {
        self.rotations.get(id).map(|live| self.report_of(live))
    }

    fn report_of(&self, live: &Live) -> RotationReport {
        self.view_of(live).into_report()
    }

    fn view_of(&self, live: &Live) -> RotationView {
        RotationView {
            header: live.header.clone(),
            steps: live.steps.copy(),
            waits_for: self.waits_for(live),
        }
    }

    pub(crate) fn waits_for(&self, live: &Live) -> Vec<WaitsFor> {
        if !live.header.state.goes_on() {
            return Vec::new();
        }
        if self.paused.is_some() {
            return vec![WaitsFor::Journal];
        }
        let Some(queue) = self.rotations.queue(&live.header.key) else {
            return Vec::new();
        };
        if !queue.is_defined_for(&live.header) {
            return vec![WaitsFor::Definition];
        }
        if let Some((id, _)) = queue.unreadable.first_key_value() {
            return vec![WaitsFor::Unreadable { id: *id }];
        }
        if live.header.state == RotationState::Waiting {
            let earlier = queue.first().filter(|turn| *turn != live.header.id);
            return earlier
                .map(|id| WaitsFor::Rotation { id })
                .into_iter()
                .collect();
        }
        if let Drain::Until { wall_ms, .. } = live.drain
            && self.is_turning(live.header.id)
        {
            return vec![WaitsFor::Drain { until_ms: wall_ms }];
        }
        let at_once = queue
            .defined
            .as_ref()
            .map_or(1, |(b, _)| b.workers_at_once.max(1));
        let due = if live.is_stopping() {
            Vec::new()
        } else {
            live.candidates(at_once)
        };
        let looked_after = live.active.iter();
        let looked_after = looked_after.filter(|(_, a)| !matches!(a, Active::Ahead { .. }));
        let mut numbers: BTreeSet<u32> = looked_after.map(|(no, _)| *no).collect();
        numbers.extend(due);
        let steps = numbers.into_iter().filter_map(|no| live.steps.get(no));
        steps
            .flat_map(|step| self.step_waits_for(live, step))
            .collect()
    }

    fn step_waits_for(&self, live: &Live, step: &Step) -> Vec<WaitsFor> {
        let entry = self.roster.get(&step.worker);
        let missed = |entry: &WorkerEntry| entry.missed(&live.header.key, &step.callback);
        let missed = entry.map(missed).unwrap_or_default();
        let (worker, callback) = (step.worker.clone(), step.callback.clone());
        if step.status == CallbackStatus::InProgress {
            let mut waits = vec![WaitsFor::Callback { worker, callback }];
            if step.is_of_memory() {
                waits.extend(missed);
            }
            return waits;
        }
        match live.preparing(step.no) {
            Some(Some(Lacks::Thread)) => vec![WaitsFor::Thread { worker, callback }],
            Some(Some(Lacks::Turn)) => vec![WaitsFor::EarlierCall { worker, callback }],
            Some(None) | None if missed.is_empty() => {
                vec![WaitsFor::Worker { worker, callback }]
            }
            Some(None) | None => missed,
        }
    }
}

/// The reports of these rotations, in the order of their declarations.
pub fn reports(views: impl IntoIterator<Item = RotationView>) -> Vec<RotationReport> {
    let reports = views.into_iter().map(RotationView::into_report);
    let mut reports: Vec<RotationReport> = reports.collect();
    reports.sort_by_key(|report| report.sequence);
    reports
}

/// A rotation that has not ended, as it was at one moment: it costs little to make, and a report is
/// made of it elsewhere.
#[derive(Debug, Clone)]
pub struct RotationView {
    header: Header,
    steps: SharedList<Step>,
    waits_for: Vec<WaitsFor>,
}

impl RotationView {
    /// Its id.
    pub fn id(&self) -> RotationId {
        self.header.id
    }

    /// The report of it.
    pub fn into_report(self) -> RotationReport {
        let mut report = self.header.report(self.steps.iter().cloned().collect());
        report.waits_for = self.waits_for;
        report
    }
}
