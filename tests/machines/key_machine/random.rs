//! Whatever happens in whatever order: no caller is answered twice or never, and the record's order
//! holds.

use std::collections::{BTreeMap, BTreeSet};

use keyward::key::effect::KeyEffect;
use keyward::key::event::{Event, FetchFailure, FetchedKeys, Request, Supersede};
use keyward::key::state::{Effect, Loaded, RecordChange, Staged, StateRecord};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};

use crate::key_machine::script::{BACK, FORWARD, Key, both, change, pair};

/// What the world does next; numbers choose among what is open.
#[derive(Debug, Clone)]
enum Move {
    Get(Option<bool>),
    Save,
    StageSave,
    Gone(usize),
    Fetched { ok: bool, hangs: bool },
    Journal,
    Propose { kind: u8, overtaken: bool },
    EndProposal { adopt: bool },
    Snapshot,
    Supersede,
    Tick,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => any::<Option<bool>>().prop_map(Move::Get),
        2 => Just(Move::Save),
        1 => Just(Move::StageSave),
        1 => any::<usize>().prop_map(Move::Gone),
        4 => (any::<bool>(), any::<bool>()).prop_map(|(ok, h)| Move::Fetched { ok, hangs: !ok && h }),
        6 => Just(Move::Journal),
        3 => (0_u8..5, any::<bool>()).prop_map(|(kind, overtaken)| Move::Propose { kind, overtaken }),
        4 => any::<bool>().prop_map(|adopt| Move::EndProposal { adopt }),
        1 => Just(Move::Snapshot),
        1 => Just(Move::Supersede),
        1 => Just(Move::Tick),
    ];
    proptest::collection::vec(one, 0..80)
}

/// The world around one key: a journal that answers in order, a store, a coordinator.
struct World {
    key: Key,
    ticket: u64,
    open: BTreeSet<u64>,
    snapshots: BTreeSet<u64>,
    proposals: BTreeSet<u64>,
    proposed: BTreeMap<u64, Option<RecordChange>>,
    journal: Vec<KeyEffect>,
    fetching: Option<u64>,
    hangs: bool,
    value: u64,
    record: Option<StateRecord>,
}

impl World {
    fn new(key: Key) -> Self {
        Self {
            key,
            ticket: 0,
            open: BTreeSet::new(),
            snapshots: BTreeSet::new(),
            proposals: BTreeSet::new(),
            proposed: BTreeMap::new(),
            journal: Vec::new(),
            fetching: None,
            hangs: false,
            value: 0,
            record: None,
        }
    }

    fn next_ticket(&mut self) -> u64 {
        self.ticket += 1;
        self.ticket
    }

    fn step(&mut self, event: Event) {
        let effects = self.key.step(event);
        self.take_in(effects);
    }

    fn take_in(&mut self, effects: Vec<KeyEffect>) {
        for effect in effects {
            match effect {
                KeyEffect::Owe { .. } => panic!("no key here has versions"),
                KeyEffect::Fetch { fetch } => {
                    assert!(!self.hangs, "a fetch began while an earlier one hangs");
                    assert_eq!(self.fetching.replace(fetch), None, "two fetches at once");
                }
                KeyEffect::Answer { ticket, .. } => {
                    assert!(self.open.remove(&ticket), "an answer that nobody waits for");
                }
                KeyEffect::Snapped { ticket, .. } => {
                    assert!(
                        self.snapshots.remove(&ticket),
                        "a snapshot nobody waits for"
                    );
                }
                KeyEffect::Proposed { ticket, record, .. } => {
                    assert!(self.proposals.remove(&ticket), "a proposal answered twice");
                    self.proposed.insert(ticket, record);
                    assert_eq!(self.proposed.len(), 1, "two proposals are out at once");
                }
                KeyEffect::Load { .. } | KeyEffect::Write { .. } => {
                    assert!(self.proposed.is_empty(), "the record is the proposal's");
                    self.journal.push(effect);
                }
                KeyEffect::Look { .. } => self.journal.push(effect),
                KeyEffect::GiveUpFetch => {}
                KeyEffect::WarnOfStore { .. } => {}
                KeyEffect::WriteLater => panic!("every write of this world is made"),
            }
        }
    }

    fn found(&self) -> Loaded {
        self.record.clone().map_or(Loaded::Absent, Loaded::Record)
    }

    fn journal(&mut self) -> bool {
        if self.journal.is_empty() {
            return false;
        }
        match self.journal.remove(0) {
            KeyEffect::Load { ticket } => {
                let found = self.found();
                self.step(Event::Loaded { ticket, found });
            }
            KeyEffect::Look { ticket } => {
                let found = self.found();
                self.step(Event::Looked { ticket, found });
            }
            KeyEffect::Write { ticket, change } => {
                self.record = change.record().cloned();
                let result = Ok(());
                self.step(Event::Saved {
                    ticket,
                    change,
                    result,
                });
            }
            other => panic!("{other:?} is not for the journal"),
        }
        true
    }

    fn fetched(&mut self, ok: bool, hangs: bool) -> bool {
        let Some(fetch) = self.fetching.take() else {
            return false;
        };
        self.value += 1;
        let keys = pair(&format!("e{}", self.value), &format!("d{}", self.value));
        let fetched = FetchedKeys {
            keys,
            prints: [[0; 32]; 2],
        };
        let why = "down".to_owned();
        self.hangs = hangs;
        self.step(Event::Fetched {
            fetch,
            answer: if ok {
                Ok(fetched)
            } else {
                Err(FetchFailure::Failed { why })
            },
            still_running: hangs,
        });
        true
    }

    /// The coordinator's batch comes after what the journal was given before.
    fn end_proposal(&mut self, adopt: bool) -> bool {
        let Some((ticket, record)) = self.proposed.pop_first() else {
            return false;
        };
        while self.journal() {}
        if adopt {
            if let Some(change) = record {
                self.record = change.record().cloned();
            }
            self.step(Event::Adopt { ticket });
        } else {
            self.step(Event::Withdraw { ticket });
        }
        true
    }

    fn propose(&mut self, kind: u8, overtaken: bool) {
        let ticket = self.next_ticket();
        let (staged, effect) = match kind {
            0 => (vec![], Effect::Reencrypted),
            1 => (vec![], Effect::Decrypted),
            2 => (vec![Staged::LastFlow(FORWARD)], Effect::Nothing),
            3 => (vec![Staged::Clean], Effect::Nothing),
            _ => (vec![Staged::Save { asked: None }], Effect::Nothing),
        };
        let mut change = change(staged, effect, Some(both("eN", "dN")));
        change.overtaken = overtaken;
        self.proposals.insert(ticket);
        self.step(Event::Propose { ticket, change });
    }

    fn ask(&mut self, request: Request) {
        let ticket = self.next_ticket();
        self.open.insert(ticket);
        let effects = self.key.ask(ticket, request);
        self.take_in(effects);
    }

    fn play(&mut self, next: Move) {
        match next {
            Move::Get(flow) => {
                let flow = flow.map(|forward| if forward { FORWARD } else { BACK });
                self.ask(Request::Get { flow });
            }
            Move::Save => self.ask(Request::Save),
            Move::StageSave => self.ask(Request::StageSave { staged: vec![] }),
            Move::Gone(which) => {
                let at = which.checked_rem(self.open.len()).unwrap_or(0);
                if let Some(ticket) = self.open.iter().nth(at).copied() {
                    self.open.remove(&ticket);
                    self.step(Event::Gone { ticket });
                }
            }
            Move::Fetched { ok, hangs } => drop(self.fetched(ok, hangs)),
            Move::Journal => drop(self.journal()),
            Move::Propose { kind, overtaken } => self.propose(kind, overtaken),
            Move::EndProposal { adopt } => drop(self.end_proposal(adopt)),
            Move::Snapshot => {
                let ticket = self.next_ticket();
                self.snapshots.insert(ticket);
                self.step(Event::Snapshot { ticket });
            }
            Move::Supersede => self.step(Event::Supersede(Supersede::Any)),
            Move::Tick => {
                self.key.seconds += 4;
                self.step(Event::Tick);
            }
        }
    }

    /// Everything that is under way ends.
    fn settle(&mut self) {
        loop {
            if self.hangs {
                self.hangs = false;
                self.step(Event::Returned);
            }
            if !(self.journal() || self.fetched(true, false) || self.end_proposal(true)) {
                break;
            }
        }
        assert!(self.open.is_empty(), "somebody was never answered");
        assert!(self.snapshots.is_empty(), "a rotation waits for ever");
        assert!(self.proposals.is_empty(), "a step waits for ever");
        assert_eq!(self.key.machine.facts().waiting, 0);
        assert_eq!(self.key.machine.next_deadline(), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everybody_is_answered_once_and_the_record_has_one_writer_at_a_time(
        moves in moves(),
        kind in 0_u8..4,
    ) {
        let key = match kind {
            0 => Key::one_way(),
            1 => Key::stateless(),
            2 => Key::stated(),
            _ => Key::uncached(),
        };
        let mut world = World::new(key);
        for next in moves {
            world.play(next);
        }
        world.settle();
    }

    #[test]
    fn after_a_save_the_next_life_answers_what_this_one_would(moves in moves()) {
        let mut world = World::new(Key::stated());
        for next in moves {
            world.play(next);
        }
        world.settle();
        world.ask(Request::Save);
        world.settle();
        let held = world.key.machine.held().map(|held| held.pair.back().clone());
        let facts = world.key.machine.facts();
        let owed = held.filter(|_| facts.last_flow == Some(FORWARD));
        if let (Some(owed), Some(record)) = (owed, &world.record) {
            assert_eq!(record.key.as_ref(), Some(&owed));
            assert_eq!(Some(record.flow), facts.last_flow);
        }
    }
}
