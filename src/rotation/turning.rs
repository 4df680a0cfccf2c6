//! A rotation between versions before its steps: it turns, by one durable record, and then waits until all write
//! with the new version. And what its steps and its end do to the versions.

use std::collections::BTreeSet;

use crate::key::name::{KeyName, WorkerName};
use crate::key::time::Time;
use crate::key::versions::fact::VersionFact;
use crate::key::versions::id::VersionId;
use crate::key::versions::table::VersionTable;
use crate::rotation::effect::{Fact, RotationEffect};
use crate::rotation::event::{Moment, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::machine::RotationMachine;
use crate::rotation::plan::{BetweenVersions, Step, VersionPhase};
use crate::rotation::rotations::{Drain, Live};
use crate::rotation::state::RotationEvent;
use crate::rotation::status::CallbackStatus;

/// The number under which the phases of a rotation have their deadline: no step has it.
const PHASES: u32 = u32::MAX;

impl RotationMachine {
    /// Whether the steps of a rotation between versions may begin; takes it further on its way there.
    pub(crate) fn may_begin_steps(&mut self, id: RotationId, now: Moment) -> bool {
        let live = self.rotations.get(id);
        let Some((between, drain)) =
            live.and_then(|live| Some((live.header.versions?, live.drain)))
        else {
            return true;
        };
        match (between.phase, drain) {
            (VersionPhase::AllWrite, _) => return true,
            (VersionPhase::Accepted, _) => self.turn(id, now),
            (VersionPhase::Turned, Drain::Unknown) => self.ask_last_written(id),
            (VersionPhase::Turned, Drain::Asked(_)) => {}
            (VersionPhase::Turned, Drain::Until { end, .. }) if end > now.time => {
                self.wait_until(phases_of(id), Some(end));
            }
            (VersionPhase::Turned, Drain::Until { .. }) => {
                self.all_write(id, now);
                return true;
            }
        }
        false
    }

    /// The new version is current from here on. Every other rotation that has turned is obsolete, in this batch.
    fn turn(&mut self, id: RotationId, now: Moment) {
        let Some((key, between)) = self.between(id) else {
            return;
        };
        let Some(table) = self.table(&key) else {
            return;
        };
        let old = table.current();
        let cause = id.as_uuid();
        let Some(facts) = table.turn(between.new, cause, now.wall_ms) else {
            return;
        };
        self.change_versions(&key, facts);
        self.set_between(id, |between| {
            between.old = Some(old);
            between.phase = VersionPhase::Turned;
        });
        self.make_turned_obsolete(&key, id, now);
        self.ask_last_written(id);
    }

    /// Asks the key, once the turn is durable and it knows of it, when it last answered another version.
    fn ask_last_written(&mut self, id: RotationId) {
        self.questions += 1;
        let asked = self.questions;
        let after = self.this_write();
        if let Some(live) = self.rotations.get_mut(id) {
            live.drain = Drain::Asked(asked);
            let (rotation, key) = (id, live.header.key.clone());
            self.effects.push(RotationEffect::AskLastWritten {
                after,
                rotation,
                key,
                asked,
            });
        }
    }

    /// The key says when a plain get last had another version than the current one for writing, if one had in
    /// this life. What the life before answered counts as answered when the key was defined.
    pub(crate) fn last_written(
        &mut self,
        rotation: RotationId,
        asked: u64,
        last: Option<Time>,
        now: Moment,
    ) {
        let live = self.rotations.get(rotation);
        let Some(live) = live.filter(|live| live.drain == Drain::Asked(asked)) else {
            return;
        };
        let (key, state) = (live.header.key.clone(), live.header.state);
        let queue = self.rotations.queue(&key);
        let Some((behaviour, since)) = queue.and_then(|queue| queue.defined.clone()) else {
            return;
        };
        let drain = behaviour.versions.map(|of| of.drain).unwrap_or_default();
        let earlier = self.has_been_written_with_others(&key).then_some(since);
        let end = last.or(earlier).map_or(now.time, |last| last.after(drain));
        if let Some(live) = self.rotations.get_mut(rotation) {
            let left = now.time.until(end).as_millis();
            let left = u64::try_from(left).unwrap_or(u64::MAX);
            let wall_ms = now.wall_ms.saturating_add(left);
            live.drain = Drain::Until { end, wall_ms };
        }
        if state.goes_on() {
            self.advance(rotation, now);
        }
    }

    /// Whether a worker was ever handed another version than the current one for writing, as far as that has not
    /// been dealt with.
    fn has_been_written_with_others(&self, key: &KeyName) -> bool {
        self.table(key).is_some_and(|table| {
            let others = table.readable().into_iter();
            let mut others = others.filter(|version| version.id != table.current());
            others.any(|version| table.debts(version.id).next().is_some())
        })
    }

    fn all_write(&mut self, id: RotationId, now: Moment) {
        self.wait_until(phases_of(id), None);
        let Some((key, _)) = self.between(id) else {
            return;
        };
        self.set_between(id, |between| between.phase = VersionPhase::AllWrite);
        // What was counted until now is not of the versions that are counted from now on.
        self.count_lifetime(&key, now);
        let facts = self.table(&key).map(|table| table.all_write());
        self.change_versions(&key, facts.unwrap_or_default());
        self.begin_counting(&key, now);
    }

    fn make_turned_obsolete(&mut self, key: &KeyName, id: RotationId, now: Moment) {
        for other in self.rotations.of_key(key) {
            let turned = self
                .between(other)
                .is_some_and(|(_, of)| other != id && of.phase != VersionPhase::Accepted);
            if turned {
                self.overtake(other, now);
            }
        }
        self.deactivate(key, id, now);
    }

    /// A rotation cannot be resumed any more.
    pub(crate) fn overtake(&mut self, id: RotationId, now: Moment) {
        let Some(live) = self.rotations.get_mut(id) else {
            return;
        };
        let Some(state) = RotationEvent::Overtake.apply_to(live.header.state) else {
            return;
        };
        live.header.state = state;
        live.header.ended_ms = Some(now.wall_ms);
        live.snapping = false;
        let header = live.header.clone();
        let waiters = self.rotations.take_waiters(id);
        let queue = self.rotations.queue_mut(&header.key);
        queue.waiting.remove(&header.place);
        self.facts.push(Fact::Rotation(header));
        let report = self.report(id);
        self.settled(report, waiters);
    }

    /// A rotation has ended, however it did: every active version that is not current, and that no rotation
    /// names which has not ended, is deactivated. One that has not turned leaves no version.
    pub(crate) fn versions_after(&mut self, ended: &mut Live, now: Moment) {
        let Some(between) = ended.header.versions else {
            return;
        };
        let key = ended.header.key.clone();
        if between.phase == VersionPhase::Accepted {
            ended.header.declared.new = None;
            let facts = self.table(&key).map(|table| table.undo(between.new));
            self.change_versions(&key, facts.unwrap_or_default());
        }
        self.deactivate(&key, ended.header.id, now);
    }

    pub(crate) fn deactivate(&mut self, key: &KeyName, ended: RotationId, now: Moment) {
        let named = self.named(key);
        let facts = self
            .table(key)
            .map(|table| table.deactivate(&named, ended.as_uuid(), now.wall_ms));
        self.change_versions(key, facts.unwrap_or_default());
    }

    /// The versions that rotations of a key name which have not ended.
    pub(crate) fn named(&self, key: &KeyName) -> BTreeSet<VersionId> {
        let of_key = self.rotations.of_key(key).into_iter();
        let live = of_key.filter_map(|id| self.rotations.get(id));
        let unended = live.filter(|live| live.header.state.is_unfinished());
        let between = unended.filter_map(|live| live.header.versions);
        between
            .flat_map(|of| [Some(of.new), of.old])
            .flatten()
            .collect()
    }

    /// A callback is about to be called: it is handed the new version, and may write with it.
    pub(crate) fn owe_for_call(&mut self, step: StepRef, now: Moment) {
        let Some((key, between)) = self.between(step.rotation) else {
            return;
        };
        let live = self.rotations.get(step.rotation);
        let of = live.and_then(|live| live.steps.get(step.step));
        let Some(worker) = of.filter(|of| !of.is_own()).map(|of| of.worker.clone()) else {
            return;
        };
        self.owe(&key, between.new, &worker, now);
    }

    /// A version is handed to a worker for writing: it owes it from now on.
    pub(crate) fn owe(
        &mut self,
        key: &KeyName,
        version: VersionId,
        worker: &WorkerName,
        now: Moment,
    ) {
        let table = self.table(key);
        let fact = table.and_then(|table| table.owe(version, worker, now.wall_ms));
        self.change_versions(key, fact.into_iter().collect());
    }

    /// A callback of data has Succeeded: if it was the last one of its worker in this rotation, the old version
    /// and older ones owe that worker no more.
    pub(crate) fn pay_after(&mut self, step: StepRef) {
        let Some((key, between)) = self.between(step.rotation) else {
            return;
        };
        let Some(live) = self.rotations.get(step.rotation) else {
            return;
        };
        let of = live.steps.get(step.step).filter(|of| of.is_of_data());
        let (Some(worker), Some(old)) = (of.map(|of| of.worker.clone()), between.old) else {
            return;
        };
        let open = |of: &Step| {
            let counts = of.is_of_data() && of.worker == worker && !of.removed;
            counts && of.status != CallbackStatus::Succeeded
        };
        if live.steps.iter().any(open) {
            return;
        }
        let facts = self.table(&key).map(|table| table.pay(old, &worker));
        self.change_versions(&key, facts.unwrap_or_default());
    }

    /// Whether a rotation has turned, and others than its version may still be written with.
    pub(crate) fn is_turning(&self, id: RotationId) -> bool {
        let between = self.between(id);
        between.is_some_and(|(_, of)| of.phase == VersionPhase::Turned)
    }

    /// A worker gets a version for writing: that is durable before it has it. Of one that is not current any more it
    /// is not owed, and the key is asked anew when it knows of the new one.
    pub(crate) fn hand_out(
        &mut self,
        key: &KeyName,
        version: VersionId,
        worker: &WorkerName,
        now: Moment,
    ) {
        let current = self.table(key).map(VersionTable::current);
        if self.goes_on() && current == Some(version) {
            self.owe(key, version, worker, now);
        }
    }

    /// The versions of a key, if it has some that can be read.
    pub(crate) fn table(&self, key: &KeyName) -> Option<&VersionTable> {
        self.versions.get(key)?.as_ref().ok()
    }

    /// What becomes of the versions of a key: in this write, and then at the key.
    pub(crate) fn change_versions(&mut self, key: &KeyName, facts: Vec<VersionFact>) {
        let Some(Ok(table)) = self.versions.get_mut(key) else {
            return;
        };
        if facts.is_empty() {
            return;
        }
        for fact in &facts {
            table.apply(fact);
            self.facts.push(Fact::Version(key.clone(), fact.clone()));
        }
        let (after, key) = (self.this_write(), key.clone());
        let changed = RotationEffect::VersionsChanged { after, key, facts };
        self.effects.push(changed);
    }

    /// A key is told all of its versions, as soon as they are durable.
    pub(crate) fn tell_versions(&mut self, key: &KeyName) {
        if let Some(table) = self.versions.get(key).cloned().map(Box::new) {
            let (after, key) = (self.this_write(), key.clone());
            self.effects
                .push(RotationEffect::Versions { after, key, table });
        }
    }

    /// The version that a rotation brings.
    pub fn new_version(&self, id: RotationId) -> Option<VersionId> {
        self.between(id).map(|(_, between)| between.new)
    }

    /// Whether a step is keyward's own.
    pub fn is_own(&self, step: StepRef) -> bool {
        let live = self.rotations.get(step.rotation);
        let of = live.and_then(|live| live.steps.get(step.step));
        of.is_some_and(Step::is_own)
    }

    /// From which version to which a rotation leads that has turned.
    pub fn versions_between(&self, id: RotationId) -> Option<(VersionId, VersionId)> {
        let (_, between) = self.between(id)?;
        Some((between.old?, between.new))
    }

    fn between(&self, id: RotationId) -> Option<(KeyName, BetweenVersions)> {
        let header = &self.rotations.get(id)?.header;
        let between = header.versions?;
        Some((header.key.clone(), between))
    }

    fn set_between(&mut self, id: RotationId, change: impl FnOnce(&mut BetweenVersions)) {
        if let Some(live) = self.rotations.get_mut(id)
            && let Some(between) = &mut live.header.versions
        {
            change(between);
            self.facts.push(Fact::Rotation(live.header.clone()));
        }
    }
}

fn phases_of(rotation: RotationId) -> StepRef {
    let step = PHASES;
    StepRef { rotation, step }
}
