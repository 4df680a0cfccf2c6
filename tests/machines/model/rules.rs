//! What has to hold in every state, and what has to be seen in some.

use keyward::rotation::state::RotationState;
use keyward::rotation::status::CallbackStatus;
use stateright::{Model, Property};

use crate::listed::is_listed;
use crate::model::moves::Move;
use crate::model::names::rid;
use crate::model::shape::Shape;
use crate::model::state::{Rule, State};

impl Model for Shape {
    type State = State;
    type Action = Move;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Move>) {
        if state.broken.is_none() {
            state.goes_on(self, actions);
            state.choices(self, actions);
        }
    }

    fn next_state(&self, last: &State, action: Move) -> Option<State> {
        let mut next = last.clone();
        next.play(self, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("a Succeeded step never runs again", |_, s: &State| {
                !is_broken(s, &Rule::Again)
            }),
            Property::always(
                "no callback runs unless its InProgress is durable",
                |_, s: &State| !is_broken(s, &Rule::NotDurable) && s.calls_are_durable(),
            ),
            Property::always("order holds", |_, s: &State| !is_broken(s, &Rule::Order)),
            Property::always("at most one rotation of a key runs", |_, s: &State| {
                !is_broken(s, &Rule::Turn)
            }),
            Property::always("an effect is atomic with its step", |_, s: &State| {
                !is_broken(s, &Rule::Atomic)
            }),
            Property::always("what is accepted is never lost", |_, s: &State| {
                !is_broken(s, &Rule::Lost)
            }),
            Property::always(
                "a lost call is to be made again, as a crash",
                |_, s: &State| !is_broken(s, &Rule::Crash),
            ),
            Property::always("who registers late joins the plan", |_, s: &State| {
                !is_broken(s, &Rule::Late)
            }),
            Property::always("the journal's rules hold", |_, s: &State| {
                !matches!(s.broken, Some(Rule::Journal(_)))
            }),
            Property::always("the engine asks for what can be done", |_, s: &State| {
                !matches!(s.broken, Some(Rule::Shell(_)))
            }),
            Property::always("what is listed is what is durable", |_, s: &State| {
                s.is_listed()
            }),
            Property::always(
                "no step begins while a copy of another version is written with",
                |_, s: &State| !is_broken(s, &Rule::Early),
            ),
            Property::always(
                "a version owes whoever wrote with it, until that is re-encrypted",
                |_, s: &State| !is_broken(s, &Rule::Debt) && s.debts_are_durable(),
            ),
            Property::always(
                "a version that was not turned to leaves no trace",
                |shape: &Shape, s: &State| !shape.versions || s.leaves_no_trace(shape),
            ),
            // Together with the search for circles: nothing goes on for ever, and where nothing
            // goes on any more, everything has ended or is stopped.
            Property::always(
                "every rotation ends or is stopped",
                |shape: &Shape, s: &State| s.goes_on_somehow(shape) || s.is_settled(),
            ),
        ];
        let seen: Vec<Property<Self>> = vec![
            Property::sometimes("waiting", |_, s: &State| s.has(RotationState::Waiting)),
            Property::sometimes("running", |_, s: &State| s.has(RotationState::Running)),
            Property::sometimes("completed", |_, s: &State| s.has(RotationState::Completed)),
            Property::sometimes("completed with failures", |_, s: &State| {
                s.has(RotationState::CompletedWithFailures)
            }),
            Property::sometimes("stopped", |_, s: &State| s.has(RotationState::Stopped)),
            Property::sometimes("aborted", |_, s: &State| s.has(RotationState::Aborted)),
            Property::sometimes("obsolete", |_, s: &State| s.has(RotationState::Obsolete)),
            Property::sometimes("resumed", |_, s: &State| s.is_resumed()),
            Property::sometimes("called again", |_, s: &State| {
                s.calls.iter().any(|c| c.attempt > 1)
            }),
            Property::sometimes("a late worker is called", |shape: &Shape, s: &State| {
                s.calls
                    .iter()
                    .any(|call| call.worker >= shape.workers - shape.late)
            }),
            Property::sometimes("a step is removed", |_, s: &State| s.has_removed()),
            Property::sometimes(
                "a callback runs while the journal is read",
                |_, s: &State| s.is_reading && !s.calls.is_empty(),
            ),
        ];
        properties.extend(
            seen.into_iter()
                .filter(|property| self.meets(property.name)),
        );
        properties
    }
}

impl Shape {
    /// Whether this is to be seen in a world of this shape.
    fn meets(&self, name: &str) -> bool {
        let fails = self.faults > 0 && self.most.failures > 0;
        let (most, stops) = (&self.most, self.strategy.stops());
        let recovers = self.faults > 0 && most.coordinators > 0;
        match name {
            "completed with failures" => fails && !stops,
            "stopped" => fails && stops,
            "aborted" => most.aborts > 0,
            "obsolete" => fails && self.rotations.starts_with(&[0, 0]),
            "resumed" => fails && most.resumes > 0,
            "called again" => self.faults > 0 && most.crashes > 0,
            "a late worker is called" => self.late > 0,
            "a step is removed" => self.faults > 0 && most.leaves > 0,
            "a callback runs while the journal is read" => recovers,
            _ => true,
        }
    }
}

fn is_broken(state: &State, rule: &Rule) -> bool {
    state.broken.as_ref() == Some(rule)
}

impl State {
    fn calls_are_durable(&self) -> bool {
        self.calls.iter().all(|call| {
            let step = self.durable.step(call.step);
            step.is_some_and(|step| {
                step.status == CallbackStatus::InProgress && step.attempt == call.attempt
            })
        })
    }

    fn goes_on_somehow(&self, shape: &Shape) -> bool {
        let mut moves = Vec::new();
        self.goes_on(shape, &mut moves);
        !moves.is_empty() || self.broken.is_some()
    }

    /// Whether every rotation that was accepted has ended or is stopped, in the journal and in the
    /// listing; no caller waits, and nothing is left of what was on the way.
    fn is_settled(&self) -> bool {
        let journal = &self.durable.journal;
        let is_known = |rotation: &usize| {
            let id = rid(*rotation);
            journal.rotations.contains_key(&id) || journal.ended.contains_key(&id)
        };
        let machine = self.engine.machine();
        self.engine.is_settled()
            && machine.paused().is_none()
            && self.waited.is_empty()
            && self.threads.is_empty()
            && self.proposals.is_empty()
            && self.owed.is_empty()
            && self.versions.asks.is_empty()
            && self.versions.wants.is_empty()
            && self.accepted.iter().all(is_known)
            && journal.rotations.values().all(|(h, _)| !h.state.goes_on())
            && self.is_listed()
    }

    /// Whether the machine has what is durable, wherever nothing is being written.
    fn is_listed(&self) -> bool {
        let machine = self.engine.machine();
        if machine.paused().is_some() || !self.engine.is_settled() {
            return true;
        }
        is_listed(&self.durable.journal, &machine.reports()) && self.knows_its_versions()
    }

    fn has(&self, state: RotationState) -> bool {
        let journal = &self.durable.journal;
        let mut open = journal.rotations.values().map(|(header, _)| header.state);
        let mut ended = journal.ended.values().map(|(header, _)| header.state);
        open.any(|other| other == state) || ended.any(|other| other == state)
    }

    fn is_resumed(&self) -> bool {
        let mut open = self.durable.journal.rotations.values();
        open.any(|(h, _)| h.state == RotationState::Running && h.resumes > 0)
    }

    fn has_removed(&self) -> bool {
        let open = self.durable.journal.rotations.values();
        open.flat_map(|(_, steps)| steps.values())
            .any(|s| s.removed)
    }
}
