//! From what was seen to operations: what each request could know, and when a change touched the
//! key.
//!
//! `key_changed` is no single moment. What it does to the key, and what of the key it shows, are
//! operations of their own, each in the time that the contract leaves it:
//!
//! | operation | not before | not after |
//! | --- | --- | --- |
//! | the old keys are read, if they were not declared | the call | it is accepted |
//! | the flow and previous keys are read for the handles | the call, the effects of the rotations before | the first callback begins |
//! | what a callback did takes effect | the callback ended | the next callback begins, `key_changed` answers |
//! | what is held becomes superseded | the last callback ended, all effects | the next rotation's first callback begins, `key_changed` answers |

use keyward::RotationState;
use keyward::key::state::{Effect, Staged, StateChange};

use crate::checker::{NEVER, Timed};
use crate::history::{Asked, Call, Changed, History, Span};
use crate::spec::{Operation, StoreAnswer, effect};
use crate::workload::Behaviour;

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
        let mut changes: Vec<&Changed> = self.history.changes.iter().collect();
        changes.sort_by_key(|changed| changed.sequence);
        // What rotations do to the key they do in the order of their declarations.
        let (mut effects, mut ends) = (Vec::new(), Vec::new());
        for (at, changed) in changes.iter().enumerate() {
            let of_later = |call: &&Call| {
                let later = &changes[at + 1..];
                later.iter().any(|later| later.rotation == call.rotation)
            };
            let next = self.history.calls.iter().filter(of_later);
            let next = next.map(|call| call.span.began).min().unwrap_or(NEVER);
            self.changed(changed, next, &mut effects, &mut ends);
        }
    }

    /// One rotation; `next` is when a callback of a later one began.
    fn changed(
        &mut self,
        changed: &Changed,
        next: u64,
        effects: &mut Vec<usize>,
        ends: &mut Vec<usize>,
    ) {
        let history = self.history;
        let calls = history.calls.iter().enumerate();
        let mut calls: Vec<(usize, &Call)> = calls
            .filter(|(_, call)| call.rotation == changed.rotation)
            .collect();
        calls.sort_by_key(|(_, call)| call.span.began);
        let ended = changed.span.ended.min(next);
        if let Some((_, first)) = calls.first() {
            self.begins(changed, first, effects);
        }
        let before = effects.clone();
        for (at, (number, call)) in calls.iter().enumerate() {
            assert_same_view(calls[0].1, call);
            self.staged_save(*number, call);
            if call.changes() {
                let in_order = |later: &&(usize, &Call)| {
                    let one_worker = later.1.worker == call.worker;
                    self.behaviour.workers_at_once == 1 || one_worker
                };
                let later = calls[at + 1..].iter().find(in_order);
                let later = later.map_or(NEVER, |(_, later)| later.span.began);
                let span = Span {
                    began: call.span.ended,
                    ended: ended.min(later),
                };
                let change = change(call);
                let operation = Operation::Effect {
                    call: *number,
                    change,
                };
                let after = match self.behaviour.workers_at_once {
                    1 => effects.last().copied().into_iter().collect(),
                    _ => before.clone(),
                };
                effects.push(self.add(span, after, operation));
            }
        }
        let calls: Vec<&Call> = calls.into_iter().map(|(_, call)| call).collect();
        if self.is_superseding(changed, &calls) {
            let last = calls.iter().map(|call| call.span.ended).max();
            let span = Span {
                began: last.unwrap_or(changed.span.began),
                ended,
            };
            let after = effects.iter().chain(&*ends).copied().collect();
            ends.push(self.add(span, after, Operation::Supersede));
        }
    }

    /// What a rotation reads of the key when it is declared and when it begins.
    fn begins(&mut self, changed: &Changed, first: &Call, effects: &[usize]) {
        let (began, called) = (changed.span.began, first.span.began);
        if !changed.names_old {
            let ended = changed.accepted.map_or(called, |at| at.min(called));
            let held = Operation::Held(first.old.clone());
            self.add(Span { began, ended }, Vec::new(), held);
        }
        let span = Span {
            began,
            ended: called,
        };
        let snapshot = Operation::Snapshot(first.flow, first.previous.clone());
        self.add(span, effects.to_vec(), snapshot);
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

    /// Whether the end of a rotation supersedes what is held: it ran to its end, and no callback
    /// re-encrypted.
    fn is_superseding(&self, changed: &Changed, calls: &[&Call]) -> bool {
        let failed = calls.iter().any(|call| call.effect().is_none());
        let stops = failed && self.behaviour.error_strategy.stops();
        let state = match (failed, stops) {
            (false, _) => RotationState::Completed,
            (true, true) => RotationState::Stopped,
            (true, false) => RotationState::CompletedWithFailures,
        };
        let as_expected =
            changed.state == state || failed && changed.state == RotationState::Obsolete;
        assert!(as_expected, "{:?} is not {state:?}", changed.state);
        let reencrypts = |call: &&Call| call.effect() == Some(Effect::Reencrypted);
        !stops && !calls.iter().any(reencrypts)
    }
}

fn change(call: &Call) -> StateChange {
    let mut change = effect(call.effect().unwrap_or_default(), call.new.as_ref());
    change.staged.clone_from(&call.staged);
    if call.saves() {
        change.staged.push(Staged::Save { asked: None });
    }
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
