//! A key that does one thing at a time: the machine of keyward itself, `KeyMachine`, taken through
//! each operation to its end, together with its record in the state repo.

use std::collections::BTreeMap;
use std::time::Duration;

use keyward::key::definition::KeyBehaviour;
use keyward::key::effect::{Answer, KeyEffect};
use keyward::key::error::KeyError;
use keyward::key::event::{Admitted, Event, FetchFailure, FetchedKeys, Request, Supersede};
use keyward::key::flow::SecretKeyFlow;
use keyward::key::machine::KeyMachine;
use keyward::key::name::KeyName;
use keyward::key::state::{Loaded, Snapshot, Staged, StateChange, StateRecord};
use keyward::key::time::Time;
use keyward::secret::value::SecretKeyValue;

use crate::linearizability::checker::Object;
use crate::linearizability::operation::{
    Halves, Operation, StoreAnswer, Told, given, halves, text,
};

/// What is wrong with a key on purpose, to see that a history of a right one is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The end of a rotation supersedes nothing.
    SupersedesNothing,
    /// An old key is answered more than once.
    AnswersOldKeysAgain,
    /// No effect of a callback changes anything.
    LosesEffects,
    /// A save writes nothing.
    LosesSaves,
    /// A new life remembers what the one before it held.
    OutlivesItself,
    /// A resumed rotation does not mind that a forward get was answered since it stopped.
    ForgetsForwardGets,
    /// A resumed rotation does not mind that a later one has had an effect.
    ForgetsTheOrder,
}

/// The key.
#[derive(Clone)]
pub struct Key {
    behaviour: KeyBehaviour,
    machine: KeyMachine,
    record: Option<StateRecord>,
    asked: BTreeMap<usize, Option<SecretKeyValue>>,
    /// The place of the latest rotation whose effect changed the state.
    latest: u64,
    /// For each rotation that stopped in this life, and for none, whether a forward get was
    /// answered since.
    forward_since: BTreeMap<Option<u128>, bool>,
    fault: Fault,
}

/// All that tells two keys apart between operations: the machine has no more state then, but
/// counters. Telling too little apart could refuse a history wrongly, but never explain one wrongly.
#[derive(PartialEq, Eq, Hash)]
pub struct Fingerprint {
    flow: Option<SecretKeyFlow>,
    held: Option<(Halves, bool)>,
    record: Option<(SecretKeyFlow, Option<String>)>,
    asked: Vec<(usize, Option<String>)>,
    latest: u64,
    forward_since: BTreeMap<Option<u128>, bool>,
}

/// How one operation of the machine ended.
enum End {
    Nothing,
    Answered(Result<Answer, KeyError>),
    Snapped(Snapshot),
    Proposed { applies: bool },
}

/// The only asker at a time.
const TICKET: u64 = 1;

impl Key {
    /// A key in its first life.
    pub fn new(behaviour: KeyBehaviour, fault: Fault) -> Self {
        Self {
            machine: machine(&behaviour),
            behaviour,
            record: None,
            asked: BTreeMap::new(),
            latest: 0,
            forward_since: BTreeMap::from([(None, false)]),
            fault,
        }
    }

    fn ask(&self, request: Request, fetched: &[StoreAnswer]) -> Vec<(Self, End)> {
        self.then(
            Event::Asked(Admitted {
                ticket: TICKET,
                request,
                deadline: Time::at(Duration::from_secs(1)),
            }),
            fetched,
        )
    }

    /// The key after an event and all that follows from it, for each answer that a fetch may have.
    fn then(&self, event: Event, fetched: &[StoreAnswer]) -> Vec<(Self, End)> {
        let mut key = self.clone();
        let mut end = End::Nothing;
        let mut next = vec![event];
        while let Some(event) = next.pop() {
            for effect in key.machine.step(event, Time::default()) {
                match effect {
                    KeyEffect::Fetch { fetch } => {
                        let fetched = fetched.iter().map(|answer| fetch_ended(fetch, answer));
                        return fetched.flat_map(|event| key.then(event, &[])).collect();
                    }
                    KeyEffect::Load { ticket } => {
                        let found = key.found();
                        next.push(Event::Loaded { ticket, found });
                    }
                    KeyEffect::Look { ticket } => {
                        let found = key.found();
                        next.push(Event::Looked { ticket, found });
                    }
                    KeyEffect::Write { ticket, change } => {
                        if key.fault != Fault::LosesSaves {
                            key.record = change.record().cloned();
                        }
                        let result = Ok(());
                        next.push(Event::Saved {
                            ticket,
                            change,
                            result,
                        });
                    }
                    KeyEffect::Proposed {
                        ticket,
                        applies,
                        record,
                    } => {
                        end = End::Proposed { applies };
                        if let Some(change) = record {
                            key.record = change.record().cloned();
                        }
                        next.push(Event::Adopt { ticket });
                    }
                    KeyEffect::GiveUpFetch | KeyEffect::Owe { .. } => {}
                    KeyEffect::WarnOfStore { .. } => {}
                    KeyEffect::WriteLater => panic!("every write of this world is made"),
                    KeyEffect::Answer { answer, .. } => end = End::Answered(answer),
                    KeyEffect::Snapped { snapshot, .. } => end = End::Snapped(snapshot),
                }
            }
        }
        assert_eq!(key.machine.facts().waiting, 0, "an operation did not end");
        vec![(key, end)]
    }

    fn found(&self) -> Loaded {
        self.record.clone().map_or(Loaded::Absent, Loaded::Record)
    }

    fn held(&self) -> Option<Halves> {
        self.machine.held().map(|held| halves(&held.pair))
    }

    fn answers(&self, mut after: Self, end: End, told: Option<&Told>) -> Option<Self> {
        let End::Answered(answer) = end else {
            return None;
        };
        if told.is_some_and(|told| *told != Told::of(&answer)) {
            return None;
        }
        if let Ok(Answer::Key {
            flow: SecretKeyFlow::ForwardPath,
            ..
        }) = answer
        {
            after
                .forward_since
                .values_mut()
                .for_each(|since| *since = true);
        }
        let drops = self.machine.facts().superseded && !after.machine.facts().holds;
        if self.fault == Fault::AnswersOldKeysAgain && drops {
            after.machine = self.machine.clone();
        }
        Some(after)
    }

    fn stage_save(
        &self,
        call: usize,
        staged: &[Staged],
        fetched: &[StoreAnswer],
        told: &Told,
    ) -> Vec<Self> {
        let staged = staged.to_vec();
        let ends = self.ask(Request::StageSave { staged }, fetched);
        let keeps = |(mut after, end): (Self, End)| {
            if let End::Answered(Ok(Answer::Staged { asked })) = &end {
                after.asked.insert(call, asked.clone());
            }
            self.answers(after, end, Some(told))
        };
        ends.into_iter().filter_map(keeps).collect()
    }

    fn effect(&self, call: usize, sequence: u64, change: &StateChange) -> Vec<Self> {
        if self.fault == Fault::LosesEffects {
            return vec![self.clone()];
        }
        let mut before = self.clone();
        let mut change = change.clone();
        for staged in &mut change.staged {
            if let Staged::Save { asked } = staged {
                *asked = before.asked.remove(&call).flatten();
            }
        }
        change.overtaken = self.latest > sequence && self.fault != Fault::ForgetsTheOrder;
        if self.fault == Fault::ForgetsForwardGets {
            change.resumed = None;
        }
        let ticket = TICKET;
        let ends = before.then(Event::Propose { ticket, change }, &[]);
        let adopted = |(mut after, end): (Self, End)| {
            if let End::Proposed { applies: true } = end {
                after.latest = after.latest.max(sequence);
            }
            after
        };
        ends.into_iter().map(adopted).collect()
    }

    fn supersede(&self, which: &Supersede) -> Vec<Self> {
        if self.fault == Fault::SupersedesNothing {
            return vec![self.clone()];
        }
        keys(self.then(Event::Supersede(which.clone()), &[]))
    }

    fn stopped(&self, rotation: u128) -> Vec<Self> {
        let mut before = self.clone();
        before.forward_since.insert(Some(rotation), false);
        keys(before.then(Event::Stopped { rotation }, &[]))
    }

    fn restart(&self) -> Vec<Self> {
        let mut next = self.clone();
        if self.fault != Fault::OutlivesItself {
            next.machine = machine(&self.behaviour);
            next.forward_since = BTreeMap::from([(None, false)]);
        }
        vec![next]
    }
}

impl Object for Key {
    type Operation = Operation;
    type Fingerprint = Fingerprint;

    fn after(&self, operation: &Operation) -> Vec<Self> {
        match operation {
            Operation::Ask {
                request,
                fetched,
                told,
            } => {
                let ends = self.ask(request.clone(), fetched).into_iter();
                let answers = |(after, end)| self.answers(after, end, told.as_ref());
                ends.filter_map(answers).collect()
            }
            Operation::Held(held) if self.held() != *held => Vec::new(),
            Operation::Held(_) => vec![self.clone()],
            Operation::Snapshot(flow, previous) => {
                let ends = self
                    .then(Event::Snapshot { ticket: TICKET }, &[])
                    .into_iter();
                let told = |end: &End| match end {
                    End::Snapped(Snapshot::Known {
                        flow: known,
                        previous: held,
                    }) => known == flow && held.as_ref().map(halves) == *previous,
                    End::Snapped(Snapshot::Unreadable { .. })
                    | End::Nothing
                    | End::Answered(_)
                    | End::Proposed { .. } => false,
                };
                ends.filter(|(_, end)| told(end))
                    .map(|(key, _)| key)
                    .collect()
            }
            Operation::StageSave {
                call,
                staged,
                fetched,
                told,
            } => self.stage_save(*call, staged, fetched, told),
            Operation::Effect {
                call,
                sequence,
                change,
            } => self.effect(*call, *sequence, change),
            Operation::Supersede(which) => self.supersede(which),
            Operation::Stopped(rotation) => self.stopped(*rotation),
            Operation::Restart => self.restart(),
        }
    }

    fn fingerprint(&self) -> Fingerprint {
        let asked = self.asked.iter();
        Fingerprint {
            flow: self.machine.facts().last_flow,
            held: self
                .held()
                .map(|held| (held, self.machine.facts().superseded)),
            record: self
                .record
                .as_ref()
                .map(|record| (record.flow, record.key.as_ref().map(text))),
            asked: asked
                .map(|(call, asked)| (*call, asked.as_ref().map(text)))
                .collect(),
            latest: self.latest,
            forward_since: self.forward_since.clone(),
        }
    }
}

fn machine(behaviour: &KeyBehaviour) -> KeyMachine {
    let name = KeyName::new("key").expect("a name");
    KeyMachine::new(name, behaviour.clone())
}

fn keys(ends: Vec<(Key, End)>) -> Vec<Key> {
    ends.into_iter().map(|(key, _)| key).collect()
}

fn fetch_ended(fetch: u64, answer: &StoreAnswer) -> Event {
    let why = "down".to_owned();
    let answer = match answer {
        None => Err(FetchFailure::Failed { why }),
        Some(answered) => Ok(FetchedKeys {
            keys: given(answered),
            prints: [[0; 32]; 2],
        }),
    };
    Event::Fetched {
        fetch,
        answer,
        still_running: false,
    }
}
