//! What is around the machines of keys: stores, askers, and their part of the journal.

use std::collections::BTreeMap;

use keyward::key::effect::{Answer, KeyEffect};
use keyward::key::error::KeyError;
use keyward::key::event::{Event, FetchFailure, FetchedKeys, Ticket};
use keyward::key::flow::SecretKeyFlow;
use keyward::key::machine::KeyMachine;
use keyward::key::state::{RecordChange, Staged};
use keyward::key::time::Time;
use keyward::rotation::event::StepRef;
use keyward::rotation::id::RotationId;

use crate::simulation::callbacks::CallId;
use crate::simulation::coordinator::Told;
use crate::simulation::life::Job;
use crate::simulation::looks::{changes, is_look, what_is_there};
use crate::simulation::plan::{key_name, keys_of, prints_of, version_of};
use crate::simulation::world::{Made, What, World};

/// The requests to a key, with their callers.
#[derive(Debug)]
pub struct KeyAsk {
    /// The version that the store had when the request arrived; the store's answer is no older.
    version: u64,
    /// How often what is owed might have changed when the request arrived.
    changes: u64,
    /// When an answer must have come.
    until: u64,
    call: Option<CallId>,
    /// The declaration whose old keys are asked for.
    declares: Option<Box<Made>>,
}

impl KeyAsk {
    /// A program asks.
    pub fn program() -> Self {
        Self {
            version: 0,
            changes: 0,
            until: u64::MAX,
            call: None,
            declares: None,
        }
    }

    /// A declaration asks the key's store for its old keys.
    pub fn declares(made: Box<Made>) -> Self {
        Self {
            declares: Some(made),
            ..Self::program()
        }
    }

    /// A callback stages a save.
    pub fn stages(call: CallId) -> Self {
        Self {
            call: Some(call),
            ..Self::program()
        }
    }
}

/// What is around the machine of one key.
pub struct Shell {
    pub machine: KeyMachine,
    tickets: Ticket,
    pub pending: BTreeMap<Ticket, KeyAsk>,
    pub snapshots: BTreeMap<Ticket, RotationId>,
    pub proposals: BTreeMap<Ticket, StepRef>,
    /// Of a change that is being adopted, what became of the record.
    pub adopting: BTreeMap<Ticket, Option<RecordChange>>,
    /// The version that a fetch found when it began.
    fetches: BTreeMap<u64, u64>,
    /// The version that the back path owes: the forward path answered it, and nothing has changed the state since.
    pub owed: Option<u64>,
    /// How often something came that may change what it owes, besides gets.
    pub changes: u64,
    timer: Option<u64>,
}

impl Shell {
    pub fn new(machine: KeyMachine) -> Self {
        Self {
            machine,
            tickets: 0,
            pending: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            proposals: BTreeMap::new(),
            adopting: BTreeMap::new(),
            fetches: BTreeMap::new(),
            owed: None,
            changes: 0,
            timer: None,
        }
    }

    pub fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    /// Whether no caller waits.
    pub fn rests(&self) -> bool {
        self.pending.is_empty()
            && self.snapshots.is_empty()
            && self.proposals.is_empty()
            && self.machine.facts().waiting == 0
    }
}

impl World {
    pub fn key_ticket(&mut self, key: usize) -> Ticket {
        let shell = self.life().keys[key].as_mut().expect("a defined key");
        shell.ticket()
    }

    /// A message to a key, in the order of sending.
    pub fn tell_key(&mut self, key: usize, event: Event) {
        let at = self.now + self.delay();
        let life = self.life();
        life.keys_busy[key] = life.keys_busy[key].max(at);
        let (at, of) = (life.keys_busy[key], life.of());
        self.at(at, of, What::Key(key, Box::new(event)));
    }

    pub fn key(&mut self, key: usize, event: Event) {
        let now = self.time();
        let (at, version) = (self.now, self.versions[key]);
        let limit = crate::simulation::callbacks::limit(self.plan.keys[key].request_time_limit);
        let Some(shell) = self.life().keys[key].as_mut() else {
            return;
        };
        if let Event::Asked(ticket) = &event
            && let Some(pending) = shell.pending.get_mut(&ticket.ticket)
        {
            pending.version = version;
            pending.changes = shell.changes;
            pending.until = at + limit;
        }
        let adopted = match &event {
            Event::Adopt { ticket } => {
                let alone = shell.machine.facts().waiting == 0;
                shell.adopting.remove(ticket).filter(|_| alone)
            }
            _ => None,
        };
        let before = what_is_there(&shell.machine);
        let is_look = is_look(&event);
        if changes(&event) {
            shell.owed = None;
            shell.changes += 1;
        }
        let effects = shell.machine.step(event, now);
        if is_look {
            let after = what_is_there(&shell.machine);
            assert_eq!(before, after, "a look at key {} changed it", key_name(key));
        }
        if let Some(record) = adopted {
            check_adopted(&shell.machine, record, &effects);
        }
        for effect in effects {
            self.key_performs(key, effect);
        }
        self.set_key_timer(key);
    }

    fn set_key_timer(&mut self, key: usize) {
        let life = self.life();
        let of = life.of();
        let shell = life.keys[key].as_mut().expect("a defined key");
        if let Some(due) = shell.machine.next_deadline() {
            let due = u64::try_from(Time::default().until(due).as_millis()).expect("soon");
            if shell.timer.is_none_or(|timer| timer > due) {
                shell.timer = Some(due);
                self.at(due.max(self.now), of, What::KeyTimer(key));
            }
        }
    }

    pub fn key_timer(&mut self, key: usize) {
        let shell = self.life().keys[key].as_mut().expect("a defined key");
        shell.timer = None;
        self.key(key, Event::Tick);
    }

    fn key_performs(&mut self, key: usize, effect: KeyEffect) {
        match effect {
            KeyEffect::Fetch { fetch } => self.fetch(key, fetch),
            // In this world every fetch has its thread at once.
            KeyEffect::GiveUpFetch => {}
            KeyEffect::Owe { .. } => unreachable!("no key of the simulation has versions yet"),
            KeyEffect::Load { ticket } => self.job(Job::Load(key, ticket)),
            KeyEffect::Look { ticket } => self.job(Job::Look(key, ticket)),
            KeyEffect::Write { ticket, change } => self.job(Job::Save(key, ticket, change)),
            KeyEffect::WriteLater => {
                self.in_life(1_000, What::Key(key, Box::new(Event::WriteAgain)));
            }
            KeyEffect::WarnOfStore { .. } => {}
            KeyEffect::Answer { ticket, answer } => self.key_answers(key, ticket, answer),
            KeyEffect::Snapped { ticket, snapshot } => {
                let shell = self.life().keys[key].as_mut().expect("a defined key");
                if let Some(rotation) = shell.snapshots.remove(&ticket) {
                    self.send(Told::Snapped {
                        rotation,
                        ticket,
                        snapshot,
                    });
                }
            }
            KeyEffect::Proposed {
                ticket,
                applies,
                record,
            } => {
                let shell = self.life().keys[key].as_mut().expect("a defined key");
                if let Some(step) = shell.proposals.remove(&ticket) {
                    self.send(Told::Proposed {
                        step,
                        ticket,
                        applies,
                        record,
                    });
                }
            }
        }
    }

    /// The repo did not answer a look: it is tried again.
    pub fn look(&mut self, key: usize, ticket: Ticket) {
        self.job(Job::Look(key, ticket));
    }

    fn fetch(&mut self, key: usize, fetch: u64) {
        let version = self.versions[key];
        let takes = if self.chance.percent(10) {
            self.chance.between(20, 900)
        } else {
            self.chance.below(20)
        };
        let shell = self.life().keys[key].as_mut().expect("a defined key");
        shell.fetches.insert(fetch, version);
        self.in_life(takes, What::Fetched(key, fetch));
    }

    /// A store answers, fails, or has passed its limit.
    pub fn fetched(&mut self, key: usize, fetch: u64) {
        let behaviour = self.plan.keys[key].clone();
        let bad = !self.calm && self.chance.percent(self.plan.faults.stores);
        let shell = self.life().keys[key].as_mut().expect("a defined key");
        let version = shell.fetches.remove(&fetch).expect("a fetch");
        let failed = |why: &str| {
            let why = why.to_owned();
            Err(FetchFailure::Failed { why })
        };
        let mut still_running = false;
        let answer = match bad.then(|| self.chance.below(3)) {
            None => Ok(FetchedKeys {
                keys: keys_of(&behaviour, version),
                prints: prints_of(version),
            }),
            Some(0) => failed("the store is down"),
            Some(1) => {
                let why = keyward::secret::value::InvalidKey::Empty;
                Err(FetchFailure::Invalid(why))
            }
            Some(_) => {
                still_running = true;
                self.figures.hanging += 1;
                failed("its time limit has passed")
            }
        };
        if still_running {
            let hangs = self.chance.about(8_000) + 1_000;
            let life = self.life();
            let of = life.of();
            let returned = What::Key(key, Box::new(Event::Returned));
            self.after(hangs, of, returned);
        }
        let event = Event::Fetched {
            fetch,
            answer,
            still_running,
        };
        self.key(key, event);
    }

    fn key_answers(&mut self, key: usize, ticket: Ticket, answer: Result<Answer, KeyError>) {
        let shell = self.life().keys[key].as_mut().expect("a defined key");
        let Some(ticket) = shell.pending.remove(&ticket) else {
            // Its caller is gone, which the key does not know yet: what it owes now was told to no caller.
            shell.owed = None;
            return;
        };
        assert!(
            self.now <= ticket.until,
            "key {} answered after the request's limit",
            key_name(key)
        );
        self.mark(u64::from(answer.is_ok()));
        if let Some(call) = ticket.call {
            let staged = match answer {
                Ok(Answer::Staged { asked }) => Ok(Some(Staged::Save { asked })),
                Ok(other) => panic!("a staged save was answered {other:?}"),
                Err(error) => Err(error.to_string()),
            };
            self.save_staged(call, staged);
            return;
        }
        match answer {
            Ok(Answer::Key { value, flow }) => {
                self.figures.gets += 1;
                let version = version_of(value.expose());
                let known = version <= self.versions[key] + self.made.len() as u64;
                assert!(known, "a key answers what no store gave");
                self.check_owed(key, (flow, version), ticket.changes);
                if flow != SecretKeyFlow::BackPath {
                    assert!(
                        version >= ticket.version,
                        "a forward get was answered with a value older than the request"
                    );
                }
            }
            Ok(Answer::Candidates(values)) => self.check_candidates(key, &values),
            Ok(Answer::OfStore(fetched)) => {
                self.store_answered(key, ticket.version, &fetched, ticket.declares);
            }
            Ok(
                Answer::Saved
                | Answer::Staged { .. }
                | Answer::Version { .. }
                | Answer::Versions(_),
            ) => self.figures.gets += 1,
            Err(_) => self.figures.refused_gets += 1,
        }
    }

    pub fn key_asker_gone(&mut self, key: usize, ticket: Ticket) {
        let Some(shell) = self.life().keys[key].as_mut() else {
            return;
        };
        if shell.pending.remove(&ticket).is_some() {
            self.figures.dropped += 1;
            self.tell_key(key, Event::Gone { ticket });
        }
    }
}

/// What a key holds after it adopted a change is what its record says.
fn check_adopted(machine: &KeyMachine, record: Option<RecordChange>, effects: &[KeyEffect]) {
    let corrected = effects.iter().rev().find_map(|effect| match effect {
        KeyEffect::Write { change, .. } => Some(change.clone()),
        _ => None,
    });
    let Some(change) = corrected.or(record) else {
        return;
    };
    let facts = machine.facts();
    let held = machine.held().map(|held| held.pair.back().clone());
    match change.record() {
        None => assert!(
            facts.last_flow.is_none() && held.is_none(),
            "a cleaned key still has a state"
        ),
        Some(record) => {
            assert_eq!(facts.last_flow, Some(record.flow), "flow and record differ");
            if record.flow == SecretKeyFlow::ForwardPath && held.is_some() {
                assert_eq!(held, record.key, "what is held and the record differ");
            }
        }
    }
}
