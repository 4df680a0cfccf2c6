//! When nothing goes wrong any more: each missing worker comes back, everything comes to its end, and
//! what is listed is what is durable, in another life too.

use keyward::rotation::machine::RotationMachine;
use keyward::rotation::plan::Step;
use keyward::rotation::report::RotationReport;
use keyward::rotation::roster::WorkerEntry;
use keyward::rotation::status::StatusEvent;

use crate::listed::is_listed;
use crate::simulation::asks::Kind;
use crate::simulation::callbacks::CallId;
use crate::simulation::keys::Shell;
use crate::simulation::life::Closing;
use crate::simulation::plan::{callback_number, key_number, worker_name, worker_number};
use crate::simulation::world::{Of, What, World};

/// How often it is looked what is missing for everything to end.
const TEND_EVERY: u64 = 500;

impl World {
    /// Nothing goes wrong any more.
    pub fn becomes_calm(&mut self) {
        self.calm = true;
        let for_ever: Vec<CallId> = self.calls.keys().copied().collect();
        let never = self.plan.config.worker_wait.is_none();
        for call in for_ever.into_iter().filter(|_| never) {
            let process = Of::Process(self.processes);
            let told = self.calls[&call].told;
            let delay = if told { 1 } else { 60_000 };
            self.after(delay, process, What::CallReturns(call));
        }
        self.after(1, Of::World, What::Tend);
    }

    /// Each missing worker comes back; when nothing is left to do, everything is looked at.
    pub fn tend(&mut self) {
        if self.life.is_some() && self.life().closing == Closing::No {
            self.fetch_the_missing();
            if self.unrest().is_empty() {
                self.check_rest();
                if self.truth_was_reread {
                    self.at_rest = true;
                    return;
                }
                self.truth_was_reread = true;
                self.processes += 1;
                self.life_is_over(true);
            }
        }
        self.after(TEND_EVERY, Of::World, What::Tend);
    }

    fn fetch_the_missing(&mut self) {
        for key in 0..self.plan.keys.len() {
            self.asks_to_define(key);
        }
        let roster = self.life().engine.machine().roster().clone();
        for (worker, entry) in roster.in_order() {
            let number = worker_number(worker);
            if entry.incarnation().is_none() {
                self.asks_to_join(number);
                continue;
            }
            for (key, callback, _) in entry.callbacks() {
                if !entry.has_attached(key, callback) {
                    self.asks_to_register(number, key_number(key), callback_number(callback));
                }
            }
        }
        if self.truth_was_reread && !self.waited_for_all {
            self.waited_for_all = true;
            for id in self.accepted.keys().copied().collect::<Vec<_>>() {
                self.ask(Kind::Wait(id));
            }
        }
    }

    /// What is still under way; nothing where the world is at rest.
    pub fn unrest(&self) -> String {
        let Some(life) = &self.life else {
            return "nobody lives".to_owned();
        };
        let engine = &life.engine;
        let machine = engine.machine();
        let here = |worker: &WorkerEntry| worker.incarnation().is_some();
        let everybody = machine.roster().in_order().all(|(_, entry)| here(entry));
        let mut open = self.truth.journal.rotations.values();
        let all = !self.truth_was_reread || self.waited_for_all;
        let rests = [
            (
                "the coordinator is being told something",
                life.coordinator_busy < self.now,
            ),
            ("a worker is missing", everybody),
            ("rotations are paused", machine.paused().is_none()),
            ("something is not durable", engine.is_settled()),
            ("the journal works", life.jobs.is_empty()),
            ("callbacks run", life.calls.is_empty()),
            ("callbacks are prepared", life.prepares.is_empty()),
            ("how callbacks ended is kept", life.done.is_empty()),
            ("changes are proposed", life.proposals.is_empty()),
            ("keys are missing", life.keys.iter().all(Option::is_some)),
            (
                "a key has work",
                life.keys.iter().flatten().all(Shell::rests),
            ),
            ("somebody waits", life.asks.is_empty()),
            ("rotations go on", open.all(|(h, _)| !h.state.goes_on())),
            ("not everybody has asked", all),
        ];
        let unrest = rests.into_iter().filter(|(_, rests)| !rests);
        unrest.map(|(what, _)| what).collect::<Vec<_>>().join("; ")
    }

    fn check_rest(&mut self) {
        let journal = self.life().journal.take().expect("an open journal");
        let loaded = journal.load().expect("a good disk");
        self.check_loaded(&journal, &loaded);
        let next = RotationMachine::replay(self.plan.config.clone(), loaded.facts);
        let life = self.life();
        assert_eq!(
            listing(life.engine.machine()),
            listing(&next),
            "the listing is not what the journal gives"
        );
        let secrets = loaded.secrets.into_iter();
        for (id, durable) in secrets {
            assert_eq!(life.secrets.get(&id), Some(&durable), "secrets of {id}");
        }
        life.journal = Some(journal);
        self.check_presence();
        for id in self.accepted.keys() {
            let state = self.truth.header(*id).expect("an accepted rotation").state;
            assert!(!state.goes_on(), "accepted rotation {id} never settles");
        }
    }

    /// The workers here by the roster are those that were told so and have not gone.
    fn check_presence(&self) {
        let life = self.life.as_ref().expect("a life");
        for (worker, entry) in life.engine.machine().roster().in_order() {
            assert_eq!(
                entry.incarnation(),
                life.workers.get(&worker_number(worker)).copied(),
                "worker {worker} is here, or is not, as nobody knows it"
            );
        }
    }

    /// A worker that is here is here after a recovery too, unless it was told that it is not known
    /// whether it has left: then the journal, as it was read anew, decides.
    pub fn check_recovered(&mut self) {
        let life = self.life();
        let machine = life.engine.machine();
        if machine.paused().is_some() {
            return;
        }
        let unsure = std::mem::take(&mut life.perhaps_left);
        life.workers.retain(|worker, incarnation| {
            let Some(entry) = machine.roster().get(&worker_name(*worker)) else {
                let told = unsure.contains(worker);
                assert!(told, "worker {worker} has left and never asked for that");
                return false;
            };
            assert_eq!(
                entry.incarnation(),
                Some(*incarnation),
                "worker {worker} was here before the journal was read anew"
            );
            true
        });
    }

    /// What the engine lists is what is durable, whenever nothing is being written.
    pub fn check_listing(&mut self) {
        if !self.chance.percent(4) {
            return;
        }
        let Some(life) = &self.life else {
            return;
        };
        let machine = life.engine.machine();
        if life.engine.is_settled() && machine.paused().is_none() {
            let journal = &self.truth.journal;
            let listed = machine.reports();
            assert!(
                is_listed(journal, &listed),
                "what is listed is not durable: {listed:?}"
            );
            for report in &listed {
                life.check_waits(report);
            }
            let next = RotationMachine::replay(self.plan.config.clone(), journal.facts());
            assert_eq!(
                listing(machine),
                listing(&next),
                "the listing is not what is durable"
            );
        }
    }
}

/// The reports of a machine as a new life would find them.
fn listing(machine: &RotationMachine) -> Vec<RotationReport> {
    let mut reports = machine.reports();
    for report in &mut reports {
        report.waits_for.clear();
        report.steps.iter_mut().for_each(interrupted);
    }
    reports
}

fn interrupted(step: &mut Step) {
    if let Some(status) = StatusEvent::Interrupt.apply_to(step.status) {
        step.status = status;
    }
    // The death of the coordinator is no crash of the callback; the next life cannot tell them apart.
    step.crashes = 0;
}
