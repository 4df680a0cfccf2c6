//! What is durable, known from outside: every batch that the disk really took is applied here, and
//! must keep the rules.

use std::collections::{BTreeMap, BTreeSet};

use keyward::journal::fact::{Attached, JournalFact};
use keyward::key::flow::SecretKeyUseCase;
use keyward::key::name::{CallbackName, KeyName, WorkerName};
use keyward::key::state::{Effect, RecordChange, Snapshot, StateRecord};
use keyward::rotation::effect::Fact;
use keyward::rotation::event::StepRef;
use keyward::rotation::id::RotationId;
use keyward::rotation::plan::{Header, Step};
use keyward::rotation::roster::MemberCallback;
use keyward::rotation::state::RotationState;
use keyward::rotation::status::CallbackStatus;
use keyward::secret::value::SecretKeyPair;

use crate::durable::Journal;
use crate::simulation::plan::{Named, callback_name, key_name, worker_name};

/// The keys of a rotation, as they were declared.
pub type Secrets = (Option<SecretKeyPair>, Option<SecretKeyPair>);

/// What is durable, and what never may be undone of it.
#[derive(Default)]
pub struct Truth {
    pub journal: Journal,
    pub records: BTreeMap<KeyName, StateRecord>,
    pub secrets: BTreeMap<RotationId, Secrets>,
    pub snapshots: BTreeMap<RotationId, Snapshot>,
    /// Every step that ever Succeeded.
    pub succeeded: BTreeSet<StepRef>,
    /// Every attempt that began and every one that Failed, with its place among all facts.
    began: BTreeMap<(StepRef, u32), u64>,
    failed: BTreeMap<(StepRef, u32), u64>,
    /// Every attempt with a lost end, with the crashes before it and the resumes.
    lost: BTreeMap<(StepRef, u32), (u32, u32)>,
    facts: u64,
    /// The ids of declarations that were refused with the word that nothing was done.
    pub refused: BTreeSet<RotationId>,
    /// Of each key, the newest rotation that changed its state.
    changed_by: BTreeMap<KeyName, u64>,
    pub batches: u64,
    /// In which batch a worker was last taken off the roster, and came onto it.
    members: BTreeMap<WorkerName, (u64, u64)>,
    /// The same of its callbacks.
    callbacks: BTreeMap<(WorkerName, KeyName, CallbackName), (u64, u64)>,
}

impl Truth {
    /// A batch was made. `applied` are the steps in it that change the state, by what the key said.
    pub fn batch(&mut self, facts: &[JournalFact], applied: &BTreeSet<StepRef>) {
        self.batches += 1;
        let mut settled = BTreeMap::new();
        let mut records = BTreeSet::new();
        let mut running = BTreeSet::new();
        for JournalFact { fact, attached } in facts {
            self.facts += 1;
            match fact {
                Fact::Step(rotation, _, step) => {
                    if let Some(done) = self.step(*rotation, step) {
                        settled.insert(done, step.clone());
                    }
                }
                Fact::Keys(id) => self.keys(*id, attached),
                Fact::Snapshot(id) => self.snapshot(*id, attached),
                Fact::Record(step) => {
                    self.record(attached);
                    assert!(records.insert(*step), "one change a step");
                    if applied.contains(step) {
                        self.in_order(*step);
                    }
                }
                Fact::Ended(header, _) => {
                    self.secrets.remove(&header.id);
                    self.snapshots.remove(&header.id);
                }
                Fact::Rotation(header) => {
                    assert!(
                        !self.refused.contains(&header.id),
                        "rotation {} was refused with the word that nothing was done",
                        header.id
                    );
                    running.insert(header.key.clone());
                }
                fact => self.roster(fact),
            }
            self.atomic_before_end(fact, &settled, &records);
            if let Err(broken) = self.journal.try_write(fact) {
                panic!("{broken:?}");
            }
        }
        for step in &records {
            assert!(
                settled.contains_key(step),
                "a record changed without its step"
            );
        }
        self.atomic(&settled, &records);
        for key in running {
            let runs =
                |header: &Header| header.key == key && header.state == RotationState::Running;
            let running = self.journal.rotations.values().filter(|(h, _)| runs(h));
            assert!(running.count() <= 1, "two rotations of {key} run");
        }
    }

    /// A key's record was written by itself.
    pub fn save(&mut self, key: &KeyName, change: &RecordChange) {
        match change {
            RecordChange::Put(record) => self.records.insert(key.clone(), record.clone()),
            RecordChange::Delete => self.records.remove(key),
        };
    }

    fn step(&mut self, rotation: RotationId, step: &Step) -> Option<StepRef> {
        let at = StepRef {
            rotation,
            step: step.no,
        };
        let before = self.durable_step(at);
        let (status, attempt) =
            before.map_or((CallbackStatus::Pending, 0), |s| (s.status, s.attempt));
        if step.attempt != attempt {
            let called = step.attempt == attempt + 1 && step.status == CallbackStatus::InProgress;
            assert!(called, "attempts rise one by one, with InProgress");
            self.began.insert((at, step.attempt), self.facts);
        }
        self.check_lost(at, attempt, step);
        if step.status == CallbackStatus::Failed && status != CallbackStatus::Failed {
            self.failed.insert((at, step.attempt), self.facts);
        }
        let succeeded =
            step.status == CallbackStatus::Succeeded && status != CallbackStatus::Succeeded;
        if succeeded {
            assert!(self.succeeded.insert(at), "it had Succeeded before");
        }
        succeeded.then_some(at)
    }

    /// The end of a call is lost.
    pub fn loses(&mut self, at: StepRef, attempt: u32) {
        let crashes = self.durable_step(at).map_or(0, |step| step.crashes);
        let resumes = self.header(at.rotation).map_or(0, |header| header.resumes);
        self.lost.insert((at, attempt), (crashes, resumes));
    }

    /// A lost call counts as one crash, durably, before its step is called again; and it never ends in any
    /// other way.
    fn check_lost(&self, at: StepRef, attempt: u32, step: &Step) {
        let Some((crashes, resumes)) = self.lost.get(&(at, attempt)).copied() else {
            return;
        };
        assert!(
            step.status != CallbackStatus::Succeeded,
            "a lost call has Succeeded"
        );
        let resumed = self
            .header(at.rotation)
            .is_some_and(|h| h.resumes > resumes);
        assert!(
            resumed || step.removed || step.crashes == crashes + 1,
            "a lost call after {crashes} crashes made {}: {step:?}",
            step.crashes
        );
    }

    fn keys(&mut self, id: RotationId, attached: &Attached) {
        let Attached::Keys { old, new } = attached else {
            panic!("keys come with their secrets");
        };
        let before = self.secrets.insert(id, (old.clone(), new.clone()));
        assert!(before.is_none(), "the keys of a rotation never change");
    }

    fn snapshot(&mut self, id: RotationId, attached: &Attached) {
        let Attached::Snapshot(snapshot) = attached else {
            panic!("a snapshot comes with what the key had");
        };
        let before = self.snapshots.insert(id, snapshot.clone());
        assert!(before.is_none(), "a rotation begins once");
    }

    fn record(&mut self, attached: &Attached) {
        if let Attached::Record {
            key,
            change: Some(change),
        } = attached
        {
            self.save(&key.clone(), &change.clone());
        }
    }

    /// An effect changes the state only if no rotation declared later has had one.
    fn in_order(&mut self, step: StepRef) {
        let (header, _) = &self.journal.rotations[&step.rotation];
        let newest = self.changed_by.entry(header.key.clone()).or_default();
        assert!(
            header.seq >= *newest,
            "an overtaken effect changed the state"
        );
        *newest = header.seq;
    }

    /// Once a rotation has ended its header is in the history: it is looked at before.
    fn atomic_before_end(
        &self,
        fact: &Fact,
        settled: &BTreeMap<StepRef, Step>,
        records: &BTreeSet<StepRef>,
    ) {
        if let Fact::Ended(header, _) = fact {
            let of_it = |(at, _): &(&StepRef, &Step)| at.rotation == header.id;
            for (at, step) in settled.iter().filter(of_it) {
                check_atomic(header, *at, step, records);
            }
        }
    }

    fn atomic(&self, settled: &BTreeMap<StepRef, Step>, records: &BTreeSet<StepRef>) {
        for (at, step) in settled {
            if let Some((header, _)) = self.journal.rotations.get(&at.rotation) {
                check_atomic(header, *at, step, records);
            }
        }
    }

    pub fn has_failed(&self, step: StepRef, attempt: u32) -> bool {
        self.failed.contains_key(&(step, attempt))
    }

    /// Whether one callback had Failed before another began.
    pub fn failed_before(&self, failed: (StepRef, u32), began: (StepRef, u32)) -> bool {
        self.failed.get(&failed) < self.began.get(&began)
    }

    pub fn durable_step(&self, at: StepRef) -> Option<&Step> {
        let (_, steps) = self.journal.rotations.get(&at.rotation)?;
        steps.get(&at.step)
    }

    pub fn header(&self, id: RotationId) -> Option<&Header> {
        let living = self.journal.rotations.get(&id).map(|(header, _)| header);
        living.or_else(|| self.journal.ended.get(&id).map(|(header, _)| header))
    }

    /// The steps that are in progress.
    pub fn in_progress(&self) -> Vec<StepRef> {
        let mut found = Vec::new();
        for (rotation, (_, steps)) in &self.journal.rotations {
            let running = steps.values();
            let running = running.filter(|step| step.status == CallbackStatus::InProgress);
            found.extend(running.map(|step| StepRef {
                rotation: *rotation,
                step: step.no,
            }));
        }
        found
    }

    /// When workers and callbacks come onto the roster, and go.
    fn roster(&mut self, fact: &Fact) {
        let batch = self.batches;
        match fact {
            Fact::Member(member) => {
                self.members.entry(member.worker.clone()).or_default().1 = batch;
            }
            Fact::MemberGone(worker) => {
                self.members.entry(worker.clone()).or_default().0 = batch;
                for (_, gone) in self.callbacks.iter_mut().filter(|(c, _)| c.0 == *worker) {
                    gone.0 = batch;
                }
            }
            Fact::Callback(new) => {
                let callback = (new.worker.clone(), new.key.clone(), new.callback.clone());
                self.callbacks.entry(callback).or_default().1 = batch;
            }
            Fact::CallbackGone {
                worker,
                key,
                callback,
            } => {
                let callback = (worker.clone(), key.clone(), callback.clone());
                self.callbacks.entry(callback).or_default().0 = batch;
            }
            _ => {}
        }
    }

    /// Whether a worker was on the roster at some time after this batch.
    pub fn was_member(&self, worker: usize, since: u64) -> bool {
        let name = worker_name(worker);
        let left = self
            .members
            .get(&name)
            .is_some_and(|(gone, _)| *gone > since);
        left || self.journal.members.contains_key(&name)
    }

    /// Whether it was not, at some time after this batch.
    pub fn was_no_member(&self, worker: usize, since: u64) -> bool {
        let name = worker_name(worker);
        let came = self
            .members
            .get(&name)
            .is_some_and(|(_, came)| *came > since);
        came || !self.journal.members.contains_key(&name)
    }

    pub fn has_callback(&self, (worker, key, callback): Named) -> bool {
        let (worker, key) = (worker_name(worker), key_name(key));
        let callback = callback_name(callback);
        let this =
            |c: &MemberCallback| c.worker == worker && c.key == key && c.callback == callback;
        self.journal.callbacks.iter().any(this)
    }

    pub fn had_callback(&self, named: Named, since: u64) -> bool {
        let gone = self.changes(named).is_some_and(|(gone, _)| gone > since);
        gone || self.has_callback(named)
    }

    pub fn had_no_callback(&self, named: Named, since: u64) -> bool {
        let came = self.changes(named).is_some_and(|(_, came)| came > since);
        came || !self.has_callback(named)
    }

    fn changes(&self, (worker, key, callback): Named) -> Option<(u64, u64)> {
        let named = (worker_name(worker), key_name(key), callback_name(callback));
        self.callbacks.get(&named).copied()
    }

    /// Whether a rotation of this id is durable, ended or not.
    pub fn has(&self, id: RotationId) -> bool {
        self.header(id).is_some()
    }
}

fn check_atomic(header: &Header, at: StepRef, step: &Step, records: &BTreeSet<StepRef>) {
    let changes = step.effect != Effect::Nothing && header.use_case == SecretKeyUseCase::RoundTrip;
    assert!(
        !changes || records.contains(&at),
        "an effect is durable without what it does to the record"
    );
}
