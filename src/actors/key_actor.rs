//! The actor of one key: it steps the key's machine and starts what the effects ask for. What it
//! knows outlives it, so that its successor goes on where it died: what the machine wants done is kept
//! until it is performed, and what tells an end until it is taken in.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::actors::clock::Clock;
use crate::actors::fetch::Fetcher;
use crate::actors::journal_thread::JournalThread;
use crate::actors::key_message::{KeyMessage, KeyReply, Proposed, Tell};
use crate::actors::seen::{SeenFacts, Shown};
use crate::actors::supervision::actor::{self, Part, Then};
use crate::actors::supervision::slot::ActorSlot;
use crate::guard::events::Events;
use crate::guard::fault::keeping;
use crate::journal::fingerprints::KeyFingerprints;
use crate::key::declared::Declared;
use crate::key::definition::KeyBehaviour;
use crate::key::effect::KeyEffect;
use crate::key::event::{Event, FetchFailure, Ticket};
use crate::key::journal_down::JournalDown;
use crate::key::machine::KeyMachine;
use crate::key::name::{KeyName, WorkerName};
use crate::key::state::Snapshot;
use crate::key::time::Time;
use crate::key::versions::id::VersionId;
use crate::rotation::id::RotationId;
use crate::secret::scrub::Scrubber;
use crate::secret::value::SecretKeyValue;

/// What a key's actor works with.
pub struct KeyMeans {
    /// The key's name.
    pub name: KeyName,
    /// How it behaves.
    pub behaviour: KeyBehaviour,
    /// What asks its store.
    pub fetcher: Arc<Fetcher>,
    /// Where its records are.
    pub journal: JournalThread,
    /// What tells whether its store answers what was declared.
    pub fingerprints: KeyFingerprints,
    /// The keys of the change that was declared last.
    pub declared: Declared,
    /// Has a version owe a worker.
    pub hand_out: Arc<dyn Fn(VersionId, WorkerName) + Send + Sync>,
    /// Told when it is unknown whether a write was made.
    pub in_doubt: Arc<dyn Fn(JournalDown) + Send + Sync>,
    /// The program's log.
    pub events: Events,
    /// The clock.
    pub clock: Clock,
}

/// What a key's actor may have done in its present life.
pub(super) type Ctx<'a> = actor::Ctx<'a, KeyPart>;

/// What a key's actor knows.
pub struct KeyPart {
    pub(super) machine: KeyMachine,
    shown: Shown,
    pub(super) means: KeyMeans,
    pub(super) slot: Arc<ActorSlot<KeyPart>>,
    replies: Replies,
    pub(super) snapshots: HashMap<Ticket, Tell<Snapshot>>,
    pub(super) proposals: HashMap<Ticket, Tell<Proposed>>,
    /// How the keys of rotations begin, which no text may show.
    known: HashMap<RotationId, Vec<SecretKeyValue>>,
    /// What is still to be performed, also by a successor.
    effects: VecDeque<KeyEffect>,
    step: KeyStep,
    /// Whether a timer runs for the request that is due next.
    timer: bool,
}

impl Part for KeyPart {
    type Message = KeyMessage;

    fn begin(&mut self, ctx: &mut Ctx) {
        self.timer = false;
        self.take_up(ctx);
        self.perform_all();
        self.set_timer(ctx);
    }

    fn handle(&mut self, message: KeyMessage, ctx: &mut Ctx) -> Then {
        match message {
            KeyMessage::Ask { ask, reply } => {
                if !reply.is_closed() {
                    self.replies.asks(ask.ticket, reply);
                    self.step(Event::Asked(ask), ctx);
                    self.replies.wait();
                }
            }
            KeyMessage::Happened(event) => {
                if let Event::Gone { ticket } = event {
                    drop(self.replies.take(ticket));
                }
                if let Event::Withdraw { ticket } = event {
                    self.proposals.remove(&ticket);
                }
                self.step(event, ctx);
            }
            KeyMessage::Fetched {
                fetch,
                answer,
                still_running,
            } => {
                let event = Event::Fetched {
                    fetch,
                    answer,
                    still_running: still_running.is_some(),
                };
                if let Some(returned) = still_running {
                    self.post_when(returned);
                }
                self.step(event, ctx);
            }
            KeyMessage::Snapshot { ticket, tell } => {
                self.snapshots.insert(ticket, tell);
                self.step(Event::Snapshot { ticket }, ctx);
            }
            KeyMessage::Propose {
                ticket,
                change,
                tell,
            } => {
                self.proposals.insert(ticket, tell);
                self.step(Event::Propose { ticket, change }, ctx);
            }
            KeyMessage::LookLater { ticket, why } => {
                self.post_later(KeyMessage::LookAgain { ticket });
                self.step(Event::InDoubt { ticket, why }, ctx);
            }
            KeyMessage::LookAgain { ticket } => self.look(ticket),
            KeyMessage::Held(reply) => {
                drop(reply.send(self.machine.held_pair().cloned()));
            }
            KeyMessage::Scrubber(also, reply) => drop(reply.send(self.scrubber_of(also))),
            KeyMessage::Knows {
                rotation,
                beginnings,
            } => drop(self.known.insert(rotation, beginnings)),
            KeyMessage::Forgets { rotation } => drop(self.known.remove(&rotation)),
            KeyMessage::LastWritten(tell) => tell(self.machine.last_written_with_others()),
            KeyMessage::Inspect(reply) => drop(reply.send(self.machine.facts())),
            KeyMessage::Stop => return Then::End,
        }
        Then::GoOn
    }

    fn fail(&mut self, _why: &str) {
        self.forget_requests();
    }

    fn deadline(&self) -> Option<Time> {
        self.machine.next_deadline()
    }

    fn scrubber(&self) -> Scrubber {
        self.scrubber_of(Vec::new())
    }
}

impl KeyPart {
    /// A key in a new lifetime.
    pub fn new(means: KeyMeans, seen: Arc<SeenFacts>, slot: Arc<ActorSlot<KeyPart>>) -> Self {
        let mut machine = KeyMachine::new(means.name.clone(), means.behaviour.clone());
        machine.step(Event::Declared(means.declared), means.clock.now());
        Self {
            machine,
            shown: Shown::new(seen),
            means,
            slot,
            replies: Replies::default(),
            snapshots: HashMap::new(),
            proposals: HashMap::new(),
            known: HashMap::new(),
            effects: VecDeque::new(),
            step: KeyStep::Done,
            timer: false,
        }
    }

    /// Takes up a step in which the life before ended.
    fn take_up(&mut self, ctx: &mut Ctx) {
        match std::mem::replace(&mut self.step, KeyStep::Done) {
            KeyStep::Done => {}
            KeyStep::OfRequest => self.forget_requests(),
            KeyStep::OfFetch {
                fetch,
                still_running,
            } => {
                self.forget_requests();
                let why = "the actor died when the store had answered".to_owned();
                let over = Event::Fetched {
                    fetch,
                    answer: Err(FetchFailure::Failed { why }),
                    still_running,
                };
                self.step(over, ctx);
            }
            KeyStep::Whole(before) => {
                let (machine, event) = *before;
                self.effects.clear();
                self.machine = machine;
                if !event.is_of_rotation() {
                    // It may be one of them that it cannot be taken in with.
                    self.forget_requests();
                }
                self.step(event, ctx);
            }
        }
    }

    fn step(&mut self, event: Event, ctx: &mut Ctx) {
        self.step = KeyStep::of(&event, &self.machine);
        self.slot.fault_points().pass();
        let clock = self.means.clock;
        let now = || clock.now();
        self.machine.step_into(event, now, &mut self.effects);
        self.slot.fault_points().pass();
        self.step = KeyStep::Done;
        self.perform_all();
        self.set_timer(ctx);
    }

    /// Performs what the machine wants done, in order; what a panic interrupts is performed by the next
    /// life.
    fn perform_all(&mut self) {
        self.shown.show(self.machine.facts());
        while !self.effects.is_empty() {
            self.slot.fault_points().pass();
            match self.effects.pop_front() {
                Some(KeyEffect::Answer { ticket, answer }) => {
                    // If it is not sent, the end of the channel tells the asker.
                    let reply = self.replies.take(ticket);
                    self.slot.fault_points().pass();
                    drop(reply.map(|reply| reply.send(answer)));
                }
                Some(effect) => {
                    let put_back = |part: &mut Self, effect| part.effects.push_front(effect);
                    keeping(self, effect, Self::perform, put_back);
                }
                None => {}
            }
        }
    }

    /// The end of the channel tells the askers, which ask again.
    fn forget_requests(&mut self) {
        self.machine.forget_requests();
        self.shown.show(self.machine.facts());
        self.replies.clear();
    }

    fn set_timer(&mut self, ctx: &mut Ctx) {
        // All requests of a key have the same limit: a later one is not due before.
        if self.timer {
            return;
        }
        let Some(due) = self.machine.next_deadline() else {
            return;
        };
        self.timer = true;
        ctx.later(self.means.clock.now().until(due), |part, ctx| {
            part.timer = false;
            part.step(Event::Tick, ctx);
        });
    }

    /// What clears texts of the keys that this key knows, and of others.
    pub(super) fn scrubber_of(&self, also: Vec<SecretKeyValue>) -> Scrubber {
        let held = self.machine.held().map(|held| &held.pair);
        let held = held.into_iter().flat_map(|p| [p.forward(), p.back()]);
        let versions = self.machine.version_values();
        let known = held.chain(versions);
        let known = known.chain(self.known.values().flatten()).cloned();
        Scrubber::new(known.chain(also))
    }
}

/// Whether a life ended in the middle of a step, and what its successor makes of that.
enum KeyStep {
    /// It did not.
    Done,
    /// What it wanted done so far is done; the askers ask again.
    OfRequest,
    /// The same, and the fetch is over.
    OfFetch {
        /// Which one.
        fetch: u64,
        /// Whether its thread is still busy with it.
        still_running: bool,
    },
    /// The machine before it, and the event: it is not lost.
    Whole(Box<(KeyMachine, Event)>),
}

impl KeyStep {
    fn of(event: &Event, machine: &KeyMachine) -> Self {
        match event {
            // Most gets come here: the machine is not copied for them.
            Event::Asked(_) | Event::Gone { .. } | Event::Tick => Self::OfRequest,
            Event::Fetched {
                fetch,
                still_running,
                ..
            } => Self::OfFetch {
                fetch: *fetch,
                still_running: *still_running,
            },
            event => Self::Whole(Box::new((machine.clone(), event.clone()))),
        }
    }
}

/// Where the answers go, by ticket.
///
/// Most requests are answered in the step that they cause: theirs never reaches the map.
#[derive(Default)]
struct Replies {
    asking: Option<(Ticket, KeyReply)>,
    waiting: BTreeMap<Ticket, KeyReply>,
}

impl Replies {
    /// A request comes, and nothing is known of its answer yet.
    fn asks(&mut self, ticket: Ticket, reply: KeyReply) {
        self.wait();
        self.asking = Some((ticket, reply));
    }

    /// The last request waits, if it was not answered at once.
    fn wait(&mut self) {
        if let Some((ticket, reply)) = self.asking.take() {
            self.waiting.insert(ticket, reply);
        }
    }

    /// Where the answer to this ticket goes, if it is awaited.
    fn take(&mut self, ticket: Ticket) -> Option<KeyReply> {
        match self.asking.take_if(|(asking, _)| *asking == ticket) {
            Some((_, reply)) => Some(reply),
            None => self.waiting.remove(&ticket),
        }
    }

    /// Drops all, by which the askers are told.
    fn clear(&mut self) {
        self.asking = None;
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::effect::Answer;

    #[test]
    fn each_asker_is_found_once_by_its_ticket_whether_it_waits_or_asks() {
        let mut replies = Replies::default();
        let mut answers = Vec::new();
        for ticket in 0..3 {
            let (reply, answer) = tokio::sync::oneshot::channel();
            replies.asks(ticket, reply);
            answers.push(answer);
        }
        for (ticket, answer) in answers.iter_mut().enumerate() {
            let ticket = ticket as Ticket;
            replies
                .take(ticket)
                .unwrap()
                .send(Ok(Answer::Saved))
                .unwrap();
            assert_eq!(answer.try_recv(), Ok(Ok(Answer::Saved)));
            assert!(replies.take(ticket).is_none());
        }
    }
}
