//! What looks at a key and changes nothing: gets of all its candidates, and of what its store answers, also for a
//! declaration; and what the back path owes.

use keyward::key::event::{Admitted, Event, FetchedKeys, Request};
use keyward::key::flow::SecretKeyFlow;
use keyward::key::machine::KeyMachine;
use keyward::rotation::event::{Declaration, DeclaredVersion, OldKeys};
use keyward::rotation::id::RotationId;
use keyward::rotation::plan::Declared;
use keyward::secret::value::{SecretKeyPair, SecretKeyValue};

use crate::simulation::asks::Kind;
use crate::simulation::keys::KeyAsk;
use crate::simulation::plan::{key_name, key_number, pair_of, prints_of, version_of};
use crate::simulation::world::{Made, World};

/// Whether this changes nothing.
pub fn is_look(event: &Event) -> bool {
    matches!(
        event,
        Event::Asked(Admitted {
            request: Request::Candidates | Request::AskStore,
            ..
        })
    )
}

/// Whether this may change what the back path owes, without a get.
pub fn changes(event: &Event) -> bool {
    matches!(event, Event::Adopt { .. } | Event::Supersede(_))
}

/// The last flow, and what is held.
pub fn what_is_there(machine: &KeyMachine) -> (Option<SecretKeyFlow>, Option<SecretKeyPair>) {
    let held = machine.held().map(|held| held.pair.clone());
    (machine.facts().last_flow, held)
}

impl World {
    /// A program looks at a key.
    pub fn looks_at_a_key(&mut self) {
        if !self.looks || self.life.is_none() || !self.looking.percent(40) {
            return;
        }
        let key = self.looking.index(self.plan.keys.len());
        let request = match self.looking.percent(70) {
            true => Request::Candidates,
            false => Request::AskStore,
        };
        self.ask_key(key, request, KeyAsk::program());
    }

    /// Once the forward path has answered a pair that is kept, the back path answers that pair until a rotation
    /// changes the state.
    pub fn check_owed(&mut self, key: usize, (flow, version): (SecretKeyFlow, u64), changes: u64) {
        let is_kept = self.plan.keys[key].keep_in_cache;
        let shell = self.life().keys[key].as_mut().expect("a defined key");
        match flow {
            // What was fetched before a change is superseded as what was held then.
            SecretKeyFlow::ForwardPath if is_kept => {
                shell.owed = (shell.changes == changes).then_some(version);
            }
            SecretKeyFlow::BackPath => {
                if let Some(owed) = shell.owed {
                    assert_eq!(version, owed, "key {} owed another pair", key_name(key));
                    self.figures.owed += 1;
                }
            }
            _ => {}
        }
    }

    /// What the back path owes is among the candidates, and each of them was a key once.
    pub fn check_candidates(&mut self, key: usize, values: &[SecretKeyValue]) {
        self.figures.candidates += 1;
        let newest = self.versions[key] + self.made.len() as u64;
        for value in values {
            assert!(
                version_of(value.expose()) <= newest,
                "a candidate that no store gave"
            );
        }
        let shell = self.life().keys[key].as_ref().expect("a defined key");
        if let Some(owed) = shell.owed {
            assert!(
                values
                    .iter()
                    .any(|value| version_of(value.expose()) == owed),
                "what the back path of key {} owes is no candidate",
                key_name(key)
            );
        }
    }

    /// A change is declared whose old keys are those that the key's store answers; its new ones may be in a store too.
    pub fn declares_from_stores(&mut self, id: RotationId, key: usize, new: Option<u64>) {
        let asks_for_new = self.looking.percent(50);
        let given = new.filter(|_| !asks_for_new);
        let pair = given.map(|version| pair_of(&self.plan.keys[key], version));
        let made = Made {
            declaration: Declaration {
                id,
                chosen: false,
                key: key_name(key),
                declared: Declared {
                    old: None,
                    new: given.map(prints_of),
                },
                old: OldKeys::OfStore,
                version: DeclaredVersion::default(),
                new_unasked: new.is_some() && asks_for_new,
                old_keys: None,
                new_keys: given.map(|_| self.looking.uuid()),
                by: Default::default(),
            },
            secrets: (None, pair),
            new_from: new.filter(|_| asks_for_new),
        };
        self.made.push(made.clone());
        self.ask(Kind::Declare(Box::new(made)));
    }

    /// The coordinator would accept it, and says which stores are to be asked first.
    pub fn asks_stores(&mut self, made: &Made, old: bool) {
        let key = key_number(&made.declaration.key);
        if old {
            let ask = KeyAsk::declares(Box::new(made.clone()));
            self.ask_key(key, Request::AskStore, ask);
        } else {
            self.declares_with(made.clone(), None);
        }
    }

    /// The store answered no older keys than it had when it was asked.
    pub fn store_answered(
        &mut self,
        key: usize,
        asked_at: u64,
        fetched: &FetchedKeys,
        declares: Option<Box<Made>>,
    ) {
        self.figures.of_store += 1;
        let pair = fetched.keys.to_pair();
        let version = version_of(pair.back().expose());
        assert!(
            version >= asked_at,
            "the store of key {} answered late",
            key_name(key)
        );
        if let Some(made) = declares {
            self.declares_with(*made, Some(pair));
        }
    }

    fn declares_with(&mut self, mut made: Made, old: Option<SecretKeyPair>) {
        let declaration = &mut made.declaration;
        let behaviour = &self.plan.keys[key_number(&declaration.key)];
        if let Some(new) = made.new_from.take() {
            declaration.declared.new = Some(prints_of(new));
            declaration.new_keys = Some(self.looking.uuid());
            made.secrets.1 = Some(pair_of(behaviour, new));
        }
        declaration.new_unasked = false;
        if let Some(old) = old {
            declaration.declared.old = Some(prints_of(version_of(old.back().expose())));
            declaration.old = OldKeys::Asked;
            declaration.old_keys = Some(self.looking.uuid());
            made.secrets.0 = Some(old);
        }
        let id = made.declaration.id;
        let earlier = self
            .made
            .iter_mut()
            .find(|other| other.declaration.id == id);
        *earlier.expect("it was declared") = made.clone();
        self.figures.from_stores += 1;
        self.ask(Kind::Declare(Box::new(made)));
    }
}
