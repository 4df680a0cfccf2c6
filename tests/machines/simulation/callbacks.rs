//! Workers' callbacks: which one runs, what it does, and when it has really returned.

use std::collections::{BTreeMap, VecDeque};

use keyward::key::event::{Admitted, Event as KeyEvent, Request};
use keyward::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use keyward::key::state::{Effect, Staged};
use keyward::rotation::event::{Event, Lacks, StepOutcome, StepRef};
use keyward::rotation::plan::Step;
use keyward::rotation::report::{RotationReport, WaitsFor};
use keyward::rotation::status::CallbackStatus;

use crate::simulation::coordinator::Told;
use crate::simulation::keys::KeyAsk;
use crate::simulation::life::Life;
use crate::simulation::plan::pair_of;
use crate::simulation::world::{Of, What, World};

/// Of one worker and key only one callback runs at a time, in a process.
pub type Lane = (usize, usize);

/// A call.
pub type CallId = u64;

/// The call that has the turn of a lane, and those that wait for it.
#[derive(Default)]
pub struct Turns {
    pub holder: Option<Holder>,
    pub queue: VecDeque<(u64, StepRef, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    Preparing { token: u64 },
    Running { call: CallId },
}

pub type Lanes = BTreeMap<Lane, Turns>;

/// A call under way.
#[derive(Debug)]
pub struct Running {
    pub step: StepRef,
    pub attempt: u32,
    pub lane: Lane,
    pub life: u64,
    pub outcome: StepOutcome,
    pub staged: Vec<Staged>,
    /// Whether the coordinator was told how it ended.
    pub told: bool,
    /// Whether it kills the process instead.
    pub kills: bool,
    /// When it returns although its limit has passed.
    pub returns: Option<u64>,
}

impl World {
    /// A worker gets ready to call a callback.
    pub fn prepare(&mut self, step: StepRef, lane: Lane, ahead: bool) {
        if let Some((token, _)) = self.life().prepares.get(&step).copied() {
            // It was prepared before it was due.
            return self.lacks_turn(step, lane, token);
        }
        let token = self.number();
        let life = self.lives;
        self.life().prepares.insert(step, (token, lane));
        let turns = self.lanes.entry(lane).or_default();
        turns.queue.push_back((life, step, token));
        self.next_turn(lane);
        if !ahead {
            self.lacks_turn(step, lane, token);
        }
    }

    /// A callback that is due waits for its turn: its worker says so.
    fn lacks_turn(&mut self, step: StepRef, lane: Lane, token: u64) {
        let turns = &self.lanes[&lane];
        if self.looks && turns.holder != Some(Holder::Preparing { token }) {
            self.lacks(step, Lacks::Turn);
        }
    }

    fn lacks(&mut self, step: StepRef, lacks: Lacks) {
        self.figures.lacking += 1;
        self.send(Told::Happened(Event::Lacks { step, lacks }));
    }

    fn next_turn(&mut self, lane: Lane) {
        let turns = self.lanes.entry(lane).or_default();
        if turns.holder.is_some() {
            return;
        }
        if let Some((_, _, token)) = turns.queue.pop_front() {
            turns.holder = Some(Holder::Preparing { token });
            let delay = self.delay();
            self.in_life(delay, What::TurnReady(lane, token));
        }
    }

    pub fn turn_ready(&mut self, lane: &Lane, token: u64) {
        let holder = self.lanes.get(lane).and_then(|turns| turns.holder);
        if holder != Some(Holder::Preparing { token }) {
            return;
        }
        let prepares = &self.life().prepares;
        let mut found = prepares.iter().filter(|(_, (t, _))| *t == token);
        if let Some((step, _)) = found.next() {
            let step = *step;
            if self.looks && self.looking.percent(10) {
                // It has its turn, and a thread only later.
                self.lacks(step, Lacks::Thread);
                let delay = self.looking.about(300);
                return self.in_life(delay, What::TurnReady(*lane, token));
            }
            self.send(Told::Prepared { step, token });
        }
    }

    /// What was prepared is given up.
    pub fn release(&mut self, step: StepRef) {
        let Some((token, lane)) = self.life().prepares.remove(&step) else {
            return;
        };
        let turns = self.lanes.entry(lane).or_default();
        turns.queue.retain(|(_, _, other)| *other != token);
        if turns.holder == Some(Holder::Preparing { token }) {
            turns.holder = None;
            self.next_turn(lane);
        }
    }

    /// A life is over: what it had prepared is given up, what runs has its turn until it returns.
    pub fn clear_lanes(&mut self, crashed: bool) {
        if crashed {
            self.lanes.clear();
            self.calls.clear();
            return;
        }
        for turns in self.lanes.values_mut() {
            turns.queue.clear();
            if matches!(turns.holder, Some(Holder::Preparing { .. })) {
                turns.holder = None;
            }
        }
    }

    /// A callback begins.
    pub fn call(&mut self, step: StepRef, attempt: u32, key: usize) {
        let Some((token, lane)) = self.life().prepares.remove(&step) else {
            panic!("a callback is called that was not prepared: {step:?}");
        };
        assert_eq!(lane.1, key);
        let call = self.number();
        let turns = self.lanes.entry(lane).or_default();
        assert_eq!(
            turns.holder,
            Some(Holder::Preparing { token }),
            "a callback of a worker and key begins beside another"
        );
        turns.holder = Some(Holder::Running { call });
        self.check_call(step, attempt, lane);
        self.figures.called += 1;
        self.figures.again += u64::from(attempt > 1);
        self.mark(u64::from(attempt));
        let running = self.draw(step, attempt, lane);
        self.life().began.insert(step);
        self.life().calls.insert(step, (attempt, call));
        self.calls.insert(call, running);
        self.goes_on(call);
    }

    /// Draws what a callback does.
    fn draw(&mut self, step: StepRef, attempt: u32, lane: Lane) -> Running {
        let faults = &self.plan.faults;
        let (failing, stuck, killers) = (faults.failing, faults.stuck, faults.killers);
        let faulty = !self.calm;
        let behaviour = self.plan.keys[lane.1].clone();
        let mut running = Running {
            step,
            attempt,
            lane,
            life: self.lives,
            outcome: StepOutcome::Failed {
                error: "the time limit has passed".to_owned(),
            },
            staged: Vec::new(),
            told: false,
            kills: faulty && self.chance.per_mille(killers),
            returns: None,
        };
        let lost = faulty && self.losing.per_mille(self.plan.faults.lost);
        if faulty && self.chance.percent(stuck) {
            self.figures.stuck += 1;
            let limit = limit(behaviour.callback_time_limit);
            // An async one is dropped at its limit; a blocking one may return later or never.
            running.returns = Some(match self.chance.below(3) {
                0 => limit,
                1 => limit + self.chance.about(20_000),
                _ => u64::MAX,
            });
            return running;
        }
        if faulty && self.chance.percent(failing) {
            self.figures.failing += 1;
            running.outcome = StepOutcome::Failed {
                error: "it failed".to_owned(),
            };
            return running;
        }
        let round_trip = behaviour.use_case == SecretKeyUseCase::RoundTrip;
        let effect = self.effect();
        if round_trip && self.chance.percent(15) {
            let version = self.versions[lane.1];
            running.staged.push(match self.chance.below(3) {
                0 => Staged::LastFlow(SecretKeyFlow::BackPath),
                1 => Staged::PreviousKeys(pair_of(&behaviour, version)),
                _ => Staged::Clean,
            });
        }
        running.outcome = StepOutcome::Done {
            effect,
            staged: !running.staged.is_empty(),
        };
        if lost {
            running.outcome = StepOutcome::Lost;
        }
        running
    }

    fn goes_on(&mut self, call: CallId) {
        let running = &self.calls[&call];
        let (lane, returns) = (running.lane, running.returns);
        let behaviour = self.plan.keys[lane.1].clone();
        let process = Of::Process(self.processes);
        let limit = limit(behaviour.callback_time_limit);
        let takes = self.chance.about(limit.min(2_000)).min(limit);
        if let Some(returns) = returns {
            self.after(limit, process, What::CallEnds(call));
            if returns != u64::MAX {
                self.after(returns, process, What::CallReturns(call));
            }
        } else if behaviour.has_record() && self.chance.percent(8) {
            self.saves(call);
            self.after(limit, process, What::CallEnds(call));
        } else {
            self.after(takes, process, What::CallEnds(call));
        }
    }

    /// The callback stages a save: where nothing is held the store is asked now.
    fn saves(&mut self, call: CallId) {
        let running = &self.calls[&call];
        let (key, staged) = (running.lane.1, running.staged.clone());
        self.figures.saves += 1;
        self.ask_key(key, Request::StageSave { staged }, KeyAsk::stages(call));
    }

    /// The save was answered: the callback ends with it.
    pub fn save_staged(&mut self, call: CallId, asked: Result<Option<Staged>, String>) {
        let Some(running) = self.calls.get_mut(&call).filter(|r| !r.told) else {
            return;
        };
        match asked {
            Ok(save) => {
                running.staged.extend(save);
                if let StepOutcome::Done { staged, .. } = &mut running.outcome {
                    *staged = true;
                }
            }
            Err(error) => running.outcome = StepOutcome::Failed { error },
        }
        let delay = self.delay();
        let process = Of::Process(self.processes);
        self.after(delay, process, What::CallEnds(call));
    }

    pub fn call_ends(&mut self, call: CallId) {
        let Some(running) = self.calls.get_mut(&call).filter(|r| !r.told) else {
            return;
        };
        running.told = true;
        if running.kills && running.returns.is_none() && !self.calm {
            self.figures.killers += 1;
            self.crash();
            return;
        }
        let (step, attempt, life) = (running.step, running.attempt, running.life);
        let (outcome, staged) = (running.outcome.clone(), std::mem::take(&mut running.staged));
        let returned = running.returns.is_none();
        if returned {
            self.call_returns(call);
        }
        if self.life.as_ref().is_some_and(|l| l.no == life) {
            self.send(Told::Ended {
                step,
                attempt,
                outcome,
                staged,
            });
        }
    }

    /// A callback has really returned: the turn is free.
    pub fn call_returns(&mut self, call: CallId) {
        let Some(running) = self.calls.remove(&call) else {
            return;
        };
        self.figures.late += u64::from(running.returns.is_some());
        let turns = self.lanes.entry(running.lane).or_default();
        assert_eq!(turns.holder, Some(Holder::Running { call }));
        turns.holder = None;
        if self.life.is_some() {
            self.next_turn(running.lane);
        }
    }

    /// What a callback that begins rests on.
    fn check_call(&mut self, step: StepRef, attempt: u32, lane: Lane) {
        let durable = self.truth.durable_step(step).cloned();
        let durable = durable.expect("a callback of a rotation that is not durable is called");
        assert_eq!(
            (durable.status, durable.attempt),
            (CallbackStatus::InProgress, attempt),
            "a callback is called without its InProgress being durable"
        );
        assert!(!durable.removed, "a removed callback is called");
        assert!(
            durable.crashes < self.plan.config.max_crashes,
            "a callback is called after {} crashes",
            durable.crashes
        );
        assert!(
            !self.truth.succeeded.contains(&step),
            "a Succeeded callback is called again"
        );
        let life = self.life.as_ref().expect("a life");
        assert!(
            !life.calls.contains_key(&step),
            "a callback is called again while it runs"
        );
        if let Some(known) = life.known.get(&step) {
            assert!(
                self.truth.has_failed(step, *known),
                "the result of attempt {known} was lost: it is called again"
            );
        }
        let (header, steps) = &self.truth.journal.rotations[&step.rotation];
        let at_once = self.plan.keys[lane.1].workers_at_once;
        let before = steps.range(..step.step);
        let open = before.filter(|(_, s)| !s.is_settled());
        let mine = |other: &&Step| at_once == 1 || other.worker == durable.worker;
        let earlier = open.map(|(_, s)| s).find(mine);
        assert!(
            earlier.is_none(),
            "a callback is called before an earlier one of the plan: {earlier:?}"
        );
        let stopped = |other: &&Step| {
            let rotation = step.rotation;
            let at = StepRef {
                rotation,
                step: other.no,
            };
            let failed = other.status == CallbackStatus::Failed && !other.removed;
            let earlier = ((at, other.attempt), (step, attempt));
            failed && self.truth.failed_before(earlier.0, earlier.1)
        };
        let stopped = steps.values().find(stopped);
        assert!(
            !header.strategy.stops() || stopped.is_none(),
            "a callback begins after another stopped the rotation: {stopped:?}"
        );
        let suspects = life.calls.keys().filter(|other| {
            let other = self.truth.durable_step(**other);
            other.is_some_and(|other| other.crashes >= 2)
        });
        assert!(
            durable.crashes < 2 || suspects.count() == 0,
            "two callbacks that crashes followed run at once"
        );
        let secrets = life
            .secrets
            .get(&step.rotation)
            .cloned()
            .unwrap_or_default();
        let declared = self.truth.secrets.get(&step.rotation);
        assert_eq!(
            Some(&(secrets.old, secrets.new)),
            declared,
            "a callback gets other keys than the journal has"
        );
        assert_eq!(
            secrets.snapshot.as_ref(),
            self.truth.snapshots.get(&step.rotation),
            "a callback is shown another state than the rotation began with"
        );
    }

    /// Asks a key in a worker's name.
    pub fn ask_key(&mut self, key: usize, request: Request, ask: KeyAsk) {
        let now = self.time();
        let limit = self.plan.keys[key].request_time_limit;
        let Some(shell) = self.life().keys[key].as_mut() else {
            return;
        };
        let ticket = shell.ticket();
        shell.pending.insert(ticket, ask);
        let deadline = now.after(limit);
        self.tell_key(
            key,
            KeyEvent::Asked(Admitted {
                ticket,
                request,
                deadline,
            }),
        );
    }
}

impl Life {
    /// A callback is listed as waiting for its turn or a thread only if its worker said so, and it is not called.
    pub fn check_waits(&self, report: &RotationReport) {
        for waits in &report.waits_for {
            let (worker, callback, lacks) = match waits {
                WaitsFor::EarlierCall { worker, callback } => (worker, callback, Lacks::Turn),
                WaitsFor::Thread { worker, callback } => (worker, callback, Lacks::Thread),
                _ => continue,
            };
            let of = |step: &&Step| {
                !step.removed && step.worker == *worker && step.callback == *callback
            };
            let step = report.steps.iter().find(of).expect("a step of the plan");
            let at = StepRef {
                rotation: report.id,
                step: step.no,
            };
            let said = self
                .lacks
                .get(&at)
                .is_some_and(|said| said.contains(&lacks));
            assert!(said, "its worker did not say that it lacks {lacks:?}");
            assert!(
                !self.calls.contains_key(&at),
                "a callback runs that waits for {lacks:?}"
            );
        }
    }
}

pub fn limit(limit: std::time::Duration) -> u64 {
    u64::try_from(limit.as_millis()).expect("a short limit")
}

/// What a callback did, if it did something that the key should know.
pub fn done(outcome: &StepOutcome, staged: Vec<Staged>) -> Option<(Effect, Vec<Staged>)> {
    match outcome {
        StepOutcome::Done { effect, .. } => Some((*effect, staged)),
        StepOutcome::Failed { .. } | StepOutcome::Lost => None,
    }
}
