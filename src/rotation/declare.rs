//! Declaring a change: a known id answers its rotation, a new one is accepted with its plan, once its
//! old keys are found that it did not give and the stores are asked that it named.

use crate::key::declared::{Declared, HalfPrints};
use crate::key::definition::KeyBehaviour;
use crate::key::event::Ticket;
use crate::key::journal_down::JournalDown;
use crate::key::name::KeyName;
use crate::key::versions::fact::VersionFact;
use crate::key::versions::table::{MAX_READABLE, NewVersion, NoNewVersion};
use crate::key::versions::version::Prints;
use crate::rotation::act::{Acts, Deed};
use crate::rotation::effect::{Fact, Reply, RotationEffect};
use crate::rotation::error::RotationError;
use crate::rotation::event::{Declaration, DeclaredVersion, EndedRotation, Moment, OldKeys};
use crate::rotation::id::RotationId;
use crate::rotation::machine::RotationMachine;
use crate::rotation::plan::{BetweenVersions, Header, Step};
use crate::rotation::rotations::Live;
use crate::rotation::state::RotationState;
use crate::rotation::versions_error::VersionsError;

impl RotationMachine {
    pub(crate) fn declare(&mut self, ticket: Ticket, declaration: Declaration, now: Moment) {
        if self.admits(ticket) && !self.answer_known(ticket, &declaration) {
            self.search_or_go_on(ticket, declaration, now);
        }
    }

    fn search_or_go_on(&mut self, ticket: Ticket, declaration: Declaration, now: Moment) {
        if declaration.chosen {
            self.search(ticket, declaration);
        } else {
            self.go_on_with(ticket, declaration, now);
        }
    }

    fn search(&mut self, ticket: Ticket, declaration: Declaration) {
        self.searching.insert(ticket, declaration.id);
        let after = self.this_write();
        self.effects.push(RotationEffect::Search {
            after,
            ticket,
            declaration,
        });
    }

    pub(crate) fn searched(
        &mut self,
        ticket: Ticket,
        declaration: Declaration,
        found: Result<Option<EndedRotation>, JournalDown>,
        now: Moment,
    ) {
        let nobody_has_it = self.searching.remove(&ticket).is_some();
        if !self.admits(ticket) || self.answer_known(ticket, &declaration) {
            return;
        }
        match found {
            Err(why) => self.reply(ticket, Err(RotationError::of_journal(None, why))),
            Ok(Some(ended)) => self.answer_same(ticket, &declaration, &ended.key, &ended.declared),
            Ok(None) if nobody_has_it => self.go_on_with(ticket, declaration, now),
            // A rotation of this id has ended since, or the journal was read anew.
            Ok(None) => self.search(ticket, declaration),
        }
    }

    /// Answers a declaration if a living or unreadable rotation has its id; false if none has.
    fn answer_known(&mut self, ticket: Ticket, declaration: &Declaration) -> bool {
        let id = declaration.id;
        if let Some(why) = self.unreadable_why(id) {
            self.reply(ticket, Err(RotationError::Unreadable { id, why }));
            return true;
        }
        let Some(live) = self.rotations.get(id) else {
            return false;
        };
        let (key, declared) = (live.header.key.clone(), live.header.declared);
        self.answer_same(ticket, declaration, &key, &declared);
        true
    }

    fn answer_same(
        &mut self,
        ticket: Ticket,
        declaration: &Declaration,
        key: &KeyName,
        declared: &Declared,
    ) {
        let id = declaration.id;
        // What no store was asked for yet is compared only by being there.
        let (old, new) = (declaration.old == OldKeys::OfStore, declaration.new_unasked);
        let is_same = |unasked, of: Option<HalfPrints>, known: Option<HalfPrints>| {
            if unasked {
                known.is_some()
            } else {
                of == known
            }
        };
        let same = *key == declaration.key
            && is_same(old, declaration.declared.old, declared.old)
            && is_same(new, declaration.declared.new, declared.new);
        let other = RotationError::OtherDeclaration { id };
        self.reply(
            ticket,
            if same {
                Ok(Reply::Accepted { id })
            } else {
                Err(other)
            },
        );
    }

    /// Goes on with a declaration under an id that no rotation has: what it lacks is asked for.
    fn go_on_with(&mut self, ticket: Ticket, declaration: Declaration, now: Moment) {
        let from = match self.may_accept(&declaration.key) {
            Ok(_) => self.old_keys_of(&declaration),
            Err(error) => Err(error),
        };
        let of = match from {
            Err(error) => return self.reply(ticket, Err(error)),
            Ok(OldFrom::Store) => return self.reply(ticket, Ok(Reply::AskStores { old: true })),
            Ok(_) if declaration.new_unasked || self.asks_for_switch(&declaration) => {
                return self.reply(ticket, Ok(Reply::AskStores { old: false }));
            }
            Ok(OldFrom::Declaration) => return self.accept(ticket, declaration, now),
            Ok(OldFrom::Rotation(id)) => Some(id),
            Ok(OldFrom::Held) => None,
        };
        let sought = (declaration.key.clone(), declaration.id);
        self.finding.insert(ticket, sought);
        let after = self.this_write();
        self.effects.push(RotationEffect::FindOld {
            after,
            ticket,
            declaration,
            of,
        });
    }

    /// Whether it has to be asked first if the key's store can be written.
    fn asks_for_switch(&self, declaration: &Declaration) -> bool {
        let queue = self.rotations.queue(&declaration.key);
        let defined = queue.and_then(|queue| queue.defined.as_ref());
        let versions = defined.is_some_and(|(behaviour, _)| behaviour.versions.is_some());
        versions && declaration.declared.new.is_some() && declaration.version.switch.is_none()
    }

    fn may_accept(&self, key: &KeyName) -> Result<KeyBehaviour, RotationError> {
        let key = key.clone();
        let queue = self.rotations.queue(&key);
        let defined = queue.and_then(|queue| Some((queue, queue.defined.as_ref()?)));
        let Some((queue, (behaviour, _))) = defined else {
            return Err(RotationError::KeyNotDefined { key });
        };
        let bound = behaviour.max_waiting_rotations;
        if queue.waiting.len() >= bound {
            return Err(RotationError::TooManyWaiting { key, bound });
        }
        Ok(behaviour.clone())
    }

    /// Where the old keys are that a declaration has if it is accepted now.
    fn old_keys_of(&self, declaration: &Declaration) -> Result<OldFrom, RotationError> {
        let queue = self.rotations.queue(&declaration.key);
        let defined = queue.and_then(|queue| queue.defined.as_ref());
        if defined.is_some_and(|(behaviour, _)| behaviour.versions.is_some()) {
            // They are the version that is current when it begins to run.
            return Ok(OldFrom::Declaration);
        }
        let of_key = self.rotations.of_key(&declaration.key).into_iter();
        let headers = of_key.filter_map(|id| Some(&self.rotations.get(id)?.header));
        match declaration.old {
            OldKeys::Given => Ok(OldFrom::Declaration),
            OldKeys::Undeclared => Ok(match headers.max_by_key(|header| header.seq) {
                Some(last) if last.state.goes_on() && last.new_keys.is_some() => {
                    OldFrom::Rotation(last.id)
                }
                Some(_) | None => OldFrom::Held,
            }),
            OldKeys::OfStore | OldKeys::Asked => {
                let unfinished = headers.filter(|header| header.state.goes_on());
                match unfinished.max_by_key(|header| header.seq) {
                    Some(last) if last.new_keys.is_some() => Ok(OldFrom::Rotation(last.id)),
                    Some(last) => Err(RotationError::RotationUnfinished {
                        key: last.key.clone(),
                        id: last.id,
                    }),
                    None if declaration.old == OldKeys::Asked => Ok(OldFrom::Declaration),
                    None => Ok(OldFrom::Store),
                }
            }
        }
    }

    /// What was found of old keys that is under way for declarations of this key or under this id
    /// will not be true any more.
    pub(crate) fn old_keys_change(&mut self, key: &KeyName, id: RotationId) {
        let other = |of: &KeyName, sought: RotationId| of != key && sought != id;
        self.finding.retain(|_, (of, sought)| other(of, *sought));
    }

    pub(crate) fn old_found(
        &mut self,
        ticket: Ticket,
        mut declaration: Declaration,
        found: Result<Option<HalfPrints>, RotationError>,
        now: Moment,
    ) {
        let is_true = self.finding.remove(&ticket).is_some();
        if !self.admits(ticket) || self.answer_known(ticket, &declaration) {
            return;
        }
        match found {
            Ok(_) if !is_true => {
                // What a store had answered was given up for what was found: it is asked again.
                if declaration.old == OldKeys::Asked {
                    declaration.old = OldKeys::OfStore;
                }
                self.search_or_go_on(ticket, declaration, now);
            }
            Err(error) => self.reply(ticket, Err(error)),
            Ok(old) => {
                if declaration.old != OldKeys::Undeclared {
                    declaration.declared.old = old;
                }
                self.accept(ticket, declaration, now);
            }
        }
    }

    /// Accepts a declaration that has its keys.
    fn accept(&mut self, ticket: Ticket, declaration: Declaration, now: Moment) {
        let key = declaration.key.clone();
        let behaviour = match self.may_accept(&key) {
            Ok(behaviour) => behaviour,
            Err(error) => return self.reply(ticket, Err(error)),
        };
        let versions = match behaviour.versions.is_some() {
            true => match self.pending_version(&declaration, &behaviour, now) {
                Ok(facts) => Some(facts),
                Err(error) => return self.reply(ticket, Err(error)),
            },
            false => None,
        };
        let Declared { old, new } = declaration.declared;
        if old.is_some() && old == new && versions.is_none() {
            return self.reply(ticket, Err(RotationError::SameKeys { key }));
        }
        self.old_keys_change(&key, declaration.id);
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
            acts: Acts::new([declaration.by.did(Deed::Declared, None, now.wall_ms)]),
            versions: versions
                .as_ref()
                .map(|_| BetweenVersions::to(declaration.version.id)),
        };
        let plan = self.roster.plan(&key);
        let mut steps: Vec<Step> = (0..)
            .zip(plan)
            .map(|(no, (worker, callback, of))| Step::new(no, worker, callback).of(of))
            .collect();
        if versions.is_some() && declaration.version.switch == Some(true) {
            let no = steps.last().map_or(0, |last| last.no + 1);
            steps.push(Step::switch(no));
        }
        self.facts.push(Fact::Rotation(header.clone()));
        self.facts.push(Fact::Keys(id));
        for step in &steps {
            self.facts.push(Fact::Step(id, key.clone(), step.clone()));
        }
        self.rotations.queue_mut(&key).waiting.insert(seq, id);
        self.rotations.add(Live::new(header, steps));
        let of = key.clone();
        self.effects.push(RotationEffect::Accepted {
            ticket,
            id,
            key: of,
        });
        // The key is told after it has the value, which comes with what is accepted.
        self.change_versions(&key, versions.unwrap_or_default());
        self.reply(ticket, Ok(Reply::Accepted { id }));
        self.advance_key(&key, now);
    }

    /// The facts by which the new keys of a declaration become a pending version.
    fn pending_version(
        &self,
        declaration: &Declaration,
        behaviour: &KeyBehaviour,
        now: Moment,
    ) -> Result<Vec<VersionFact>, RotationError> {
        let key = declaration.key.clone();
        let Some(new) = declaration.declared.new else {
            return Err(VersionsError::NeedsNewKeys { key }.into());
        };
        let table = match self.versions.get(&key) {
            Some(Ok(table)) => table,
            Some(Err(why)) => {
                let why = why.clone();
                return Err(VersionsError::Unreadable { key, why }.into());
            }
            None => return Err(RotationError::KeyNotDefined { key }),
        };
        let DeclaredVersion { id, again, .. } = declaration.version;
        let prints = Prints::of(new);
        let bound = behaviour
            .versions
            .as_ref()
            .map_or(MAX_READABLE, |of| of.max_readable);
        let accepted = table.accept(
            NewVersion { id, prints },
            (declaration.id.as_uuid(), again),
            (bound, &self.named(&key)),
            now.wall_ms,
        );
        accepted.map_err(|why| match why {
            NoNewVersion::Known { number, id } => VersionsError::Known { key, id, number }.into(),
            NoNewVersion::TooMany { bound, kept } => {
                VersionsError::TooMany { key, bound, kept }.into()
            }
        })
    }
}

/// Where the old keys of a declaration are.
enum OldFrom {
    /// It has them, or has none.
    Declaration,
    /// They are the new keys of this rotation.
    Rotation(RotationId),
    /// They are what the key holds.
    Held,
    /// The key's store is to be asked.
    Store,
}
