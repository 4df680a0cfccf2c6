//! Declaring a change: a known id answers its rotation, a new one is accepted with its plan.

use crate::key::name::KeyName;
use crate::rotation::effect::{Fact, Reply, RotationEffect};
use crate::rotation::error::RotationError;
use crate::rotation::event::{Ask, Declaration, EndedRotation, Moment};
use crate::rotation::machine::RotationMachine;
use crate::rotation::plan::{Declared, Header, Step};
use crate::rotation::rotations::Live;
use crate::rotation::state::RotationState;

impl RotationMachine {
    pub(crate) fn declare(&mut self, ask: Ask, declaration: Declaration, now: Moment) {
        if self.admits(ask) && !self.answer_known(ask, &declaration) {
            if declaration.chosen {
                self.search(ask, declaration);
            } else {
                self.accept(ask, declaration, now);
            }
        }
    }

    fn search(&mut self, ask: Ask, declaration: Declaration) {
        self.searching.insert(ask, declaration.id);
        let after = self.this_write();
        self.effects.push(RotationEffect::Search {
            after,
            ask,
            declaration,
        });
    }

    pub(crate) fn searched(
        &mut self,
        ask: Ask,
        declaration: Declaration,
        found: Result<Option<EndedRotation>, String>,
        now: Moment,
    ) {
        let nobody_has_it = self.searching.remove(&ask).is_some();
        if !self.admits(ask) || self.answer_known(ask, &declaration) {
            return;
        }
        match found {
            Err(why) => self.reply(ask, Err(RotationError::RepoUnavailable { why })),
            Ok(Some(ended)) => self.answer_same(ask, &declaration, &ended.key, &ended.declared),
            Ok(None) if nobody_has_it => self.accept(ask, declaration, now),
            // A rotation of this id has ended since, or the journal was read anew.
            Ok(None) => self.search(ask, declaration),
        }
    }

    /// Answers a declaration whose id a living or unreadable rotation has; false if none has.
    fn answer_known(&mut self, ask: Ask, declaration: &Declaration) -> bool {
        let id = declaration.id;
        if let Some(why) = self.unreadable_why(id) {
            self.reply(ask, Err(RotationError::Unreadable { id, why }));
            return true;
        }
        let Some(live) = self.rotations.get(id) else {
            return false;
        };
        let (key, declared) = (live.header.key.clone(), live.header.declared);
        self.answer_same(ask, declaration, &key, &declared);
        true
    }

    fn answer_same(
        &mut self,
        ask: Ask,
        declaration: &Declaration,
        key: &KeyName,
        declared: &Declared,
    ) {
        let id = declaration.id;
        let same = *key == declaration.key && *declared == declaration.declared;
        let other = RotationError::OtherDeclaration { id };
        self.reply(
            ask,
            if same {
                Ok(Reply::Accepted { id })
            } else {
                Err(other)
            },
        );
    }

    fn accept(&mut self, ask: Ask, declaration: Declaration, now: Moment) {
        let key = declaration.key.clone();
        let queue = self.rotations.queue_mut(&key);
        let Some((behaviour, _)) = queue.defined.clone() else {
            self.reply(ask, Err(RotationError::KeyNotDefined { key }));
            return;
        };
        let bound = behaviour.max_waiting_rotations;
        if queue.waiting.len() >= bound {
            self.reply(ask, Err(RotationError::TooManyWaiting { key, bound }));
            return;
        }
        let id = declaration.id;
        let seq = self.number();
        let header = Header {
            id,
            key: key.clone(),
            seq,
            place: seq,
            use_case: behaviour.use_case,
            strategy: behaviour.error_strategy,
            state: RotationState::Waiting,
            declared: declaration.declared,
            old_keys: declaration.old_keys,
            new_keys: declaration.new_keys,
            begun: false,
            resumes: 0,
            overtaken: false,
            accepted_ms: now.wall_ms,
            ended_ms: None,
        };
        let plan = self.roster.plan(&key);
        let steps: Vec<Step> = (0..)
            .zip(plan)
            .map(|(no, (worker, callback))| Step::new(no, worker, callback))
            .collect();
        self.facts.push(Fact::Rotation(header.clone()));
        self.facts.push(Fact::Keys(id));
        for step in &steps {
            self.facts.push(Fact::Step(id, key.clone(), step.clone()));
        }
        self.rotations.queue_mut(&key).waiting.insert(seq, id);
        self.rotations.add(Live::new(header, steps));
        self.reply(ask, Ok(Reply::Accepted { id }));
        self.advance_key(&key, now);
    }
}
