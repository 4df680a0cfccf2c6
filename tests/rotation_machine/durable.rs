//! What the machine's facts leave in a journal, with the rules that every fact has to keep.

use std::collections::{BTreeMap, BTreeSet};

use keyward::key::name::WorkerName;
use keyward::rotation::effect::Fact;
use keyward::rotation::id::RotationId;
use keyward::rotation::plan::{Header, Step};
use keyward::rotation::replay::DurableFacts;
use keyward::rotation::report::UnreadableRotation;
use keyward::rotation::roster::{Member, MemberCallback};
use keyward::rotation::state::{RotationEvent, RotationState};
use keyward::rotation::status::{CallbackStatus, StatusEvent};

/// A journal's content.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    pub next_sequence: u64,
    pub members: BTreeMap<WorkerName, Member>,
    pub callbacks: Vec<MemberCallback>,
    pub rotations: BTreeMap<RotationId, (Header, BTreeMap<u32, Step>)>,
    pub ended: BTreeMap<RotationId, (Header, Vec<Step>)>,
    pub keys: BTreeSet<RotationId>,
    pub unreadable: Vec<UnreadableRotation>,
}

impl Journal {
    /// Writes one fact.
    pub fn write(&mut self, fact: &Fact) {
        match fact {
            Fact::NextSequence(next) => {
                assert!(*next > self.next_sequence, "the sequence only rises");
                self.next_sequence = *next;
            }
            Fact::Member(member) => {
                self.members.insert(member.worker.clone(), member.clone());
            }
            Fact::MemberGone(worker) => {
                assert!(self.members.remove(worker).is_some(), "it is a member");
                self.callbacks.retain(|callback| callback.worker != *worker);
            }
            Fact::Callback(callback) => self.callbacks.push(callback.clone()),
            Fact::CallbackGone {
                worker,
                key,
                callback,
            } => self
                .callbacks
                .retain(|c| !(c.worker == *worker && c.key == *key && c.callback == *callback)),
            Fact::Rotation(header) => self.rotation(header),
            Fact::Keys(id) => {
                self.keys.insert(*id);
            }
            Fact::Snapshot(id) => assert!(self.rotations.contains_key(id), "it is accepted"),
            Fact::Step(id, key, step) => {
                let (header, steps) = self.rotations.get_mut(id).expect("it is accepted");
                assert_eq!(header.key, *key);
                check_step(steps.get(&step.no), step);
                steps.insert(step.no, step.clone());
            }
            Fact::Record(step) => assert!(self.rotations.contains_key(&step.rotation)),
            Fact::Ended(header, steps) => {
                let (before, durable) = self.rotations.remove(&header.id).expect("it is accepted");
                check_state(before.state, header.state);
                assert!(header.state.has_ended(), "only an ended one ends");
                for step in steps {
                    check_step(durable.get(&step.no), step);
                }
                if header.state == RotationState::Completed {
                    let done = |s: &Step| s.removed || s.status == CallbackStatus::Succeeded;
                    assert!(steps.iter().all(done), "completed is all Succeeded");
                }
                assert!(self.keys.remove(&header.id), "its keys were there till now");
                self.ended
                    .insert(header.id, (header.clone(), steps.clone()));
            }
            Fact::Dismissed(id) => self.unreadable.retain(|unreadable| unreadable.id != *id),
        }
    }

    fn rotation(&mut self, header: &Header) {
        assert!(
            !header.state.has_ended(),
            "an ended one leaves with its keys"
        );
        match self.rotations.get_mut(&header.id) {
            Some((before, _)) => {
                check_state(before.state, header.state);
                assert!(
                    before.place <= header.place,
                    "a place is never taken from others"
                );
                assert_eq!(before.seq, header.seq);
                *before = header.clone();
            }
            None => {
                assert_eq!(header.state, RotationState::Waiting);
                let steps = BTreeMap::new();
                self.rotations.insert(header.id, (header.clone(), steps));
            }
        }
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
            rotations: self.rotations.values().map(rotation).collect(),
            unreadable: self.unreadable.clone(),
        }
    }
}

fn check_state(before: RotationState, after: RotationState) {
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
        .any(|event| before.after(*event) == Some(after));
    assert!(before == after || moves, "{before} never becomes {after}");
}

/// A crash is not written, so that a step may have been interrupted before it moved on.
fn check_step(before: Option<&Step>, after: &Step) {
    let Some(before) = before else {
        assert_eq!(
            after.status,
            CallbackStatus::Pending,
            "a new step is Pending"
        );
        return;
    };
    let events = [
        StatusEvent::Call,
        StatusEvent::Succeed,
        StatusEvent::Fail,
        StatusEvent::Interrupt,
        StatusEvent::Resume,
    ];
    let moves = |from: CallbackStatus| {
        from == after.status || events.iter().any(|e| from.after(*e) == Some(after.status))
    };
    let interrupted = before.status.after(StatusEvent::Interrupt);
    assert!(
        moves(before.status) || interrupted.is_some_and(moves),
        "{} never becomes {}",
        before.status,
        after.status
    );
    assert!(before.attempt <= after.attempt, "attempts only rise");
    if before.status == CallbackStatus::Succeeded {
        assert_eq!(
            before, after,
            "a Succeeded step never becomes anything else"
        );
    }
}
