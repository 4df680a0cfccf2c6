//! How the coordinator's actor dies, and how a manager shuts down.

use keyward::key::event::Ticket;
use keyward::rotation::event::Event;

use crate::simulation::asks::Asked;
use crate::simulation::life::{Closing, Job};
use crate::simulation::world::{Of, What, World};

impl World {
    /// The coordinator's actor dies: what was on its way from askers is lost, the engine goes to
    /// the next one.
    pub fn coordinator_dies(&mut self) {
        if self.calm {
            return;
        }
        let every = self.plan.faults.coordinator_every;
        let next = self.chance.about(every) + 1;
        self.after(next, Of::World, What::CoordinatorDies);
        if self.life.is_none() {
            return;
        }
        self.figures.deaths += 1;
        self.lose_asks();
        let now = self.moment();
        let actions = self
            .life()
            .engine
            .restarted("the actor died".to_owned(), now);
        self.perform_all(actions);
        self.coordinator_rests();
    }

    /// What is on its way from askers is lost with the actor: they are told so, and may ask again.
    fn lose_asks(&mut self) {
        let life = self.life();
        let lost: Vec<Ticket> = life
            .asks
            .iter()
            .filter(|(_, asked)| !asked.arrived)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in lost {
            let asked: Asked = self.life().asks.remove(&ticket).expect("it is there");
            self.figures.lost += 1;
            self.life_is_over_for(asked);
        }
    }

    /// The manager shuts down: no more is admitted, what runs may end within the grace.
    pub fn shut_down(&mut self) {
        if self.calm {
            return;
        }
        let every = self.plan.faults.restart_every;
        let next = self.chance.about(every) + 1;
        self.after(next, Of::World, What::ShutDown);
        self.closes();
    }

    pub fn closes(&mut self) {
        if self.life.is_none() || self.life().closing != Closing::No {
            return;
        }
        self.figures.shutdowns += 1;
        self.life().closing = Closing::Draining;
        let grace = self.chance.pick(&[0, 100, 3_000]);
        self.in_life(grace, What::Grace);
        self.step(Event::Close);
        self.coordinator_rests();
    }

    pub fn grace_is_over(&mut self) {
        if self.life().closing == Closing::Draining {
            self.life().closing = Closing::Flushing;
            self.step(Event::Interrupt);
            self.coordinator_rests();
        }
    }

    pub fn close_if_drained(&mut self) {
        let Some(life) = self.life.as_mut() else {
            return;
        };
        match life.closing {
            Closing::No | Closing::Closed => {}
            Closing::Draining => {
                if !life.engine.has_running() {
                    self.grace_is_over();
                }
            }
            Closing::Flushing => {
                if life.engine.is_settled() {
                    life.closing = Closing::Closed;
                    self.job(Job::Close);
                }
            }
        }
    }
}
