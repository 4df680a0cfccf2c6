//! From what was seen to operations: what each request could know, and when a change touched the
//! key.
//!
//! `key_changed` is no single moment. What it does to the key, and what of the key it shows, are
//! operations of their own, each in the time that the contract leaves it:
//!
//! | operation | not before | not after |
//! | --- | --- | --- |
//! | the old keys are read, if they were not declared and are not a rotation's new ones | the call | it is accepted |
//! | the flow and previous keys are read for the handles | the call, the effects of the rotations before | the first callback begins |
//! | what a callback did takes effect | the callback ended | the next callback begins, `key_changed` answers |
//! | what is held becomes superseded, or the key is told that it stopped | the last callback ended, all effects | the next rotation's first callback begins, `key_changed` answers |
//!
//! A rotation that is resumed does all of it again but the two reads: its callbacks are told what
//! they were told before.

use keyward::RotationState;
use keyward::key::event::Supersede;
use keyward::key::state::{Effect, Staged, StateChange};

use crate::linearizability::checker::{NEVER, Timed};
use crate::linearizability::history::{Asked, Call, Changed, History, Span};
use crate::linearizability::operation::{Halves, Operation, StoreAnswer, effect, pair};
use crate::linearizability::workload::Behaviour;

/// The operations of a history.
pub fn operations(history: &History, behaviour: &Behaviour) -> Vec<Timed<Operation>> {
    let mut making = Making {
        history,
        behaviour,
        operations: Vec::new(),
    };
    for asked in &history.asked {
        making.asked(asked);
    }
    for restart in &history.restarts {
        making.add(*restart, Vec::new(), Operation::Restart);
    }
    making.changes();
    making.operations
}

struct Making<'a> {
    history: &'a History,
    behaviour: &'a Behaviour,
    operations: Vec<Timed<Operation>>,
}

impl Making<'_> {
    fn add(&mut self, span: Span, after: Vec<usize>, operation: Operation) -> usize {
        let Span { began, ended } = span;
        assert!(began < ended, "no time is left for {operation:?}");
        self.operations.push(Timed {
            began,
            ended,
            optional: false,
            after,
            operation,
        });
        self.operations.len() - 1
    }

    /// What the fetches answered that may have served a request: those that began after it arrived.
    fn fetched(&self, span: Span) -> Vec<StoreAnswer> {
        let within = |fetch: &Span| span.began < fetch.began && fetch.ended < span.ended;
        let mut answers: Vec<StoreAnswer> = Vec::new();
        for fetch in self.history.fetches.iter().filter(|f| within(&f.span)) {
            if !answers.contains(&fetch.answer) {
                answers.push(fetch.answer.clone());
            }
        }
        answers
    }

    /// The end of the life in which something began.
    fn end_of_life(&self, began: u64) -> u64 {
        let restarts = self.history.restarts.iter().map(|restart| restart.began);
        restarts.filter(|end| *end > began).min().unwrap_or(NEVER)
    }

    fn asked(&mut self, asked: &Asked) {
        let (ended, told) = match &asked.told {
            Some((ended, told)) => (*ended, Some(told.clone())),
            None => (self.end_of_life(asked.began), None),
        };
        let began = asked.began;
        let operation = Operation::Ask {
            request: asked.request.clone(),
            fetched: self.fetched(Span { began, ended }),
            told,
        };
        self.operations.push(Timed {
            began,
            ended,
            optional: asked.told.is_none(),
            after: Vec::new(),
            operation,
        });
    }

    fn changes(&mut self) {
        // What rotations do to the key they do one after the other.
        let (mut effects, mut ends) = (Vec::new(), Vec::new());
        let runs = runs(self.history);
        for (at, run) in runs.iter().enumerate() {
            let later = runs[at + 1..].iter().flat_map(|later| &later.calls);
            let next = later.map(|(_, call)| call.span.began).min();
            self.run(
                run,
                &runs[..at],
                next.unwrap_or(NEVER),
                &mut effects,
                &mut ends,
            );
        }
    }

    /// One run of a rotation; `next` is when a callback of a later run began.
    fn run(
        &mut self,
        run: &Run<'_>,
        earlier: &[Run<'_>],
        next: u64,
        effects: &mut Vec<usize>,
        ends: &mut Vec<usize>,
    ) {
        let ended = run.changed.span.ended.min(next);
        let same = |earlier: &&Run<'_>| earlier.changed.rotation == run.changed.rotation;
        let earlier: Vec<&Run<'_>> = earlier.iter().filter(same).collect();
        let first = earlier.iter().copied().chain([run]).find_map(Run::first);
        if let Some(first) = first.filter(|_| !run.changed.resumed) {
            self.begins(run.changed, first, effects);
        }
        let before = effects.clone();
        for (at, (number, call)) in run.calls.iter().enumerate() {
            first.inspect(|first| assert_same_view(first, call));
            self.staged_save(*number, call);
            if !call.changes() {
                continue;
            }
            let one_at_a_time = self.behaviour.workers_at_once == 1;
            let in_order = |later: &&(usize, &Call)| one_at_a_time || later.1.worker == call.worker;
            let later = run.calls[at + 1..].iter().find(in_order);
            let span = Span {
                began: call.span.ended,
                ended: ended.min(later.map_or(NEVER, |(_, later)| later.span.began)),
            };
            let after = match one_at_a_time {
                true => effects.last().copied().into_iter().collect(),
                false => before.clone(),
            };
            let operation = Operation::Effect {
                call: *number,
                sequence: run.changed.sequence,
                change: change(call, run.changed),
            };
            effects.push(self.add(span, after, operation));
        }
        let last = run.calls.iter().map(|(_, call)| call.span.ended).max();
        let span = Span {
            began: last.unwrap_or(run.changed.span.began),
            ended,
        };
        let after: Vec<usize> = effects.iter().chain(&*ends).copied().collect();
        let (failed, stops) = self.end(run);
        let reencrypts = |run: &Run<'_>| run.effects().any(|e| e == Effect::Reencrypted);
        if !stops && !reencrypts(run) && !earlier.iter().copied().any(reencrypts) {
            let which = match run.changed.resumed {
                true => Supersede::Only(first.and_then(|first| first.old.as_ref()).map(pair)),
                false => Supersede::Any,
            };
            ends.push(self.add(span, after.clone(), Operation::Supersede(which)));
        }
        if failed && self.is_resumed_after(run) {
            let rotation = run.changed.rotation.as_uuid().as_u128();
            ends.push(self.add(span, after, Operation::Stopped(rotation)));
        }
    }

    /// Whether callbacks failed in a run, and whether that stopped it.
    fn end(&self, run: &Run<'_>) -> (bool, bool) {
        let failed = run.calls.iter().any(|(_, call)| call.effect().is_none());
        let stops = failed && self.behaviour.error_strategy.stops();
        let state = match (failed, stops) {
            (false, _) => RotationState::Completed,
            (true, true) => RotationState::Stopped,
            (true, false) => RotationState::CompletedWithFailures,
        };
        // A later one may have completed before the first look.
        let found = run.changed.state;
        let as_expected = found == state || failed && found == RotationState::Obsolete;
        assert!(as_expected, "{found:?} is not {state:?}");
        (failed, stops)
    }

    /// Whether the rotation was resumed later: only then it matters when it stopped.
    fn is_resumed_after(&self, run: &Run<'_>) -> bool {
        let mut changes = self.history.changes.iter();
        changes.any(|changed| {
            let same = changed.rotation == run.changed.rotation;
            same && changed.resumed && changed.span.began > run.changed.span.began
        })
    }

    /// What a rotation reads of the key when it is declared and when it begins.
    fn begins(&mut self, changed: &Changed, first: &Call, effects: &[usize]) {
        let (began, called) = (changed.span.began, first.span.began);
        if !changed.names_old {
            let ended = changed.accepted.map_or(called, |at| at.min(called));
            let span = Span { began, ended };
            if !self.follows(changed, span, first.old.as_ref()) {
                let held = Operation::Held(first.old.clone());
                self.add(span, Vec::new(), held);
            }
        }
        let span = Span {
            began,
            ended: called,
        };
        let snapshot = Operation::Snapshot(first.flow, first.previous.clone());
        self.add(span, effects.to_vec(), snapshot);
    }

    /// Whether these old keys may be the new ones of a rotation that was declared before and waited or
    /// ran at the acceptance, which was in this span. If the one before surely did, they must be.
    fn follows(&self, changed: &Changed, accepted: Span, old: Option<&Halves>) -> bool {
        let changes = self.history.changes.iter();
        let earlier = changes.filter(|before| before.sequence < changed.sequence);
        let earlier: Vec<&Changed> = earlier.collect();
        let last = earlier.iter().map(|before| before.sequence).max();
        let mut may = false;
        for before in earlier {
            let calls = self.history.calls.iter();
            let calls: Vec<&Call> = calls.filter(|c| c.rotation == before.rotation).collect();
            let new = calls.iter().find_map(|call| call.new.as_ref());
            let goes_on = before.accepted.is_some_and(|at| at < accepted.began)
                && calls.iter().any(|call| call.span.began > accepted.ended);
            let is_resumed = self
                .history
                .changes
                .iter()
                .any(|other| other.rotation == before.rotation && other.resumed);
            if Some(before.sequence) == last && new.is_some() && goes_on && !is_resumed {
                assert_eq!(old, new, "not the keys that the change before leads to");
            }
            let overlaps = before.span.began < accepted.ended && before.span.ended > accepted.began;
            may |= overlaps && new.is_some() && old == new;
        }
        may
    }

    fn staged_save(&mut self, number: usize, call: &Call) {
        if let Some((span, told)) = &call.save {
            let operation = Operation::StageSave {
                call: number,
                staged: call.staged.clone(),
                fetched: self.fetched(*span),
                told: told.clone(),
            };
            self.add(*span, Vec::new(), operation);
        }
    }
}

/// One run of a rotation: the first one, or after a resume.
struct Run<'a> {
    changed: &'a Changed,
    calls: Vec<(usize, &'a Call)>,
}

impl<'a> Run<'a> {
    fn first(&self) -> Option<&'a Call> {
        self.calls.first().map(|(_, call)| *call)
    }

    fn effects(&self) -> impl Iterator<Item = Effect> {
        self.calls.iter().filter_map(|(_, call)| call.effect())
    }
}

/// The runs of all rotations, in the order in which they ran.
fn runs(history: &History) -> Vec<Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for changed in &history.changes {
        let of_this = |began: u64| {
            let mut changes = history
                .changes
                .iter()
                .filter(|c| c.rotation == changed.rotation);
            let later = |c: &Changed| changed.span.began < c.span.began && c.span.began < began;
            changed.span.began < began && !changes.any(later)
        };
        let calls = history.calls.iter().enumerate();
        let mut calls: Vec<(usize, &Call)> = calls
            .filter(|(_, call)| call.rotation == changed.rotation && of_this(call.span.began))
            .collect();
        calls.sort_by_key(|(_, call)| call.span.began);
        // A resumed rotation that a later one overtook before its turn came did not run.
        if !changed.resumed || !calls.is_empty() {
            runs.push(Run { changed, calls });
        }
    }
    // With callbacks, each run calls one; without, none fails, and none is resumed.
    runs.sort_by_key(|run| match run.first() {
        Some(first) => (first.span.began, 0),
        None => (0, run.changed.sequence),
    });
    runs
}

fn change(call: &Call, changed: &Changed) -> StateChange {
    let mut change = effect(call.effect().unwrap_or_default(), call.new.as_ref());
    change.staged.clone_from(&call.staged);
    if call.saves() {
        change.staged.push(Staged::Save { asked: None });
    }
    let rotation = changed.rotation.as_uuid().as_u128();
    change.resumed = changed.resumed.then_some(rotation);
    change
}

/// Every callback of a rotation is told the same, whatever an earlier one did.
fn assert_same_view(first: &Call, call: &Call) {
    let view = |call: &Call| {
        let (old, new) = (call.old.clone(), call.new.clone());
        (old, new, call.flow, call.previous.clone())
    };
    assert_eq!(view(first), view(call), "two callbacks, two views");
}
