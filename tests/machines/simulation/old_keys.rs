//! The old keys of a declaration that did not give them: the new keys of the rotation of the key that was
//! declared last, if it waits or runs and has some, else what the key holds, else none.

use keyward::key::declared::HalfPrints;
use keyward::key::event::Ticket;
use keyward::rotation::event::{Declaration, Event};
use keyward::rotation::id::RotationId;
use keyward::rotation::report::RotationReport;
use keyward::secret::value::SecretKeyPair;

use crate::simulation::coordinator::Told;
use crate::simulation::plan::{key_number, prints_of, version_of};
use crate::simulation::world::{What, World};

impl World {
    pub fn find_old(&mut self, ticket: Ticket, declaration: Declaration, of: Option<RotationId>) {
        if let Some(id) = of {
            let secrets = self.life().secrets.get(&id);
            let old = secrets.and_then(|secrets| secrets.new.clone());
            let declaration = Box::new(declaration);
            return self.send(Told::OldFound {
                ticket,
                declaration,
                old,
            });
        }
        let key = key_number(&declaration.key);
        let at = self.now + self.delay();
        let life = self.life();
        life.keys_busy[key] = life.keys_busy[key].max(at);
        let (at, of) = (life.keys_busy[key], life.of());
        self.at(at, of, What::Held(key, ticket, Box::new(declaration)));
    }

    pub fn tells_what_is_held(
        &mut self,
        key: usize,
        ticket: Ticket,
        declaration: Box<Declaration>,
    ) {
        let shell = self.life().keys[key].as_ref();
        let held = shell.and_then(|shell| shell.machine.held());
        let old = held.map(|held| held.pair.clone());
        self.send(Told::OldFound {
            ticket,
            declaration,
            old,
        });
    }

    pub fn old_found(
        &mut self,
        ticket: Ticket,
        mut declaration: Declaration,
        old: Option<SecretKeyPair>,
    ) {
        if !self.life().asks.contains_key(&ticket) {
            return self.step(Event::Gone { ticket });
        }
        let same = |made: &&crate::simulation::world::Made| {
            let of = &made.declaration;
            of.id == declaration.id && of.new_keys == declaration.new_keys
        };
        let made = self.made.iter().find(same).expect("a declaration");
        let new = made.secrets.1.clone();
        let id = declaration.id;
        declaration.old_keys = old.as_ref().map(|_| self.chance.uuid());
        let known = self.life().engine.machine().report(id).is_some();
        let event = Event::OldFound {
            ticket,
            declaration,
            found: Ok(old.as_ref().map(prints)),
        };
        let before = self.life().engine.machine().reports();
        self.life().offered.insert(ticket, (old.clone(), new));
        self.step(event);
        let accepted = self.life().engine.machine().report(id);
        match accepted.filter(|_| !known) {
            Some(report) => self.check_old(&before, &report, old.as_ref()),
            None => self.figures.old_sought_again += 1,
        }
    }

    /// What is accepted with its old keys is accepted with the right ones, whatever has happened since
    /// they were sought.
    fn check_old(
        &mut self,
        before: &[RotationReport],
        accepted: &RotationReport,
        old: Option<&SecretKeyPair>,
    ) {
        let of_key = before.iter().filter(|report| report.key == accepted.key);
        let last = of_key.max_by_key(|report| report.sequence);
        let goes_on = last.filter(|last| last.state.goes_on());
        let secrets = goes_on.and_then(|last| self.life().secrets.get(&last.id).cloned());
        if let Some(expected) = secrets.and_then(|secrets| secrets.new) {
            self.figures.old_of_rotation += 1;
            assert_eq!(
                old,
                Some(&expected),
                "rotation {} has other old keys than the one before leads to",
                accepted.id
            );
            return;
        }
        self.figures.old_held += u64::from(old.is_some());
        let mut of_key = before.iter().filter(|report| report.key == accepted.key);
        if of_key.any(|report| report.state.goes_on()) {
            return;
        }
        // None of the key runs. An effect that it has yet to adopt would make other keys the old ones.
        let key = key_number(&accepted.key);
        let life = self.life();
        let shell = life.keys[key].as_ref().expect("a defined key");
        let proposed = life.proposals.values().any(|proposal| proposal.key == key);
        assert!(
            shell.adopting.is_empty() && !proposed,
            "rotation {} has old keys of before an effect of one that has ended",
            accepted.id
        );
    }
}

pub fn prints(pair: &SecretKeyPair) -> HalfPrints {
    prints_of(version_of(pair.forward().expose()))
}
