//! The machine of one key: `step(event, now)` answers the effects, in order. This file serves the
//! askers; `attempt` decides what each gets, `proposal` lets rotations change the state.

use std::collections::{HashMap, VecDeque};

use crate::key::attempt::{After, Attempt};
use crate::key::declared::Comparison;
use crate::key::definition::KeyBehaviour;
use crate::key::effect::{Answer, KeyEffect};
use crate::key::error::KeyError;
use crate::key::event::{Admitted, Event, FetchAnswer, Request, Ticket};
use crate::key::facts::KeyFacts;
use crate::key::flow::SecretKeyFlow;
use crate::key::name::KeyName;
use crate::key::proposal::Proposals;
use crate::key::state::{Held, KeyState, Loaded, RecordChange};
use crate::key::time::Time;
use crate::key::versions::held::HeldVersions;
use crate::key::versions::id::VersionId;
use crate::key::waiting::{For, Waiter, Waiting};
use crate::secret::value::SecretKeyPair;

/// The state of one key and the rules of what each request gets.
#[derive(Debug, Clone)]
pub struct KeyMachine {
    name: KeyName,
    behaviour: KeyBehaviour,
    pub(crate) state: KeyState,
    pub(crate) waiting: Waiting,
    pub(crate) proposals: Proposals,
    pub(crate) fetching: Option<u64>,
    fetches: u64,
    pub(crate) journal_jobs: usize,
    store_hangs: bool,
    /// Whether the requests that want a fetch are still being gathered.
    gathering: bool,
    pub(crate) writing: usize,
    pub(crate) forward_answers: u64,
    pub(crate) forward_answers_at_stop: HashMap<u128, u64>,
    state_reads: u64,
    /// What the record should be, where writing that failed and no request waits for it.
    pub(crate) owed: Option<RecordChange>,
    comparison: Comparison,
    /// The versions, once they are known; in words why they cannot be read.
    pub(crate) versions: Option<Result<HeldVersions, String>>,
    /// The version that this step answers for writing, if it does.
    handed_out: Option<VersionId>,
    /// When a get last answered each version for writing.
    pub(crate) written: Vec<(VersionId, Time)>,
}

impl KeyMachine {
    /// A key in a new lifetime: nothing is known, nothing is held.
    pub fn new(name: KeyName, behaviour: KeyBehaviour) -> Self {
        Self {
            name,
            behaviour,
            state: KeyState::default(),
            waiting: Waiting::default(),
            proposals: Proposals::default(),
            fetching: None,
            fetches: 0,
            journal_jobs: 0,
            store_hangs: false,
            gathering: false,
            writing: 0,
            forward_answers: 0,
            forward_answers_at_stop: HashMap::new(),
            state_reads: 0,
            owed: None,
            comparison: Comparison::default(),
            versions: None,
            handed_out: None,
            written: Vec::new(),
        }
    }

    /// What an operator may know of the key.
    pub fn facts(&self) -> KeyFacts {
        KeyFacts {
            last_flow: self.state.flow,
            holds: self.state.held.is_some(),
            superseded: self.state.held.as_ref().is_some_and(|h| h.superseded),
            waiting: self.waiting.len(),
            store_calls: self.fetches,
            state_reads: self.state_reads,
            store_answers: self.comparison.result(),
        }
    }

    /// The state that the next request finds.
    pub(crate) fn state(&self) -> &KeyState {
        &self.state
    }

    /// The key's name.
    pub(crate) fn name(&self) -> &KeyName {
        &self.name
    }

    /// How the key behaves.
    pub(crate) fn behaviour(&self) -> &KeyBehaviour {
        &self.behaviour
    }

    /// The old keys of a change that is declared without them: what is held, or the current version.
    pub fn held_pair(&self) -> Option<&SecretKeyPair> {
        let held = self.state.held.as_ref().map(|held| &held.pair);
        held.or_else(|| self.current_pair())
    }

    /// What is held.
    pub fn held(&self) -> Option<&Held> {
        self.state.held.as_ref()
    }

    /// When `Tick` is due next.
    pub fn next_deadline(&self) -> Option<Time> {
        self.waiting.next_deadline()
    }

    /// Takes one event in; answers what is to be done, in order.
    pub fn step(&mut self, event: Event, now: Time) -> Vec<KeyEffect> {
        let mut effects = VecDeque::new();
        self.step_into(event, || now, &mut effects);
        effects.into()
    }

    /// As [`step`](Self::step), adding to a list of what is to be done. The time is asked for only
    /// where it matters.
    pub fn step_into(
        &mut self,
        event: Event,
        now: impl FnOnce() -> Time,
        effects: &mut VecDeque<KeyEffect>,
    ) {
        match event {
            Event::Asked(ask) => self.asked(ask, effects),
            Event::Gone { ticket } => {
                let gone = self.waiting.take(ticket);
                self.give_up_fetch(
                    gone.is_some_and(|gone| self.waits_for_fetch(&gone)),
                    effects,
                );
            }
            Event::Fetched {
                fetch,
                answer,
                still_running,
            } => self.fetched(fetch, answer, still_running, effects),
            Event::Returned => self.store_hangs = false,
            Event::Loaded { ticket, found } => self.loaded(ticket, found, effects),
            Event::Looked { ticket, found } => self.looked(ticket, found, effects),
            Event::Saved {
                ticket,
                change,
                result,
            } => self.saved(ticket, change, result, effects),
            Event::WriteAgain => self.write_again(effects),
            Event::Declared(declared) => self.comparison.declare(declared),
            Event::Snapshot { ticket } => self.snapshot(ticket, effects),
            Event::Propose { ticket, change } => self.propose(ticket, change, effects),
            Event::Adopt { ticket } => self.adopt(ticket, effects),
            Event::Withdraw { ticket } => self.withdraw(ticket, effects),
            Event::InDoubt { ticket, why } => self.in_doubt(ticket, why, effects),
            Event::Versions(versions) => self.take_versions(*versions, effects),
            Event::VersionsChanged { facts, values } => {
                self.change_versions(&facts, values, effects);
            }
            Event::JournalDown(why) => self.no_debts(&why, effects),
            Event::Supersede(which) => self.supersede(&which),
            Event::Stopped { rotation } => {
                let answers = self.forward_answers;
                self.forward_answers_at_stop.insert(rotation, answers);
            }
            Event::Ended { rotation } => {
                self.forward_answers_at_stop.remove(&rotation);
            }
            Event::Tick => return self.tick(now(), effects),
        }
        if let Some(id) = self.handed_out.take() {
            self.was_written(id, now());
        }
    }

    fn asked(&mut self, ask: Admitted, effects: &mut VecDeque<KeyEffect>) {
        if let Err(error) = self.fits(&ask.request) {
            effects.push_back(KeyEffect::Answer {
                ticket: ask.ticket,
                answer: Err(error),
            });
            return;
        }
        let waiter = Waiter {
            ask,
            loaded: None,
            fetched: None,
            waits: For::NextFetch,
        };
        self.serve(waiter, None, effects);
    }

    /// Serves a request as far as it goes: answers it, or lets it wait for what it lacks.
    pub(crate) fn serve(
        &mut self,
        mut waiter: Waiter,
        fetched: Option<&FetchAnswer>,
        effects: &mut VecDeque<KeyEffect>,
    ) {
        let ticket = waiter.ask.ticket;
        let answer = match self.attempt(&waiter, fetched) {
            // What is being written comes before this request, which must not be answered as if it
            // did not: the write would then undo, in the record, what the request does now.
            Attempt::Done { .. } if waiter.loaded.is_some() && self.writing > 0 => {
                waiter.fetched = fetched.cloned();
                waiter.waits = For::Writes;
                self.waiting.add(waiter);
                return;
            }
            Attempt::Done { answer, after } => {
                let forward = SecretKeyFlow::ForwardPath;
                if matches!(answer, Answer::Key { flow, .. } if flow == forward) {
                    self.forward_answers += 1;
                    self.forward_comes();
                }
                if let (Answer::Version { id, .. }, Request::Current { .. }) =
                    (&answer, &waiter.ask.request)
                {
                    self.handed_out = Some(*id);
                }
                match after {
                    After::Same => {}
                    After::Flow(flow) => self.state.flow = Some(flow),
                    After::State(state) => self.state = state,
                }
                Ok(answer)
            }
            Attempt::Fail(error) => Err(error),
            Attempt::Write(_) | Attempt::Load if let Some(why) = self.proposals.doubt() => {
                let (key, why) = (self.name.clone(), why.to_owned());
                self.without(&waiter, KeyError::RepoUnavailable { key, why })
            }
            Attempt::Write(_) | Attempt::Load if self.proposals.is_one_out() => {
                waiter.waits = For::Proposal;
                self.waiting.add(waiter);
                return;
            }
            // Saves without end must not keep those requests waiting that wait for the end of the writes.
            Attempt::Write(_) if self.waiting.any(For::Writes) => {
                waiter.fetched = fetched.cloned();
                waiter.waits = For::Writes;
                self.waiting.add(waiter);
                return;
            }
            Attempt::Write(_) | Attempt::Load | Attempt::Owe(_)
                if self.journal_jobs >= self.max_journal_jobs() =>
            {
                let (key, bound) = (self.name.clone(), self.max_journal_jobs());
                self.without(&waiter, KeyError::Busy { key, bound })
            }
            Attempt::Owe(version) if let Request::Current { worker } = &waiter.ask.request => {
                let worker = worker.clone();
                waiter.waits = For::Debt;
                self.waiting.add(waiter);
                self.journal_jobs += 1;
                effects.push_back(KeyEffect::Owe { version, worker });
                return;
            }
            Attempt::KnowVersions => {
                waiter.waits = For::Versions;
                self.waiting.add(waiter);
                return;
            }
            Attempt::Owe(_) => Err(KeyError::Unavailable {
                key: self.name.clone(),
            }),
            Attempt::Write(record) => {
                waiter.waits = For::Write;
                self.waiting.add(waiter);
                self.owed = None;
                self.journal_jobs += 1;
                self.write(Some(ticket), RecordChange::Put(record), effects);
                return;
            }
            Attempt::Load => {
                waiter.waits = For::Load;
                self.waiting.add(waiter);
                self.state_reads += 1;
                self.journal_jobs += 1;
                effects.push_back(KeyEffect::Load { ticket });
                return;
            }
            Attempt::Fetch => match self.may_wait_for_store(&waiter.ask.request) {
                Err(error) => self.without(&waiter, error),
                Ok(()) => {
                    waiter.waits = For::NextFetch;
                    self.waiting.add(waiter);
                    self.fetch_if_wanted(effects);
                    return;
                }
            },
        };
        effects.push_back(KeyEffect::Answer { ticket, answer });
    }

    fn may_wait_for_store(&self, request: &Request) -> Result<(), KeyError> {
        if self.store_hangs {
            let key = self.name.clone();
            let why = "an earlier fetch has passed its time limit and still runs".to_owned();
            return Err(KeyError::StoreFailed { key, why });
        }
        let bound = self.behaviour.max_waiting_for_store();
        let has_own_place = matches!(request, Request::StageSave { .. });
        if !has_own_place && self.waiting.for_store() >= bound {
            let key = self.name.clone();
            return Err(KeyError::Busy { key, bound });
        }
        Ok(())
    }

    fn fetch_if_wanted(&mut self, effects: &mut VecDeque<KeyEffect>) {
        if self.fetching.is_some() || self.store_hangs || self.gathering {
            return;
        }
        let fetch = self.fetches + 1;
        if self.waiting.board(fetch) {
            self.fetches = fetch;
            self.fetching = Some(fetch);
            effects.push_back(KeyEffect::Fetch { fetch });
        }
    }

    fn fetched(
        &mut self,
        fetch: u64,
        answer: FetchAnswer,
        still_running: bool,
        effects: &mut VecDeque<KeyEffect>,
    ) {
        if self.fetching != Some(fetch) {
            return;
        }
        self.fetching = None;
        self.store_hangs = still_running;
        if let Ok(fetched) = &answer
            && self.comparison.answer(fetched.prints)
        {
            let has_old = self.comparison.has_old();
            effects.push_back(KeyEffect::WarnOfStore { has_old });
        }
        for waiter in self.waiting.take_all(For::Fetch(fetch)) {
            self.serve(waiter, Some(&answer), effects);
        }
        // What is held now answers some of those that wait for the next fetch; the others board it
        // together.
        self.gathering = true;
        for waiter in self.waiting.take_all(For::NextFetch) {
            self.serve(waiter, None, effects);
        }
        self.gathering = false;
        self.fetch_if_wanted(effects);
    }

    fn loaded(&mut self, ticket: Ticket, found: Loaded, effects: &mut VecDeque<KeyEffect>) {
        self.journal_jobs = self.journal_jobs.saturating_sub(1);
        if let Some(mut waiter) = self.waiting.take(ticket) {
            waiter.loaded = Some(found);
            self.serve(waiter, None, effects);
        }
    }

    /// Lets go of all requests that wait; the state, what rotations want of it, and what is under way
    /// stay. A step that a panic cut short may have been gathering those that want a fetch.
    pub fn forget_requests(&mut self) {
        self.waiting = Waiting::default();
        self.gathering = false;
    }
}
