//! How steps end, how rotations end, and what that does to the others of the key.

use crate::key::event::Ticket;
use crate::key::flow::SecretKeyUseCase;
use crate::key::name::KeyName;
use crate::key::state::Effect;
use crate::rotation::effect::{Fact, Reply, RotationEffect};
use crate::rotation::event::{Moment, StepOutcome, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::machine::RotationMachine;
use crate::rotation::plan::Step;
use crate::rotation::report::RotationReport;
use crate::rotation::rotations::Active;
use crate::rotation::state::RotationEvent;
use crate::rotation::status::StatusEvent;
use std::collections::BTreeSet;

impl RotationMachine {
    pub(crate) fn ended(&mut self, step: StepRef, attempt: u32, outcome: StepOutcome, now: Moment) {
        let Some(live) = self.rotations.get_mut(step.rotation) else {
            return;
        };
        if live.active.get(&step.step) != Some(&Active::Running { attempt }) {
            return;
        }
        if self.paused.is_some() {
            // How it ended is kept by the engine, and comes back with the recovery.
            live.active.remove(&step.step);
            return;
        }
        let (has_new, use_case) = (live.header.new_keys.is_some(), live.header.use_case);
        let has_state = use_case == SecretKeyUseCase::RoundTrip && live.header.versions.is_none();
        let of_memory = live.steps.get(step.step).is_some_and(Step::is_of_memory);
        match outcome {
            StepOutcome::Failed { error } => self.fail(step, error, now),
            StepOutcome::Lost => return self.call_again(step, 1, now),
            StepOutcome::Done { effect, staged } if of_memory => {
                match Self::wrong_of_memory(effect, staged) {
                    Some(error) => self.fail(step, error, now),
                    None => self.own_memory_is_done(step, now),
                }
            }
            StepOutcome::Done {
                effect: Effect::Reencrypted,
                ..
            } if !has_new => {
                let error = "the callback answered reencrypted, but no new keys were declared";
                self.fail(step, error.to_owned(), now);
            }
            StepOutcome::Done { effect, staged } => {
                let changes = effect != Effect::Nothing || staged;
                if changes && has_state {
                    self.settle(step, effect, staged);
                    return;
                }
                self.succeed(step, effect, now);
            }
        }
        self.advance(step.rotation, now);
    }

    fn settle(&mut self, step: StepRef, effect: Effect, staged: bool) {
        if let Some(live) = self.rotations.get_mut(step.rotation) {
            live.active
                .insert(step.step, Active::Settling { effect, staged });
            let header = &live.header;
            self.effects.push(RotationEffect::Propose {
                step,
                key: header.key.clone(),
                overtaken: header.overtaken,
                resumed: header.resumes > 0,
            });
        }
    }

    pub(crate) fn proposed(&mut self, step: StepRef, applies: bool, now: Moment) {
        let Some(live) = self.rotations.get(step.rotation) else {
            return;
        };
        let Some(Active::Settling { effect, .. }) = live.active.get(&step.step).cloned() else {
            return;
        };
        if self.paused.is_some() {
            return;
        }
        let key = live.header.key.clone();
        self.facts.push(Fact::Record(step));
        self.succeed(step, effect, now);
        if applies {
            self.overtake_earlier(step.rotation);
        }
        let after = self.this_write();
        self.effects
            .push(RotationEffect::Adopt { after, step, key });
        self.advance(step.rotation, now);
    }

    /// Rotations that were declared before this one must not touch the key's state any more.
    fn overtake_earlier(&mut self, id: RotationId) {
        let Some((key, seq)) = self.key_and_seq(id) else {
            return;
        };
        for other in self.rotations.of_key(&key) {
            if let Some(live) = self.rotations.get_mut(other)
                && live.header.seq < seq
                && !live.header.overtaken
            {
                live.header.overtaken = true;
                self.facts.push(Fact::Rotation(live.header.clone()));
            }
        }
    }

    fn key_and_seq(&self, id: RotationId) -> Option<(KeyName, u64)> {
        let header = &self.rotations.get(id)?.header;
        Some((header.key.clone(), header.seq))
    }

    pub(crate) fn succeed(&mut self, step: StepRef, effect: Effect, now: Moment) {
        self.end_step(step, StatusEvent::Succeed, now, |ended| {
            ended.effect = effect;
            ended.crashes = 0;
        });
        self.pay_after(step);
    }

    pub(crate) fn fail(&mut self, step: StepRef, error: String, now: Moment) {
        self.end_step(step, StatusEvent::Fail, now, |ended| {
            ended.error = Some(error)
        });
    }

    fn end_step(
        &mut self,
        step: StepRef,
        event: StatusEvent,
        now: Moment,
        change: impl FnOnce(&mut Step),
    ) {
        self.wait_until(step, None);
        let Some(live) = self.rotations.get_mut(step.rotation) else {
            return;
        };
        live.active.remove(&step.step);
        live.missing.remove(&step.step);
        let answered = live.answered.remove(&step.step);
        let key = live.header.key.clone();
        let end = |ended: &mut Step| {
            ended.ended_ms = Some(now.wall_ms);
            change(ended);
        };
        if let Some(ended) = live.steps.happen(step.step, event, end) {
            let worker = ended.worker.clone();
            let fact = Fact::Step(step.rotation, key, ended.clone());
            self.facts.push(fact);
            if let Some(answered) = answered {
                self.answer_is_taken(&worker, step, answered);
            }
        }
        self.suspect_ended(step, now);
    }

    pub(crate) fn finish_if_done(&mut self, id: RotationId, now: Moment) {
        let Some(live) = self.rotations.get_mut(id) else {
            return;
        };
        let open = live.steps.has_open() && !live.is_stopping();
        let event = match (live.steps.has_failed(), live.header.strategy.stops()) {
            (false, _) => RotationEvent::Complete,
            (true, true) => RotationEvent::Stop,
            (true, false) => RotationEvent::CompleteWithFailures,
        };
        let Some(state) = event.apply_to(live.header.state) else {
            return;
        };
        if open || !live.active.is_empty() {
            return;
        }
        live.missing.clear();
        live.header.state = state;
        live.header.ended_ms = Some(now.wall_ms);
        let versions = live.header.versions.is_some();
        let supersedes = event != RotationEvent::Stop && !live.steps.has_reencrypted() && !versions;
        let only_old = live.header.resumes > 0;
        let header = live.header.clone();
        let (key, rotation) = (header.key.clone(), id);
        let waiters = self.rotations.take_waiters(id);
        let report = self.report(id);
        self.rotations.queue_mut(&key).turn = None;
        self.old_keys_change(&key, id);
        if event == RotationEvent::Complete {
            self.searching.retain(|_, sought| *sought != id);
            let steps = self
                .rotations
                .remove(id)
                .map(|live| live.steps.iter().cloned().collect());
            self.facts
                .push(Fact::Ended(header.clone(), steps.unwrap_or_default()));
            if versions {
                self.deactivate(&key, id, now);
            } else {
                self.make_earlier_obsolete(&key, header.seq, now);
            }
        } else {
            self.facts.push(Fact::Rotation(header));
            let after = self.this_write();
            self.effects.push(RotationEffect::Stopped {
                after,
                rotation,
                key: key.clone(),
            });
        }
        let after = self.this_write();
        if supersedes {
            let key = key.clone();
            self.effects.push(RotationEffect::Supersede {
                after,
                rotation,
                key,
                only_old,
            });
        }
        self.settled(report, waiters);
        self.advance_key(&key, now);
    }

    /// Tells all askers that waited for a rotation what became of it.
    pub(crate) fn settled(&mut self, report: Option<RotationReport>, waiters: BTreeSet<Ticket>) {
        let Some(report) = report.map(Box::new) else {
            return;
        };
        let after = self.this_write();
        self.effects.push(RotationEffect::Settled {
            after,
            report: report.clone(),
        });
        for ticket in waiters {
            self.reply(ticket, Ok(Reply::Report(report.clone())));
        }
    }

    fn make_earlier_obsolete(&mut self, key: &KeyName, seq: u64, now: Moment) {
        for id in self.rotations.of_key(key) {
            let live = self.rotations.get(id);
            if live.is_some_and(|live| live.header.seq < seq) {
                self.overtake(id, now);
            }
        }
    }
}
