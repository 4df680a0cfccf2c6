//! What workers do in a history: all of it is drawn from a seed. What happens at the same time is
//! not: that is real.

use std::time::Duration;

use keyward::key::definition::{KeyBehaviour, OnKeyChangedCallbackErrorStrategy};
use keyward::key::event::Request;
use keyward::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use keyward::key::state::{Effect, Staged};
use keyward::secret::value::SecretKeyPair;

use crate::linearizability::operation::Halves;

/// How the key behaves.
pub type Behaviour = KeyBehaviour;

const FORWARD: SecretKeyFlow = SecretKeyFlow::ForwardPath;
const BACK: SecretKeyFlow = SecretKeyFlow::BackPath;

/// How many workers there are.
pub const WORKERS: usize = 4;

/// One thing that a client does.
#[derive(Debug, Clone)]
pub enum Action {
    /// It asks, and waits for the answer.
    Ask(Request),
    /// It asks, and is gone after so many turns of others.
    Abandon(Request, u64),
    /// It declares a change.
    Change {
        /// The old keys that it names.
        old: Option<u64>,
        /// The new keys that it names.
        new: Option<u64>,
        /// Whether it waits for the end before it goes on.
        waits: bool,
    },
    /// It resumes a rotation that stopped, if there is one, and waits for its end.
    Resume,
    /// From now on the store answers the key of this number.
    SetStore(u64),
    /// It lets others go first.
    Pause(Pause),
    /// It waits until every client of this life waits so.
    Meet,
}

/// How long a client waits.
#[derive(Debug, Clone, Copy)]
pub enum Pause {
    /// For so many turns of others.
    Turns(u64),
    /// For so many microseconds.
    Micros(u64),
}

/// What one call of a callback does.
#[derive(Debug, Clone)]
pub struct Deed {
    /// How long it takes before anything else.
    pub pause: Pause,
    /// What it asks as any worker may.
    pub asks: Option<Request>,
    /// What it stages.
    pub staged: Vec<Staged>,
    /// Whether it saves the state.
    pub saves: bool,
    /// What it answers.
    pub answer: Result<Effect, &'static str>,
}

/// How the store is.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// Whether each fetch answers another key, and not what was set.
    pub is_fresh: bool,
    /// Whether it blocks its thread.
    pub blocks: bool,
    /// How often it fails, in percent.
    pub fails: u64,
}

/// A history that is to be.
#[derive(Debug, Clone)]
pub struct Workload {
    /// What it is drawn from.
    pub seed: u64,
    /// How the key behaves.
    pub behaviour: Behaviour,
    /// How its store is.
    pub source: Source,
    /// The workers that have a callback.
    pub callbacks: Vec<usize>,
    /// How often a callback fails, in percent.
    pub callbacks_fail: u64,
    /// Whether clients are threads, and not tasks.
    pub threads: bool,
    /// What each client does in each life.
    pub lives: Vec<Vec<Vec<Action>>>,
}

/// Numbers from a seed: splitmix64.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True so often, in percent.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        let at = self.below(of.len() as u64) as usize;
        of[at].clone()
    }
}

const EFFECTS: [Effect; 7] = [
    Effect::Nothing,
    Effect::Nothing,
    Effect::Nothing,
    Effect::Reencrypted,
    Effect::Reencrypted,
    Effect::Decrypted,
    Effect::Decrypted,
];

/// How often each action is drawn.
struct Mix {
    gets: u64,
    saves: u64,
    changes: u64,
    flows: &'static [Option<SecretKeyFlow>],
    /// How often a callback fails, in percent.
    fails: u64,
}

const MIXES: [Mix; 5] = [
    Mix {
        gets: 60,
        saves: 12,
        changes: 12,
        flows: &[None, Some(FORWARD), Some(BACK)],
        fails: 20,
    },
    // Many want the old key.
    Mix {
        gets: 65,
        saves: 5,
        changes: 15,
        flows: &[Some(BACK), Some(BACK), Some(BACK), Some(FORWARD)],
        fails: 10,
    },
    // Many write the record that others load.
    Mix {
        gets: 45,
        saves: 40,
        changes: 5,
        flows: &[None, Some(BACK), Some(FORWARD)],
        fails: 20,
    },
    // Which clients turn the flow?
    Mix {
        gets: 70,
        saves: 10,
        changes: 8,
        flows: &[None, None, None, Some(BACK)],
        fails: 20,
    },
    // Rotations that stop, and are resumed after later ones.
    Mix {
        gets: 40,
        saves: 5,
        changes: 35,
        flows: &[Some(BACK), Some(BACK), Some(FORWARD), None],
        fails: 50,
    },
];

impl Workload {
    /// The workload of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let behaviour = behaviour(&mut random);
        let source = Source {
            is_fresh: random.chance(40),
            blocks: random.chance(25),
            fails: random.pick(&[0, 0, 5, 20]),
        };
        let mix = &MIXES[random.below(MIXES.len() as u64) as usize];
        let callbacks = (0..random.below(4)).map(|_| random.below(WORKERS as u64) as usize);
        let mut callbacks: Vec<usize> = callbacks.collect();
        callbacks.sort_unstable();
        let threads = random.chance(25);
        let mut drawing = Drawing {
            number: 0,
            changes: 0,
            is_one_way: behaviour.use_case == SecretKeyUseCase::OneWayTrip,
            random,
        };
        let lives = (0..drawing.random.pick(&[1, 1, 2, 2, 3]))
            .map(|_| drawing.life(mix))
            .collect();
        Self {
            seed,
            behaviour,
            source,
            callbacks,
            callbacks_fail: mix.fails,
            threads,
            lives,
        }
    }

    /// The halves of the key of this number.
    pub fn key(&self, number: u64) -> Halves {
        if self.is_one_way() || number.is_multiple_of(5) {
            (format!("v{number}"), format!("v{number}"))
        } else {
            (format!("e{number}"), format!("d{number}"))
        }
    }

    fn is_one_way(&self) -> bool {
        self.behaviour.use_case == SecretKeyUseCase::OneWayTrip
    }

    /// What the callback of this place does when it is called for the `nth` time.
    pub fn deed(&self, callback: usize, nth: u64) -> Deed {
        let mut random = Random::new(self.seed ^ (callback as u64 + 1) << 40 ^ (nth + 1) << 48);
        let round_trip = !self.is_one_way();
        let asks = random.chance(25).then(|| {
            let flow = random.pick(&[None, Some(FORWARD), Some(BACK)]);
            request(&mut random, flow, round_trip, 30)
        });
        let key = self.key(1_000 * (callback as u64 + 1) + nth);
        let staged = round_trip && random.chance(15);
        let staged = staged.then(|| match random.below(4) {
            0 => vec![Staged::Clean],
            1 => vec![Staged::LastFlow(FORWARD)],
            2 => vec![Staged::LastFlow(BACK)],
            _ => vec![Staged::PreviousKeys(SecretKeyPair::new(key.0, key.1))],
        });
        Deed {
            pause: pause(&mut random),
            asks,
            staged: staged.unwrap_or_default(),
            saves: round_trip && random.chance(15),
            answer: match random.chance(self.callbacks_fail) {
                true => Err("no"),
                false => Ok(random.pick(&EFFECTS)),
            },
        }
    }
}

fn behaviour(random: &mut Random) -> Behaviour {
    KeyBehaviour {
        use_case: match random.chance(5) {
            true => SecretKeyUseCase::OneWayTrip,
            false => SecretKeyUseCase::RoundTrip,
        },
        stateless: random.chance(35),
        keep_in_cache: random.chance(60),
        error_strategy: random.pick(&OnKeyChangedCallbackErrorStrategy::ALL),
        store_time_limit: Duration::from_secs(10),
        request_time_limit: Duration::from_secs(15),
        callback_time_limit: Duration::from_secs(15),
        workers_at_once: random.pick(&[1, 1, 1, 3]),
        max_requests: 1_024,
        max_waiting_rotations: 64,
        versions: None,
    }
}

/// How long a client waits that lets others go first.
pub fn pause(random: &mut Random) -> Pause {
    match random.below(10) {
        0..4 => Pause::Turns(0),
        4..8 => Pause::Turns(1 + random.below(8)),
        _ => Pause::Micros(random.below(400)),
    }
}

fn request(
    random: &mut Random,
    flow: Option<SecretKeyFlow>,
    round_trip: bool,
    saves: u64,
) -> Request {
    if random.chance(saves) {
        return Request::Save;
    }
    let flow = if round_trip { flow } else { None };
    Request::Get { flow }
}

/// The most changes in one life: each more multiplies the orders that a checker may have to try.
const MOST_CHANGES: u64 = 4;

struct Drawing {
    random: Random,
    number: u64,
    changes: u64,
    is_one_way: bool,
}

impl Drawing {
    fn life(&mut self, mix: &Mix) -> Vec<Vec<Action>> {
        self.changes = 0;
        let clients = 2 + self.random.below(4);
        (0..clients).map(|_| self.client(mix)).collect()
    }

    fn client(&mut self, mix: &Mix) -> Vec<Action> {
        let mut actions = Vec::new();
        for _ in 0..3 + self.random.below(5) {
            self.action(mix, &mut actions);
        }
        actions
    }

    fn action(&mut self, mix: &Mix, actions: &mut Vec<Action>) {
        let drawn = self.random.below(100);
        if drawn < mix.gets + mix.saves {
            let flow = self.random.pick(mix.flows);
            let saves = if drawn < mix.gets { 0 } else { 100 };
            let request = request(&mut self.random, flow, !self.is_one_way, saves);
            actions.push(match self.random.chance(4) {
                true => Action::Abandon(request, self.random.below(6)),
                false => Action::Ask(request),
            });
        } else if drawn < mix.gets + mix.saves + mix.changes && self.changes < MOST_CHANGES {
            self.changes += 1;
            self.change(actions);
        } else {
            actions.push(Action::Pause(pause(&mut self.random)));
        }
    }

    /// A change, and mostly a store that answers the new keys, before it or after it.
    fn change(&mut self, actions: &mut Vec<Action>) {
        let old = (self.number > 0 && self.random.chance(30)).then_some(self.number);
        self.number += 1;
        let number = self.number;
        if self.random.chance(30) {
            actions.push(Action::SetStore(number));
        }
        actions.push(Action::Change {
            old,
            new: self.random.chance(80).then_some(number),
            waits: self.random.chance(75),
        });
        if self.random.chance(70) {
            actions.push(Action::SetStore(number));
        }
        if self.random.chance(40) {
            actions.push(Action::Resume);
        }
    }
}
