//! What programs do: at the start, while faults happen, and when nothing goes wrong any more.

use keyward::key::event::Request;
use keyward::key::flow::SecretKeyFlow;
use keyward::rotation::event::{Declaration, DeclaredVersion, Event, OldKeys};
use keyward::rotation::id::RotationId;
use keyward::rotation::plan::Declared;
use uuid::Uuid;

use crate::simulation::asks::Kind;
use crate::simulation::coordinator::Told;
use crate::simulation::keys::KeyAsk;
use crate::simulation::plan::{key_name, key_number, pair_of, prints_of, worker_name};
use crate::simulation::world::{Made, Of, What, World};

impl World {
    /// The faults that come by the clock.
    pub fn begin(&mut self) {
        let faults = &self.plan.faults;
        let timed = [
            (faults.crash_every, Of::Process(1), What::Crash),
            (faults.restart_every, Of::World, What::ShutDown),
            (faults.coordinator_every, Of::World, What::CoordinatorDies),
        ];
        for (every, of, what) in timed {
            if every > 0 {
                let first = self.chance.about(every) + 1;
                self.after(first, of, what);
            }
        }
        self.after(100, Of::World, What::Acts);
    }

    /// A program defines its keys, and its workers join.
    pub fn program_starts(&mut self) {
        for key in 0..self.plan.keys.len() {
            let delay = self.start_delay();
            self.in_life(delay, What::Define(key));
        }
        for worker in 0..self.plan.workers {
            if !self.chance.percent(5) {
                let delay = self.start_delay();
                self.in_life(delay, What::Join(worker));
            }
        }
    }

    fn start_delay(&mut self) -> u64 {
        match self.chance.below(10) {
            0 => self.chance.about(8_000),
            1 | 2 => self.chance.about(500),
            _ => self.chance.below(20),
        }
    }

    /// A program does something.
    pub fn acts(&mut self) {
        if self.calm {
            return;
        }
        let next = self.chance.about(self.plan.pace) + 1;
        self.after(next, Of::World, What::Acts);
        if self.life.is_none() {
            return;
        }
        let workers = self.plan.faults.workers;
        let weights = [7, 3, 4, 4, 1, 9, 3, 3, 4, 2, workers * 2, workers, workers];
        match self.chance.weighted(&weights) {
            0 => self.declares(),
            1 => self.declares_again(),
            2 => self.of_some_rotation(Kind::Wait),
            3 => self.of_a_failed_rotation(Kind::Resume),
            4 => self.of_a_failed_rotation(Kind::Abort),
            5 => self.gets(),
            6 => self.saves_state(),
            7 => {
                let worker = self.chance.index(self.plan.workers);
                self.asks_to_join(worker);
            }
            8 => {
                let (worker, key, callback) = self.some_callback();
                self.figures.late_joins += 1;
                self.asks_to_register(worker, key, callback);
            }
            9 => {
                let key = self.chance.index(self.plan.keys.len());
                self.versions[key] += 1;
            }
            10 => self.worker_dies(),
            11 => {
                let worker = self.chance.index(self.plan.workers);
                self.ask(Kind::Leave(worker));
            }
            _ => {
                let named = self.some_callback();
                self.ask(Kind::Remove(named));
            }
        }
        self.looks_at_a_key();
    }

    fn some_callback(&mut self) -> (usize, usize, usize) {
        let workers = self.chance.index(self.plan.workers);
        let key = self.chance.index(self.plan.keys.len());
        (workers, key, self.chance.index(2))
    }

    fn declares(&mut self) {
        let key = self.chance.index(self.plan.keys.len());
        if self.life().keys[key].is_none() {
            return;
        }
        let behaviour = self.plan.keys[key].clone();
        let version = self.versions[key];
        let old = self.chance.percent(60).then_some(version);
        let new = self.chance.percent(80).then_some(version + 1);
        let declared = Declared {
            old: old.map(prints_of),
            new: new.map(prints_of),
        };
        let pair = |version: u64| pair_of(&behaviour, version);
        let secrets = (old.map(pair), new.map(pair));
        let id = RotationId::new(Uuid::from_u128(self.chance.uuid()));
        let chosen = self.chance.percent(50);
        if self.looks && self.looking.percent(30) {
            self.declares_from_stores(id, key, new);
        } else {
            self.declares_given(id, chosen, key, (declared, secrets));
        }
        if self.chance.percent(80) {
            self.versions[key] += 1;
        }
    }

    fn declares_given(
        &mut self,
        id: RotationId,
        chosen: bool,
        key: usize,
        (declared, secrets): (Declared, crate::simulation::truth::Secrets),
    ) {
        let from = match secrets.0 {
            Some(_) => OldKeys::Given,
            None => OldKeys::Undeclared,
        };
        self.declare(id, chosen, key, (declared, from), secrets);
    }

    fn declare(
        &mut self,
        id: RotationId,
        chosen: bool,
        key: usize,
        (declared, old): (Declared, OldKeys),
        secrets: crate::simulation::truth::Secrets,
    ) {
        let old_keys = secrets.0.as_ref().map(|_| self.chance.uuid());
        let new_keys = secrets.1.as_ref().map(|_| self.chance.uuid());
        let declaration = Declaration {
            id,
            chosen,
            key: key_name(key),
            declared,
            old,
            new_unasked: false,
            old_keys,
            new_keys,
            by: Default::default(),
            version: DeclaredVersion::default(),
        };
        let made = Made {
            declaration,
            secrets,
            new_from: None,
        };
        self.made.push(made.clone());
        self.ask(Kind::Declare(Box::new(made)));
    }

    /// A declaration is made again under its id, as it was or as another one.
    fn declares_again(&mut self) {
        let chosen: Vec<usize> = (0..self.made.len())
            .filter(|at| self.made[*at].declaration.chosen)
            .collect();
        if chosen.is_empty() {
            return;
        }
        let at = chosen[self.chance.index(chosen.len())];
        let Made {
            declaration,
            secrets,
            ..
        } = self.made[at].clone();
        let key = key_number(&declaration.key);
        if self.life().keys[key].is_none() || self.truth.refused.contains(&declaration.id) {
            return;
        }
        let mut declared = declaration.declared;
        if self.chance.percent(25) {
            declared.new = Some(prints_of(self.next + 1_000_000));
        }
        let declared = (declared, declaration.old);
        self.declare(declaration.id, true, key, declared, secrets);
    }

    /// Mostly one that an operator would look at: it stopped, or ended with failures.
    fn of_a_failed_rotation(&mut self, kind: fn(RotationId) -> Kind) {
        let reports = self.life().engine.machine().reports();
        let failed = reports.iter().filter(|report| !report.state.goes_on());
        let failed: Vec<RotationId> = failed.map(|report| report.id).collect();
        if failed.is_empty() || self.chance.percent(20) {
            self.of_some_rotation(kind);
        } else {
            let at = self.chance.index(failed.len());
            self.ask(kind(failed[at]));
        }
    }

    fn of_some_rotation(&mut self, kind: fn(RotationId) -> Kind) {
        // The newest ones mostly; also one that was never declared.
        if self.chance.percent(3) {
            let id = RotationId::new(Uuid::from_u128(self.chance.uuid()));
            self.ask(kind(id));
            return;
        }
        let recent = self.made.len().min(6);
        if recent > 0 {
            let at = self.made.len() - 1 - self.chance.index(recent);
            let id = self.made[at].declaration.id;
            self.ask(kind(id));
        }
    }

    fn gets(&mut self) {
        let key = self.chance.index(self.plan.keys.len());
        let flow = match self.chance.below(5) {
            0 | 1 => None,
            2 => Some(SecretKeyFlow::ForwardPath),
            3 => Some(SecretKeyFlow::BackPath),
            _ => Some(SecretKeyFlow::Default),
        };
        self.asks_key(key, Request::Get { flow });
    }

    fn saves_state(&mut self) {
        let key = self.chance.index(self.plan.keys.len());
        self.asks_key(key, Request::Save);
    }

    fn asks_key(&mut self, key: usize, request: Request) {
        self.ask_key(key, request, KeyAsk::program());
        let Some(shell) = self.life().keys[key].as_ref() else {
            return;
        };
        let newest = shell.pending.last_key_value().map(|(ticket, _)| *ticket);
        if let Some(ticket) = newest
            && self.chance.percent(self.plan.faults.dropped)
        {
            let delay = self.chance.about(300);
            self.in_life(delay, What::KeyGone(key, ticket));
        }
    }

    fn worker_dies(&mut self) {
        let worker = self.chance.index(self.plan.workers);
        let Some(incarnation) = self.life().workers.remove(&worker) else {
            return;
        };
        self.figures.worker_deaths += 1;
        let name = worker_name(worker);
        self.send(Told::Happened(Event::Died {
            worker: name,
            incarnation,
        }));
        let delay = self.chance.about(3_000);
        self.in_life(delay, What::Join(worker));
    }
}
