//! A key's machine with short names for what happens to it and for what it wants done.

use std::time::Duration;

use keyward::key::definition::{KeyBehaviour, OnKeyChangedCallbackErrorStrategy};
use keyward::key::effect::{Answer, KeyEffect};
use keyward::key::error::KeyError;
use keyward::key::event::{Admitted, Event, FetchFailure, FetchedKeys, Request, Supersede, Ticket};
use keyward::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use keyward::key::machine::KeyMachine;
use keyward::key::name::KeyName;
use keyward::key::state::{
    Effect, Loaded, RecordChange, Snapshot, Staged, StateChange, StateRecord,
};
use keyward::key::time::Time;
use keyward::secret::value::{SecretKeyPair, SecretKeyValue, SecretKeys};

pub const FORWARD: SecretKeyFlow = SecretKeyFlow::ForwardPath;
pub const BACK: SecretKeyFlow = SecretKeyFlow::BackPath;
pub const LIMIT: Duration = Duration::from_secs(15);

/// A key's machine and the time that it is told.
pub struct Key {
    pub machine: KeyMachine,
    pub seconds: u64,
}

pub fn name() -> KeyName {
    KeyName::new("data").expect("a name")
}

pub fn behaviour(use_case: SecretKeyUseCase) -> KeyBehaviour {
    KeyBehaviour {
        use_case,
        stateless: true,
        keep_in_cache: true,
        error_strategy: OnKeyChangedCallbackErrorStrategy::Halt,
        store_time_limit: Duration::from_secs(10),
        request_time_limit: LIMIT,
        callback_time_limit: Duration::from_secs(30),
        workers_at_once: 1,
        max_requests: 1024,
        max_waiting_rotations: 64,
        versions: None,
    }
}

impl Key {
    pub fn new(behaviour: KeyBehaviour) -> Self {
        let machine = KeyMachine::new(name(), behaviour);
        Self {
            machine,
            seconds: 0,
        }
    }

    pub fn one_way() -> Self {
        Self::new(behaviour(SecretKeyUseCase::OneWayTrip))
    }

    /// A round-trip key that keeps its pair in memory only.
    pub fn stateless() -> Self {
        Self::new(behaviour(SecretKeyUseCase::RoundTrip))
    }

    /// A round-trip key with a record.
    pub fn stated() -> Self {
        Self::new(KeyBehaviour {
            stateless: false,
            ..behaviour(SecretKeyUseCase::RoundTrip)
        })
    }

    /// A round-trip key with a record, not kept in cache.
    pub fn uncached() -> Self {
        Self::new(KeyBehaviour {
            stateless: false,
            keep_in_cache: false,
            ..behaviour(SecretKeyUseCase::RoundTrip)
        })
    }

    /// A key after a forward get with the first ticket, which the store answered with this pair.
    pub fn forwarded(mut self, forward: &str, back: &str) -> Self {
        assert_eq!(self.get(1, FORWARD), [fetch(1)]);
        let answered = self.fetched(1, pair(forward, back));
        assert_eq!(answered, [answer(1, FORWARD, forward)]);
        self
    }

    pub fn step(&mut self, event: Event) -> Vec<KeyEffect> {
        let now = Time::at(Duration::from_secs(self.seconds));
        self.machine.step(event, now)
    }

    pub fn ask(&mut self, ticket: Ticket, request: Request) -> Vec<KeyEffect> {
        let arrival = Time::at(Duration::from_secs(self.seconds));
        self.step(Event::Asked(Admitted {
            ticket,
            request,
            deadline: arrival.after(LIMIT),
        }))
    }

    pub fn get(
        &mut self,
        ticket: Ticket,
        flow: impl Into<Option<SecretKeyFlow>>,
    ) -> Vec<KeyEffect> {
        let flow = flow.into();
        self.ask(ticket, Request::Get { flow })
    }

    pub fn save(&mut self, ticket: Ticket) -> Vec<KeyEffect> {
        self.ask(ticket, Request::Save)
    }

    pub fn fetched(&mut self, fetch: u64, keys: SecretKeys) -> Vec<KeyEffect> {
        let prints = [[0; 32]; 2];
        self.step(Event::Fetched {
            fetch,
            answer: Ok(FetchedKeys { keys, prints }),
            still_running: false,
        })
    }

    pub fn fetch_failed(&mut self, fetch: u64, still_running: bool) -> Vec<KeyEffect> {
        let why = "down".to_owned();
        self.step(Event::Fetched {
            fetch,
            answer: Err(FetchFailure::Failed { why }),
            still_running,
        })
    }

    pub fn loaded(&mut self, ticket: Ticket, found: Loaded) -> Vec<KeyEffect> {
        self.step(Event::Loaded { ticket, found })
    }

    pub fn looked(&mut self, ticket: Ticket, found: Loaded) -> Vec<KeyEffect> {
        self.step(Event::Looked { ticket, found })
    }

    pub fn saved(
        &mut self,
        ticket: impl Into<Option<Ticket>>,
        record: StateRecord,
    ) -> Vec<KeyEffect> {
        self.step(Event::Saved {
            ticket: ticket.into(),
            change: RecordChange::Put(record),
            result: Ok(()),
        })
    }

    pub fn propose(&mut self, ticket: Ticket, change: StateChange) -> Vec<KeyEffect> {
        self.step(Event::Propose { ticket, change })
    }

    pub fn adopt(&mut self, ticket: Ticket) -> Vec<KeyEffect> {
        self.step(Event::Adopt { ticket })
    }

    pub fn supersede(&mut self) {
        let effects = self.step(Event::Supersede(Supersede::Any));
        assert_eq!(effects, []);
    }

    /// The last flow, whether something is held, and whether that is superseded.
    pub fn state(&self) -> (Option<SecretKeyFlow>, bool, bool) {
        let facts = self.machine.facts();
        (facts.last_flow, facts.holds, facts.superseded)
    }
}

pub fn value(text: &str) -> SecretKeyValue {
    SecretKeyValue::from(text)
}

pub fn one(text: &str) -> SecretKeys {
    SecretKeys::Single(value(text))
}

pub fn pair(forward: &str, back: &str) -> SecretKeys {
    SecretKeys::Pair(both(forward, back))
}

pub fn both(forward: &str, back: &str) -> SecretKeyPair {
    SecretKeyPair::new(forward, back)
}

pub fn record(flow: SecretKeyFlow, key: Option<&str>) -> StateRecord {
    StateRecord {
        flow,
        key: key.map(value),
    }
}

pub fn found(flow: SecretKeyFlow, key: Option<&str>) -> Loaded {
    Loaded::Record(record(flow, key))
}

pub fn unreadable() -> Loaded {
    let why = "changed".to_owned();
    Loaded::Unreadable { why }
}

pub fn change(staged: Vec<Staged>, effect: Effect, new: Option<SecretKeyPair>) -> StateChange {
    StateChange {
        staged,
        effect,
        new_keys: new,
        overtaken: false,
        resumed: None,
    }
}

pub fn fetch(fetch: u64) -> KeyEffect {
    KeyEffect::Fetch { fetch }
}

pub fn load(ticket: Ticket) -> KeyEffect {
    KeyEffect::Load { ticket }
}

pub fn look(ticket: Ticket) -> KeyEffect {
    KeyEffect::Look { ticket }
}

pub fn put(ticket: impl Into<Option<Ticket>>, record: StateRecord) -> KeyEffect {
    KeyEffect::Write {
        ticket: ticket.into(),
        change: RecordChange::Put(record),
    }
}

pub fn answer(ticket: Ticket, flow: SecretKeyFlow, text: &str) -> KeyEffect {
    let value = value(text);
    KeyEffect::Answer {
        ticket,
        answer: Ok(Answer::Key { value, flow }),
    }
}

pub fn is_saved(ticket: Ticket) -> KeyEffect {
    KeyEffect::Answer {
        ticket,
        answer: Ok(Answer::Saved),
    }
}

pub fn staged(ticket: Ticket, asked: Option<&str>) -> KeyEffect {
    let asked = asked.map(value);
    KeyEffect::Answer {
        ticket,
        answer: Ok(Answer::Staged { asked }),
    }
}

pub fn refusal(ticket: Ticket, error: KeyError) -> KeyEffect {
    KeyEffect::Answer {
        ticket,
        answer: Err(error),
    }
}

pub fn store_failed(ticket: Ticket) -> KeyEffect {
    let why = "down".to_owned();
    refusal(ticket, KeyError::StoreFailed { key: name(), why })
}

pub fn store_hangs(ticket: Ticket) -> KeyEffect {
    let why = "an earlier fetch has passed its time limit and still runs".to_owned();
    refusal(ticket, KeyError::StoreFailed { key: name(), why })
}

pub fn state_unreadable(ticket: Ticket) -> KeyEffect {
    let why = "changed".to_owned();
    refusal(ticket, KeyError::StateUnreadable { key: name(), why })
}

pub fn proposed(ticket: Ticket, applies: bool, record: Option<RecordChange>) -> KeyEffect {
    KeyEffect::Proposed {
        ticket,
        applies,
        record,
    }
}

pub fn proposed_put(ticket: Ticket, record: StateRecord) -> KeyEffect {
    proposed(ticket, true, Some(RecordChange::Put(record)))
}

pub fn snapped(
    ticket: Ticket,
    flow: Option<SecretKeyFlow>,
    previous: Option<SecretKeyPair>,
) -> KeyEffect {
    let snapshot = Snapshot::Known { flow, previous };
    KeyEffect::Snapped { ticket, snapshot }
}
