//! What the machine's facts leave in a journal, with the rules that every fact has to keep.

use std::collections::{BTreeMap, BTreeSet};

use keyward::key::name::{KeyName, WorkerName};
use keyward::key::versions::fact::VersionFact;
use keyward::key::versions::id::VersionId;
use keyward::key::versions::state::{VersionEvent, VersionState};
use keyward::key::versions::table::VersionTable;
use keyward::rotation::durable::DurableFacts;
use keyward::rotation::effect::Fact;
use keyward::rotation::id::RotationId;
use keyward::rotation::instance::Instance;
use keyward::rotation::plan::{Header, Step};
use keyward::rotation::report::UnreadableRotation;
use keyward::rotation::roster::{Member, MemberCallback};
use keyward::rotation::state::{RotationEvent, RotationState};
use keyward::rotation::status::{CallbackStatus, StatusEvent};

/// A rule of the journal that a fact breaks.
pub type Broken = &'static str;

/// A journal's content.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Journal {
    pub next_sequence: u64,
    pub members: BTreeMap<WorkerName, Member>,
    pub callbacks: Vec<MemberCallback>,
    pub instances: BTreeMap<(WorkerName, u64), Instance>,
    pub rotations: BTreeMap<RotationId, (Header, BTreeMap<u32, Step>)>,
    pub ended: BTreeMap<RotationId, (Header, Vec<Step>)>,
    pub keys: BTreeSet<RotationId>,
    pub unreadable: Vec<UnreadableRotation>,
    /// The versions of each key that has some.
    pub versions: BTreeMap<KeyName, VersionTable>,
    /// The versions that have a value.
    pub values: BTreeSet<VersionId>,
    /// Every id that a version ever had.
    pub ids: BTreeSet<VersionId>,
}

impl Journal {
    /// Writes one fact, or answers which rule it breaks.
    pub fn try_write(&mut self, fact: &Fact) -> Result<(), Broken> {
        match fact {
            Fact::NextSequence(next) => {
                rule(*next > self.next_sequence, "the sequence only rises")?;
                self.next_sequence = *next;
            }
            Fact::Member(member) => {
                self.members.insert(member.worker.clone(), member.clone());
            }
            Fact::MemberGone(worker) => {
                rule(self.members.remove(worker).is_some(), "it is a member")?;
                self.callbacks.retain(|callback| callback.worker != *worker);
                self.instances.retain(|(of, _), _| of != worker);
            }
            Fact::Callback(callback) => {
                let same = |c: &MemberCallback| c.registered == callback.registered;
                self.callbacks.retain(|c| !same(c));
                self.callbacks.push(callback.clone());
            }
            Fact::Instance(instance) => self.instance(instance)?,
            Fact::InstanceGone { worker, number } => {
                let gone = self.instances.remove(&(worker.clone(), *number));
                rule(gone.is_some(), "only an instance that is there goes")?;
            }
            Fact::CallbackGone {
                worker,
                key,
                callback,
            } => self
                .callbacks
                .retain(|c| !(c.worker == *worker && c.key == *key && c.callback == *callback)),
            Fact::Rotation(header) => self.rotation(header)?,
            Fact::Keys(id) => {
                self.keys.insert(*id);
            }
            Fact::Snapshot(id) => self.is_accepted(*id)?,
            Fact::Step(id, key, step) => {
                let (header, steps) = self.rotations.get_mut(id).ok_or("it is accepted")?;
                rule(header.key == *key, "a step is of its rotation's key")?;
                check_step(steps.get(&step.no), step)?;
                steps.insert(step.no, step.clone());
            }
            Fact::Record(step) => self.is_accepted(step.rotation)?,
            Fact::Ended(header, steps) => self.ended(header, steps)?,
            Fact::Dismissed(id) => self.unreadable.retain(|unreadable| unreadable.id != *id),
            Fact::Act(_) => {}
            Fact::Version(key, fact) => self.version(key, fact)?,
        }
        Ok(())
    }

    fn version(&mut self, key: &KeyName, fact: &VersionFact) -> Result<(), Broken> {
        let Some(table) = self.versions.get_mut(key) else {
            return Err("a key whose versions change has some");
        };
        match fact {
            VersionFact::Version(version) => match table.get(version.id) {
                Some(before) => {
                    let arrow = VersionEvent::ALL
                        .iter()
                        .any(|event| event.apply_to(before.state) == Some(version.state));
                    let same = before.state == version.state;
                    rule(same || arrow, "a version's state goes by its table")?;
                    let begins_with = version.arrows.starts_with(&before.arrows);
                    rule(begins_with, "what led to a version's state stays")?;
                }
                None => {
                    let new = self.ids.insert(version.id);
                    rule(new, "no id comes back")?;
                    let pending = version.state == VersionState::Pending;
                    rule(pending, "a new version is pending")?;
                }
            },
            VersionFact::Value(id) => drop(self.values.insert(*id)),
            VersionFact::Gone(id) => {
                let state = table.get(*id).map(|version| version.state);
                let pending = state == Some(VersionState::Pending);
                rule(pending, "only a pending version is gone without a trace")?;
                self.values.remove(id);
            }
            VersionFact::DebtGone { version, worker } => {
                let owes = table.owes(*version, worker) && table.current() != *version;
                rule(owes, "only a debt of an old version ends")?;
            }
            VersionFact::Debt { .. }
            | VersionFact::Current { .. }
            | VersionFact::NoStateRecord
            | VersionFact::NoVersions => {}
        }
        table.apply(fact);
        Ok(())
    }

    /// The rules that hold between batches, not between the facts of one.
    pub fn whole(&self) -> Result<(), Broken> {
        for table in self.versions.values() {
            let current = table.get(table.current()).map(|version| version.state);
            let is_active = current == Some(VersionState::Active);
            rule(
                is_active,
                "exactly one version is current, and it is active",
            )?;
            let has_value = |id| self.values.contains(&id);
            let all = table
                .newest_first()
                .into_iter()
                .all(|version| has_value(version.id));
            rule(all, "the value of each version is in the journal")?;
        }
        Ok(())
    }

    fn instance(&mut self, instance: &Instance) -> Result<(), Broken> {
        let is_member = self.members.contains_key(&instance.worker);
        rule(is_member, "an instance is of a member")?;
        let at = (instance.worker.clone(), instance.number);
        self.instances.insert(at, instance.clone());
        Ok(())
    }

    fn is_accepted(&self, id: RotationId) -> Result<(), Broken> {
        rule(self.rotations.contains_key(&id), "it is accepted")
    }

    fn ended(&mut self, header: &Header, steps: &[Step]) -> Result<(), Broken> {
        let before = self.rotations.remove(&header.id);
        let (before, durable) = before.ok_or("only an accepted one ends")?;
        check_state(before.state, header.state)?;
        rule(header.state.has_ended(), "only an ended one ends")?;
        for step in steps {
            check_step(durable.get(&step.no), step)?;
        }
        if header.state == RotationState::Completed {
            let done = |s: &Step| s.removed || s.status == CallbackStatus::Succeeded;
            rule(steps.iter().all(done), "completed is all Succeeded")?;
        }
        let had_keys = self.keys.remove(&header.id);
        rule(had_keys, "its keys were there till now")?;
        let ended = (header.clone(), steps.to_vec());
        self.ended.insert(header.id, ended);
        Ok(())
    }

    fn rotation(&mut self, header: &Header) -> Result<(), Broken> {
        let ended = header.state.has_ended();
        rule(!ended, "an ended one leaves with its keys")?;
        match self.rotations.get_mut(&header.id) {
            Some((before, _)) => {
                check_state(before.state, header.state)?;
                let behind = before.place <= header.place;
                rule(behind, "a place is never taken from others")?;
                rule(before.seq == header.seq, "the order of declarations stays")?;
                *before = header.clone();
            }
            None => {
                let waiting = header.state == RotationState::Waiting;
                rule(waiting, "a new rotation waits")?;
                let steps = BTreeMap::new();
                self.rotations.insert(header.id, (header.clone(), steps));
            }
        }
        Ok(())
    }

    /// What a new life finds.
    pub fn facts(&self) -> DurableFacts {
        let rotation = |(header, steps): &(Header, BTreeMap<u32, Step>)| {
            (header.clone(), steps.values().cloned().collect())
        };
        DurableFacts {
            next_sequence: self.next_sequence,
            members: self.members.values().cloned().collect(),
            callbacks: self.callbacks.clone(),
            instances: self.instances.values().cloned().collect(),
            rotations: self.rotations.values().map(rotation).collect(),
            unreadable: self.unreadable.clone(),
            versions: self
                .versions
                .iter()
                .map(|(key, table)| (key.clone(), Ok(table.clone())))
                .collect(),
        }
    }
}

fn rule(holds: bool, broken: Broken) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken) }
}

fn check_state(before: RotationState, after: RotationState) -> Result<(), Broken> {
    let events = [
        RotationEvent::Begin,
        RotationEvent::Complete,
        RotationEvent::CompleteWithFailures,
        RotationEvent::Stop,
        RotationEvent::Resume,
        RotationEvent::Abort,
        RotationEvent::Overtake,
    ];
    let moves = events
        .iter()
        .any(|event| event.apply_to(before) == Some(after));
    let broken = "a rotation's state goes by its table";
    rule(before == after || moves, broken)
}

/// A crash is not written, so that a step may have been interrupted before it moved on.
fn check_step(before: Option<&Step>, after: &Step) -> Result<(), Broken> {
    let Some(before) = before else {
        let pending = after.status == CallbackStatus::Pending;
        return rule(pending, "a new step is Pending");
    };
    let events = [
        StatusEvent::Call,
        StatusEvent::Succeed,
        StatusEvent::Fail,
        StatusEvent::Interrupt,
        StatusEvent::Resume,
    ];
    let moves = |from: CallbackStatus| {
        from == after.status
            || events
                .iter()
                .any(|e| e.apply_to(from) == Some(after.status))
    };
    let interrupted = StatusEvent::Interrupt.apply_to(before.status);
    rule(
        moves(before.status) || interrupted.is_some_and(moves),
        "a step's status goes by its table",
    )?;
    rule(before.attempt <= after.attempt, "attempts only rise")?;
    let same = before.status != CallbackStatus::Succeeded || before == after;
    rule(same, "a Succeeded step never becomes anything else")
}
