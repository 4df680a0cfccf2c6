//! Whatever happens in whatever order, with writes that take their time and crashes between any
//! two of them: the rules of the journal hold, and in the end every rotation has settled.

use keyward::rotation::event::Event;
use keyward::rotation::id::RotationId;
use keyward::rotation::instance::Sharing;
use keyward::rotation::machine::RotationMachine;
use proptest::prelude::{Just, ProptestConfig, Strategy as _, any, prop_oneof, proptest};

use crate::durable::Journal;
use crate::rotation_machine::script::{Strategy, callback, config, declaration, key, rid, worker};
use crate::rotation_machine::world::{CALLBACKS, KEYS, WORKERS, World};

/// What the world does next; numbers choose among what is open.
#[derive(Debug, Clone)]
pub enum Move {
    Define(usize),
    Join(usize),
    Register(usize, usize, usize),
    Die(usize),
    Leave(usize),
    RemoveCallback(usize, usize, usize),
    Declare(usize),
    Resume(usize),
    Abort(usize),
    Snapped,
    Prepared(usize),
    Ended(usize, u8),
    Proposed(bool),
    Write,
    Written,
    Tick(u64),
    Crash,
    Restart,
}

pub fn moves() -> impl proptest::strategy::Strategy<Value = Vec<Move>> {
    let any_one = any::<usize>;
    let one = prop_oneof![
        2 => (0..2_usize).prop_map(Move::Define),
        3 => (0..3_usize).prop_map(Move::Join),
        6 => (0..3_usize, 0..2_usize, 0..2_usize).prop_map(|(w, k, c)| Move::Register(w, k, c)),
        1 => (0..3_usize).prop_map(Move::Die),
        1 => (0..3_usize).prop_map(Move::Leave),
        1 => (0..3_usize, 0..2_usize, 0..2_usize).prop_map(|(w, k, c)| Move::RemoveCallback(w, k, c)),
        4 => (0..2_usize).prop_map(Move::Declare),
        2 => any_one().prop_map(Move::Resume),
        1 => any_one().prop_map(Move::Abort),
        4 => Just(Move::Snapped),
        8 => any_one().prop_map(Move::Prepared),
        8 => (any_one(), 0..5_u8).prop_map(|(which, how)| Move::Ended(which, how)),
        3 => any::<bool>().prop_map(Move::Proposed),
        8 => Just(Move::Write),
        8 => Just(Move::Written),
        1 => (1..70_u64).prop_map(Move::Tick),
        1 => Just(Move::Crash),
        1 => Just(Move::Restart),
    ];
    proptest::collection::vec(one, 0..250)
}

impl World {
    fn die(&mut self, w: usize) {
        if let Some(incarnation) = self.lives.remove(&w) {
            let worker = worker(WORKERS[w]);
            self.step(Event::Died {
                worker,
                incarnation,
            });
        }
    }

    fn remove_callback(&mut self, w: usize, k: usize, c: usize) {
        self.step(Event::RemoveCallback {
            ticket: 1000,
            worker: worker(WORKERS[w]),
            key: key(KEYS[k]),
            callback: callback(CALLBACKS[c]),
            by: Default::default(),
        });
    }

    fn abort(&mut self, which: usize) {
        if let Some(report) = self.open(which) {
            let confirmed = report.unsucceeded_workers().into_iter().collect();
            let id = report.id;
            self.step(Event::Abort {
                ticket: 1000,
                id,
                confirmed,
                by: Default::default(),
            });
        }
    }

    pub fn play(&mut self, next: Move) {
        match next {
            Move::Define(k) => self.step(Event::Define {
                ticket: 1000,
                keys: vec![(key(KEYS[k]), self.behaviours[k].clone())],
            }),
            Move::Join(w) => self.step(Event::Join {
                ticket: u64::try_from(w).expect("small"),
                worker: worker(WORKERS[w]),
                sharing: Sharing::Sole,
                process: None,
            }),
            Move::Register(w, k, c) => self.register(w, k, c),
            Move::Die(w) => self.die(w),
            Move::Leave(w) => self.step(Event::Leave {
                ticket: 1000,
                worker: worker(WORKERS[w]),
                incarnation: None,
                by: Default::default(),
            }),
            Move::RemoveCallback(w, k, c) => self.remove_callback(w, k, c),
            Move::Declare(k) => {
                self.rotations += 1;
                self.step(Event::Declare {
                    ticket: 1000,
                    declaration: declaration(self.rotations, KEYS[k]),
                });
            }
            Move::Resume(which) => {
                if let Some(id) = self.open(which).map(|report| report.id) {
                    self.step(Event::Resume {
                        ticket: 1000,
                        id,
                        by: Default::default(),
                    });
                }
            }
            Move::Abort(which) => self.abort(which),
            Move::Snapped => drop(self.snapped()),
            Move::Prepared(which) => drop(self.prepared(which)),
            Move::Ended(which, how) => drop(self.ended(which, how)),
            Move::Proposed(applies) => drop(self.proposed(applies)),
            Move::Write => drop(self.write()),
            Move::Written => drop(self.written()),
            Move::Tick(seconds) => {
                self.coordinator.seconds += seconds;
                self.step(Event::Tick);
            }
            Move::Crash => self.crash(self.rotations.is_multiple_of(2)),
            Move::Restart => {
                self.step(Event::Close);
                self.step(Event::Interrupt);
                self.flush();
                self.crash(true);
            }
        }
    }

    /// Everybody is back, every callback succeeds, and time passes.
    pub fn settle(&mut self) {
        for k in 0..KEYS.len() {
            self.play(Move::Define(k));
        }
        for w in 0..WORKERS.len() {
            self.play(Move::Join(w));
            self.flush();
            for (k, c) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                self.register(w, k, c);
            }
        }
        loop {
            self.flush();
            let moved =
                self.snapped() || self.prepared(0) || self.ended(0, 4) || self.proposed(true);
            if !moved {
                break;
            }
        }
        for report in self.coordinator.machine.reports() {
            assert!(!report.state.goes_on(), "it never settled: {report:?}");
        }
        assert!(!self.coordinator.machine.has_running());
        assert!(self.preparing.is_empty() && self.gated.is_empty());
        let ended = |id: &RotationId| self.coordinator.journal.ended.contains_key(id);
        assert!(
            !self.coordinator.journal.keys.iter().any(ended),
            "keys that stayed"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_rules_of_the_journal_hold_and_every_rotation_settles(
        moves in moves(),
        first in 0..4_usize,
        second in 0..4_usize,
    ) {
        let mut world = World::new([Strategy::ALL[first], Strategy::ALL[second]]);
        for next in moves {
            world.play(next);
        }
        world.settle();
    }
}

#[test]
fn a_new_life_on_an_empty_journal_knows_of_nothing() {
    let machine = RotationMachine::replay(config(), Journal::default().facts());
    assert!(machine.reports().is_empty());
    assert!(machine.report(rid(1)).is_none());
}
