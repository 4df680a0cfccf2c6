//! The world of one seed: a virtual clock, a heap of what happens next, one process at a time on a
//! disk that survives it.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use keyward::key::event::{Event as KeyEvent, Ticket};
use keyward::key::state::Effect;
use keyward::key::time::Time;
use keyward::rotation::event::{Declaration, Moment};
use keyward::rotation::id::RotationId;

use crate::simulation::callbacks::{CallId, Lanes, Running};
use crate::simulation::chance::Chance;
use crate::simulation::coordinator::Told;
use crate::simulation::disk::{Disk, Seal};
use crate::simulation::figures::Figures;
use crate::simulation::life::Life;
use crate::simulation::plan::Plan;
use crate::simulation::truth::{Secrets, Truth};

/// How many of the last happenings a failure shows, unless `KEYWARD_STORY` says how many.
const SHOWN: usize = 30;
/// How long nothing may settle, when nothing goes wrong any more, until the world is at rest: 60
/// virtual minutes. Each rotation of a long queue may wait some minutes for callbacks that never return.
const REST: u64 = 3_600_000;

/// The life and the process that it happens in: once these are over, it does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    World,
    Process(u64),
    Life(u64),
}

/// What happens.
#[derive(Debug)]
pub enum What {
    /// A process starts, or a manager in the same process.
    Start,
    /// The program does something.
    Acts,
    /// The process is gone.
    Crash,
    /// The manager is shut down.
    ShutDown,
    /// The grace of a shutdown is over.
    Grace,
    /// The coordinator's actor dies.
    CoordinatorDies,
    /// Faults end.
    Calm,
    /// Whatever is missing for everything to end is brought about.
    Tend,
    /// A message comes to the coordinator.
    Coordinator(Box<Told>),
    /// The coordinator's timer.
    CoordinatorTimer,
    /// A message comes to a key.
    Key(usize, Box<KeyEvent>),
    /// A key is asked what it holds, for a declaration that did not give its old keys.
    Held(usize, Ticket, Box<Declaration>),
    /// A key's timer.
    KeyTimer(usize),
    /// A look at a record is tried again.
    LookAgain(usize, Ticket),
    /// A store answers.
    Fetched(usize, u64),
    /// The journal has done its job.
    JobDone,
    /// A program defines a key, lets a worker join, or registers a callback.
    Define(usize),
    Join(usize),
    Register(usize, usize, usize),
    /// A caller of a key or of the coordinator does not wait any more.
    KeyGone(usize, Ticket),
    Gone(u64),
    /// A callback is told to have ended.
    CallEnds(CallId),
    /// A callback has really returned.
    CallReturns(CallId),
    /// A turn of a worker and key has its thread.
    TurnReady(crate::simulation::callbacks::Lane, u64),
}

struct Entry {
    at: u64,
    order: u64,
    of: Of,
    what: What,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// A declaration as a program made it, to be made again.
#[derive(Debug, Clone)]
pub struct Made {
    pub declaration: Declaration,
    pub secrets: Secrets,
    /// The new keys that a store is asked for, once the coordinator says so.
    pub new_from: Option<u64>,
}

/// The world of one seed.
pub struct World {
    pub now: u64,
    order: u64,
    heap: BinaryHeap<Reverse<Entry>>,
    pub chance: Chance,
    /// Draws which ends of callbacks are lost, apart from all else: so the stories of seeds in which none
    /// is are what they were before there were lost ends.
    pub losing: Chance,
    /// Draws what only some seeds do, apart from all else, for the same reason.
    pub looking: Chance,
    /// Whether this is such a seed.
    pub looks: bool,
    pub plan: Plan,
    pub disk: Disk,
    pub seal: Arc<Seal>,
    pub truth: Truth,
    pub life: Option<Life>,
    pub lives: u64,
    pub processes: u64,
    pub lanes: Lanes,
    pub calls: BTreeMap<CallId, Running>,
    pub versions: Vec<u64>,
    pub made: Vec<Made>,
    pub accepted: BTreeMap<RotationId, Declaration>,
    pub calm: bool,
    pub at_rest: bool,
    /// Whether another life has found everything again.
    pub truth_was_reread: bool,
    pub waited_for_all: bool,
    /// When a rotation settled last.
    pub settled_at: u64,
    pub wall_offset: i64,
    pub next: u64,
    pub figures: Figures,
    pub story: Option<VecDeque<String>>,
    shown: usize,
    pub hash: u64,
}

fn shown() -> usize {
    let given = std::env::var("KEYWARD_STORY").ok();
    given.map_or(SHOWN, |given| given.parse().expect("a number of lines"))
}

impl World {
    pub fn new(seed: u64, telling: bool) -> Self {
        let mut chance = Chance::new(seed);
        let mut plan = Plan::new(&mut chance);
        let mut losing = Chance::new(!seed);
        if losing.percent(45) {
            plan.faults.lost = losing.pick(&[10, 50, 200]);
        }
        let versions = vec![1; plan.keys.len()];
        let mut world = Self {
            now: 0,
            order: 0,
            heap: BinaryHeap::new(),
            chance,
            losing,
            looking: Chance::new(seed.rotate_left(32)),
            looks: seed % 4 == 3,
            plan,
            disk: Disk::new(),
            seal: Arc::default(),
            truth: Truth::default(),
            life: None,
            lives: 0,
            processes: 1,
            lanes: Lanes::default(),
            calls: BTreeMap::new(),
            versions,
            made: Vec::new(),
            accepted: BTreeMap::new(),
            calm: false,
            at_rest: false,
            truth_was_reread: false,
            waited_for_all: false,
            settled_at: 0,
            wall_offset: 0,
            next: 0,
            figures: Figures::default(),
            story: telling.then(VecDeque::new),
            shown: shown(),
            hash: seed,
        };
        world.truth.journal.next_sequence = 1;
        world.after(0, Of::World, What::Start);
        world.after(world.plan.span, Of::World, What::Calm);
        world
    }

    /// Lets everything happen until the world has come to rest.
    pub fn run(&mut self) {
        while !self.at_rest {
            let Some(Reverse(entry)) = self.heap.pop() else {
                panic!("nothing happens any more, and the world is not at rest");
            };
            self.now = entry.at;
            let over = match entry.of {
                Of::World => false,
                Of::Process(process) => process != self.processes,
                Of::Life(life) => self.life.as_ref().is_none_or(|l| l.no != life),
            };
            if over {
                continue;
            }
            assert!(
                self.now < self.settled_at.max(self.plan.span) + REST,
                "the world does not come to rest: {}",
                self.unrest()
            );
            self.figures.events += 1;
            if self.story.is_some() && !matches!(entry.what, What::Tend) {
                let line = format!("{:?}", entry.what);
                self.tell(&line);
            }
            self.happens(entry.what);
        }
    }

    fn happens(&mut self, what: What) {
        self.mark(self.now);
        match what {
            What::Start => self.start(),
            What::Acts => self.acts(),
            What::Crash => self.crash(),
            What::ShutDown => self.shut_down(),
            What::Grace => self.grace_is_over(),
            What::CoordinatorDies => self.coordinator_dies(),
            What::Calm => self.becomes_calm(),
            What::Tend => self.tend(),
            What::Coordinator(told) => self.coordinator(*told),
            What::CoordinatorTimer => self.coordinator_timer(),
            What::Key(key, event) => self.key(key, *event),
            What::Held(key, ticket, declaration) => {
                self.tells_what_is_held(key, ticket, declaration)
            }
            What::KeyTimer(key) => self.key_timer(key),
            What::LookAgain(key, ticket) => self.look(key, ticket),
            What::Fetched(key, fetch) => self.fetched(key, fetch),
            What::JobDone => self.job_done(),
            What::Define(key) => self.asks_to_define(key),
            What::Join(worker) => self.asks_to_join(worker),
            What::Register(worker, key, callback) => self.asks_to_register(worker, key, callback),
            What::KeyGone(key, ticket) => self.key_asker_gone(key, ticket),
            What::Gone(ticket) => self.asker_gone(ticket),
            What::CallEnds(call) => self.call_ends(call),
            What::CallReturns(call) => self.call_returns(call),
            What::TurnReady(lane, token) => self.turn_ready(&lane, token),
        }
    }

    /// Something happens so many milliseconds from now.
    pub fn after(&mut self, delay: u64, of: Of, what: What) {
        self.at(self.now + delay, of, what);
    }

    pub fn at(&mut self, at: u64, of: Of, what: What) {
        self.order += 1;
        let order = self.order;
        self.heap.push(Reverse(Entry {
            at,
            order,
            of,
            what,
        }));
    }

    /// Something happens in this life.
    pub fn in_life(&mut self, delay: u64, what: What) {
        let life = Of::Life(self.lives);
        self.after(delay, life, what);
    }

    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub fn life(&mut self) -> &mut Life {
        self.life.as_mut().expect("a life")
    }

    pub fn time(&self) -> Time {
        Time::at(Duration::from_millis(self.now))
    }

    /// The time of an event; the wall clock may jump, and harms nothing.
    pub fn moment(&mut self) -> Moment {
        if self.plan.faults.wall_clock && self.chance.per_mille(20) {
            self.wall_offset = self.chance.pick(&[-3_600_000, 0, 3_600_000]);
        }
        let wall = 1_700_000_000_000_u64 + self.now;
        Moment {
            time: self.time(),
            wall_ms: wall.saturating_add_signed(self.wall_offset),
        }
    }

    /// How long a message or an answer takes.
    pub fn delay(&mut self) -> u64 {
        let slow = !self.calm && self.chance.percent(self.plan.faults.delayed);
        if slow {
            self.chance.between(1, 700)
        } else {
            self.chance.below(3)
        }
    }

    /// Adds to what tells two runs apart.
    pub fn mark(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x0100_0000_01b3);
        self.hash ^= self.hash >> 29;
    }

    /// Notes a line where the story is told.
    pub fn tell(&mut self, line: &str) {
        let at = self.now;
        for byte in line.bytes() {
            self.mark(u64::from(byte));
        }
        if let Some(story) = &mut self.story {
            if story.len() >= self.shown {
                story.pop_front();
            }
            story.push_back(format!("{at:>7} ms  {line}"));
        }
    }

    /// Draws what a callback that succeeds did to the data.
    pub fn effect(&mut self) -> Effect {
        match self.chance.below(5) {
            0 | 1 => Effect::Reencrypted,
            2 => Effect::Decrypted,
            _ => Effect::Nothing,
        }
    }
}
