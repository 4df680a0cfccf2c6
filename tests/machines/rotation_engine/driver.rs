//! An engine whose journal takes its time and may fail, with short names for what happens.

use keyward::key::definition::KeyBehaviour;
use keyward::key::event::{Ticket, WriteFailure};
use keyward::key::journal_down::JournalDown;
use keyward::key::state::Effect;
use keyward::key::time::Time;
use keyward::rotation::effect::{Fact, RotationEffect};
use keyward::rotation::engine::{Action, Reread, RotationEngine};
use keyward::rotation::error::RotationError;
use keyward::rotation::event::{Declaration, Event, Moment, StepOutcome};
use keyward::rotation::instance::{CallbackOf, Sharing};
use keyward::rotation::machine::RotationMachine;

use crate::durable::Journal;
use crate::rotation_machine::lines::{id, lines};
use crate::rotation_machine::script::{
    Strategy, at, behaviour, callback, config, declaration, done, failed, key, rid, worker,
};

pub const ONE: &[(&str, &[&str])] = &[("w0", &["a"])];
pub const TWO: &[(&str, &[&str])] = &[("w0", &["a"]), ("w1", &["b"])];
pub const NOTHING: [&str; 0] = [];

/// An engine, its journal, the batch that is under way, and the time that it is told.
pub struct Driver {
    pub engine: RotationEngine,
    pub journal: Journal,
    batch: Option<Vec<Fact>>,
    pub seconds: u64,
}

impl Driver {
    /// The engine of a new life on this journal.
    pub fn on(journal: Journal) -> Self {
        let machine = RotationMachine::replay(config(), journal.facts());
        Self {
            engine: RotationEngine::new(machine),
            journal,
            batch: None,
            seconds: 0,
        }
    }

    /// Key `data` with this strategy, and workers with their callbacks, all durable.
    pub fn with(strategy: Strategy, workers: &[(&str, &[&str])]) -> Self {
        let mut e = Self::on(Journal::default());
        e.arrive(behaviour(strategy), workers);
        e
    }

    /// The same, with a rotation that has begun.
    pub fn begun(strategy: Strategy, workers: &[(&str, &[&str])]) -> Self {
        let mut e = Self::with(strategy, workers);
        e.declare(1);
        e.snapped(1);
        e.settle();
        e
    }

    /// The same, with its first callback called.
    pub fn called(strategy: Strategy, workers: &[(&str, &[&str])]) -> Self {
        let mut e = Self::begun(strategy, workers);
        e.prepared(1, 0);
        assert_eq!(e.written(), ["call r1/0 attempt 1"]);
        e
    }

    /// Key and workers come, and all is written.
    pub fn arrive(&mut self, behaviour: KeyBehaviour, workers: &[(&str, &[&str])]) {
        self.define("data", behaviour);
        for (life, (name, callbacks)) in (1..).zip(workers) {
            self.join(name);
            for callback in *callbacks {
                self.register(name, life, callback);
            }
        }
        self.settle();
    }

    pub fn now(&self) -> Moment {
        Moment {
            time: self.time(self.seconds),
            wall_ms: self.seconds * 1000,
        }
    }

    pub fn time(&self, seconds: u64) -> Time {
        Time::at(std::time::Duration::from_secs(seconds))
    }

    pub fn take(&mut self, actions: &[Action]) -> Vec<String> {
        for action in actions {
            if let Action::Write(facts) = action {
                assert!(self.batch.is_none(), "one batch at a time");
                self.batch = Some(facts.clone());
            }
        }
        actions.iter().map(line).collect()
    }

    pub fn step(&mut self, event: Event) -> Vec<String> {
        let actions = self.engine.step(event, self.now());
        self.take(&actions)
    }

    /// The batch under way is durable, and said to be.
    pub fn written(&mut self) -> Vec<String> {
        self.write_batch();
        let actions = self.engine.written(Ok(()), self.now());
        self.take(&actions)
    }

    fn write_batch(&mut self) {
        let batch = self.batch.take().expect("a batch is under way");
        batch.iter().for_each(|fact| self.journal.write(fact));
    }

    /// Everything is written.
    pub fn settle(&mut self) {
        while self.batch.is_some() {
            self.written();
        }
        assert!(self.engine.is_settled());
    }

    /// The batch under way was not made.
    pub fn refused(&mut self) -> Vec<String> {
        self.batch = None;
        self.fails(false)
    }

    /// The batch under way failed, but was made.
    pub fn unknown_but_made(&mut self) -> Vec<String> {
        self.write_batch();
        self.fails(true)
    }

    /// The batch under way failed, and was not made.
    pub fn unknown_and_not_made(&mut self) -> Vec<String> {
        self.batch = None;
        self.fails(true)
    }

    fn fails(&mut self, unknown: bool) -> Vec<String> {
        let why = "disk full".to_owned().into();
        let failure = Err(WriteFailure { why, unknown });
        let actions = self.engine.written(failure, self.now());
        self.take(&actions)
    }

    /// The journal is read anew; what it has is what the next life would find.
    pub fn reopened(&mut self, batch_was_made: bool) -> Vec<String> {
        let facts = self.journal.facts();
        let found = Reread {
            facts,
            batch_was_made,
        };
        let actions = self.engine.reopened(Ok(found), self.now());
        self.take(&actions)
    }

    /// The batch under way failed, and nothing will be written any more.
    pub fn lost(&mut self) -> Vec<String> {
        self.batch = None;
        let failure = WriteFailure {
            why: lost(),
            unknown: false,
        };
        let actions = self.engine.written(Err(failure), self.now());
        self.take(&actions)
    }

    /// The journal was to be read anew, and is lost.
    pub fn lost_at_the_reading(&mut self) -> Vec<String> {
        let actions = self.engine.reopened(Err(lost()), self.now());
        self.take(&actions)
    }

    /// Another one found the journal to be lost.
    pub fn lost_by_another(&mut self) -> Vec<String> {
        let actions = self.engine.interrupted(lost(), self.now());
        self.take(&actions)
    }

    pub fn cannot_reopen(&mut self) -> Vec<String> {
        let why = "still full".to_owned().into();
        let actions = self.engine.reopened(Err(why), self.now());
        self.take(&actions)
    }

    pub fn interrupted(&mut self) -> Vec<String> {
        let why = "a save failed".to_owned().into();
        let actions = self.engine.interrupted(why, self.now());
        self.take(&actions)
    }

    /// The actor died; whatever was under way in it is lost, but the journal goes on writing.
    pub fn restarted(&mut self) -> Vec<String> {
        let why = "a panic".to_owned();
        let actions = self.engine.restarted(why, self.now());
        self.take(&actions)
    }

    /// Interrupted and read anew, with nothing under way that could fail.
    pub fn recovered(&mut self) -> Vec<String> {
        self.interrupted();
        self.reopened(false)
    }

    pub fn report(&self, rotation: u128) -> String {
        let report = self.engine.machine().report(rid(rotation));
        report
            .as_ref()
            .map(crate::rotation_machine::lines::report)
            .unwrap_or_default()
    }
}

/// What is asked, and what happens, in short.
impl Driver {
    pub fn define(&mut self, name: &str, behaviour: KeyBehaviour) -> Vec<String> {
        self.step(Event::Define {
            ticket: 1,
            keys: vec![(key(name), behaviour)],
        })
    }

    /// Joins, and is told.
    pub fn join(&mut self, name: &str) {
        self.ask_to_join(2, name);
        self.settle();
    }

    pub fn ask_to_join(&mut self, ticket: Ticket, name: &str) -> Vec<String> {
        let worker = worker(name);
        self.step(Event::Join {
            ticket,
            worker,
            sharing: Sharing::Sole,
            process: None,
        })
    }

    /// Registers, and is told.
    pub fn register(&mut self, name: &str, life: u64, call: &str) {
        self.ask_to_register(name, life, call);
        self.settle();
    }

    pub fn ask_to_register(&mut self, name: &str, life: u64, call: &str) -> Vec<String> {
        self.step(Event::Register {
            ticket: 3,
            worker: worker(name),
            incarnation: life,
            key: key("data"),
            callback: callback(call),
            of: CallbackOf::Data,
        })
    }

    pub fn died(&mut self, name: &str, life: u64) -> Vec<String> {
        self.step(Event::Died {
            worker: worker(name),
            incarnation: life,
        })
    }

    pub fn leave(&mut self, name: &str) -> Vec<String> {
        self.step(Event::Leave {
            ticket: 4,
            worker: worker(name),
            incarnation: None,
            by: Default::default(),
        })
    }

    pub fn remove(&mut self, name: &str, call: &str) -> Vec<String> {
        self.step(Event::RemoveCallback {
            ticket: 4,
            worker: worker(name),
            key: key("data"),
            callback: callback(call),
            by: Default::default(),
        })
    }

    pub fn declare(&mut self, rotation: u128) -> Vec<String> {
        self.step(Event::Declare {
            ticket: 5,
            declaration: declaration(rotation, "data"),
        })
    }

    /// Declares under an id that the caller chose.
    pub fn declare_chosen(&mut self, rotation: u128) -> Vec<String> {
        let declaration = Declaration {
            chosen: true,
            ..declaration(rotation, "data")
        };
        self.step(Event::Declare {
            ticket: 5,
            declaration,
        })
    }

    pub fn wait(&mut self, rotation: u128) -> Vec<String> {
        let id = rid(rotation);
        self.step(Event::Wait { ticket: 6, id })
    }

    pub fn gone(&mut self, ticket: Ticket) -> Vec<String> {
        self.step(Event::Gone { ticket })
    }

    pub fn resume(&mut self, rotation: u128) -> Vec<String> {
        let id = rid(rotation);
        self.step(Event::Resume {
            ticket: 7,
            id,
            by: Default::default(),
        })
    }

    pub fn abort(&mut self, rotation: u128, confirmed: &[&str]) -> Vec<String> {
        self.step(Event::Abort {
            ticket: 8,
            id: rid(rotation),
            confirmed: confirmed.iter().map(|name| worker(name)).collect(),
            by: Default::default(),
        })
    }

    pub fn snapped(&mut self, rotation: u128) -> Vec<String> {
        let rotation = rid(rotation);
        self.step(Event::Snapped { rotation })
    }

    pub fn prepared(&mut self, rotation: u128, step: u32) -> Vec<String> {
        let step = at(rotation, step);
        self.step(Event::Prepared { step })
    }

    pub fn ended(&mut self, rotation: u128, step: u32, outcome: StepOutcome) -> Vec<String> {
        self.ended_as(rotation, step, 1, outcome)
    }

    pub fn ended_as(
        &mut self,
        rotation: u128,
        step: u32,
        attempt: u32,
        outcome: StepOutcome,
    ) -> Vec<String> {
        let step = at(rotation, step);
        self.step(Event::Ended {
            step,
            attempt,
            outcome,
        })
    }

    pub fn succeeds(&mut self, rotation: u128, step: u32) -> Vec<String> {
        self.ended(rotation, step, done(Effect::Nothing))
    }

    pub fn fails_step(&mut self, rotation: u128, step: u32) -> Vec<String> {
        self.ended(rotation, step, failed())
    }

    pub fn loses(&mut self, rotation: u128, step: u32) -> Vec<String> {
        self.ended(rotation, step, StepOutcome::Lost)
    }

    pub fn uncalled(&mut self, rotation: u128, step: u32, attempt: u32) -> Vec<String> {
        let step = at(rotation, step);
        self.step(Event::Uncalled { step, attempt })
    }

    pub fn proposed(&mut self, rotation: u128, step: u32) -> Vec<String> {
        let step = at(rotation, step);
        let applies = true;
        self.step(Event::Proposed { step, applies })
    }

    pub fn tick(&mut self, seconds: u64) -> Vec<String> {
        self.seconds = seconds;
        self.step(Event::Tick)
    }
}

fn lost() -> JournalDown {
    JournalDown {
        why: "another one writes".to_owned(),
        for_good: Some("fenced"),
    }
}

/// An action as a line: an effect that is performed waits for nothing any more.
fn line(action: &Action) -> String {
    let effect = match action {
        Action::Reopen => return "reopen".to_owned(),
        Action::Write(facts) => RotationEffect::Write {
            no: 0,
            facts: facts.clone(),
        },
        Action::Perform(RotationEffect::Reply {
            ticket,
            reply: Err(RotationError::Unwritten { id: about, .. }),
            ..
        }) => {
            let about = about.map(|about| format!(" {}", id(about)));
            let about = about.unwrap_or_default();
            return format!("reply {ticket} error write_unknown{about}");
        }
        Action::Perform(effect) => effect.clone(),
    };
    let mut lines = lines(std::slice::from_ref(&effect));
    let text = lines.pop().expect("one effect is one line");
    let waits = ", when all is written";
    text.strip_suffix(waits).unwrap_or(&text).to_owned()
}
