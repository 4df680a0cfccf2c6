//! What is defined, here, registered and accepted, as the machine says it; each word must be true.

use std::collections::BTreeSet;

use keyward::journal::secrets::RotationSecrets;
use keyward::key::event::Ticket;
use keyward::key::machine::KeyMachine;
use keyward::key::name::{CallbackName, KeyName, WorkerName};
use keyward::rotation::event::Declaration;
use keyward::rotation::id::RotationId;

use crate::simulation::keys::Shell;
use crate::simulation::plan::{key_number, worker_number};
use crate::simulation::world::World;

/// The actor of a worker: which incarnation it serves, and the callbacks that it has.
pub struct WorkerActor {
    incarnation: u64,
    callbacks: BTreeSet<(KeyName, CallbackName)>,
}

impl World {
    /// The keys that came with a declaration.
    pub fn offer(&mut self, ticket: Ticket, declaration: &Declaration) {
        let made = self.made.iter().find(|made| {
            // The same id comes with the same keys; old keys that were found are not among them.
            made.declaration.new_keys == declaration.new_keys
                && made.declaration.id == declaration.id
        });
        let secrets = made.expect("a declaration").secrets.clone();
        self.life().offered.insert(ticket, secrets);
    }

    /// The keys that came with a declaration are those of its rotation.
    pub fn takes_offer(&mut self, ticket: Ticket, id: RotationId, key: &KeyName) {
        let life = self.life();
        assert_eq!(life.engine.machine().key_of(id).as_ref(), Some(key));
        let (old, new) = life
            .offered
            .remove(&ticket)
            .expect("the keys of a declaration");
        let secrets = RotationSecrets {
            old,
            new,
            snapshot: None,
        };
        life.secrets.insert(id, secrets);
    }

    pub fn defined(&mut self, key: &KeyName) {
        let number = key_number(key);
        let machine = KeyMachine::new(key.clone(), self.plan.keys[number].clone());
        let shell = self.life().keys[number].replace(Shell::new(machine));
        assert!(shell.is_none(), "key {key} is defined twice");
    }

    pub fn actor_starts(&mut self, worker: &WorkerName, incarnation: u64) {
        let actor = WorkerActor {
            incarnation,
            callbacks: BTreeSet::new(),
        };
        let earlier = self.life().actors.insert(worker_number(worker), actor);
        let earlier = earlier.map_or(0, |earlier| earlier.incarnation);
        assert!(earlier < incarnation, "{worker} joined twice as one");
    }

    pub fn actor_has(&mut self, worker: &WorkerName, key: &KeyName, callback: &CallbackName) {
        let named = (key.clone(), callback.clone());
        let actor = self.life().actors.get_mut(&worker_number(worker));
        actor.expect("an actor").callbacks.insert(named);
    }

    pub fn actor_forgets(&mut self, worker: &WorkerName, key: &KeyName, callback: &CallbackName) {
        let named = (key.clone(), callback.clone());
        if let Some(actor) = self.life().actors.get_mut(&worker_number(worker)) {
            actor.callbacks.remove(&named);
        }
    }

    pub fn actor_ends(&mut self, worker: &WorkerName) {
        let actor = self.life().actors.remove(&worker_number(worker));
        let roster = self.life().engine.machine().roster();
        let lives = roster.get(worker).and_then(|entry| entry.incarnation());
        let ended = actor.map(|actor| actor.incarnation);
        assert!(
            lives.is_none() || lives > ended,
            "{worker} left and is here"
        );
    }

    /// What is prepared is a callback that its worker's actor has.
    pub fn check_actor(
        &mut self,
        (worker, incarnation): (&WorkerName, u64),
        key: &KeyName,
        callback: &CallbackName,
    ) {
        let actor = self.life().actors.get(&worker_number(worker));
        let actor = actor.unwrap_or_else(|| panic!("{worker} has no actor"));
        let named = (key.clone(), callback.clone());
        assert_eq!(actor.incarnation, incarnation, "another life of {worker}");
        assert!(
            actor.callbacks.contains(&named),
            "callback {callback} of {worker} is prepared, and its actor does not have it"
        );
    }
}
