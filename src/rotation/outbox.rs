//! Durable first: what waits for a write is performed when the write is durable, and not before.
//! Whatever is written while a batch is under way goes into the next one.

use std::collections::VecDeque;

use crate::rotation::effect::{Fact, RotationEffect};

/// The facts to be written, and the effects that wait for them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Outbox {
    facts: Vec<Fact>,
    last: u64,
    writing: Option<u64>,
    durable: u64,
    gated: VecDeque<RotationEffect>,
    failed: bool,
}

impl Outbox {
    /// Takes effects in, in order; answers those that may be performed at once.
    pub fn take_in(&mut self, effects: Vec<RotationEffect>) -> Vec<RotationEffect> {
        let mut free = Vec::new();
        for effect in effects {
            match (effect.after(), effect) {
                (_, RotationEffect::Write { no, facts }) => {
                    self.last = no;
                    self.facts.extend(facts);
                }
                (Some(after), effect) if after > self.durable => self.gated.push_back(effect),
                (_, effect) => free.push(effect),
            }
        }
        free
    }

    /// The next batch, unless one is under way, nothing waits, or a write has failed.
    pub fn next_batch(&mut self) -> Option<Vec<Fact>> {
        if self.writing.is_some() || self.failed || self.facts.is_empty() {
            return None;
        }
        self.writing = Some(self.last);
        Some(std::mem::take(&mut self.facts))
    }

    /// The batch under way is durable; answers what waited for it.
    pub fn written(&mut self) -> Vec<RotationEffect> {
        if let Some(no) = self.writing.take() {
            self.durable = no;
        }
        let waits = |effect: &RotationEffect| effect.after().is_some_and(|a| a > self.durable);
        let free = self
            .gated
            .iter()
            .take_while(|effect| !waits(effect))
            .count();
        self.gated.drain(..free).collect()
    }

    /// The batch under way may or may not be durable: nothing is written any more. Answers what
    /// waited for it or for a later one, which is not to be performed.
    pub fn fail(&mut self) -> Vec<RotationEffect> {
        self.writing = None;
        self.facts.clear();
        self.failed = true;
        self.gated.drain(..).collect()
    }

    /// Whether everything that can be written is durable.
    pub fn is_settled(&self) -> bool {
        self.failed || (self.writing.is_none() && self.facts.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::name::KeyName;
    use crate::rotation::effect::Reply;
    use crate::rotation::event::Declaration;
    use crate::rotation::id::RotationId;
    use crate::rotation::plan::Declared;

    fn write(no: u64) -> RotationEffect {
        let facts = vec![Fact::NextSequence(no)];
        RotationEffect::Write { no, facts }
    }

    fn reply(after: u64) -> RotationEffect {
        let reply = Ok(Reply::Done);
        RotationEffect::Reply {
            after,
            ask: after,
            reply,
        }
    }

    #[test]
    fn what_waits_for_a_write_is_performed_when_it_is_durable() {
        let mut outbox = Outbox::default();
        assert_eq!(
            outbox.take_in(vec![write(1), reply(1), reply(0)]),
            [reply(0)]
        );
        assert!(outbox.next_batch().is_some());
        assert_eq!(outbox.written(), [reply(1)]);
        assert!(outbox.is_settled());
    }

    #[test]
    fn writes_that_come_during_a_batch_go_together_into_the_next() {
        let mut outbox = Outbox::default();
        outbox.take_in(vec![write(1), reply(1)]);
        assert!(outbox.next_batch().is_some());
        outbox.take_in(vec![write(2), reply(2)]);
        outbox.take_in(vec![write(3), reply(3)]);
        assert!(outbox.next_batch().is_none());
        assert_eq!(outbox.written(), [reply(1)]);
        assert_eq!(outbox.next_batch().map(|facts| facts.len()), Some(2));
        assert_eq!(outbox.written(), [reply(2), reply(3)]);
    }

    #[test]
    fn the_history_is_searched_when_what_may_have_gone_there_is_durable() {
        let id = RotationId::new(uuid::Uuid::nil());
        let declaration = Declaration {
            id,
            chosen: true,
            key: KeyName::new("k").unwrap(),
            declared: Declared::default(),
            old_keys: None,
            new_keys: None,
        };
        let search = RotationEffect::Search {
            after: 1,
            ask: 2,
            declaration,
        };
        let mut outbox = Outbox::default();
        assert!(outbox.take_in(vec![write(1), search.clone()]).is_empty());
        assert!(outbox.next_batch().is_some());
        assert_eq!(outbox.written(), [search]);
    }

    #[test]
    fn after_a_failed_write_nothing_that_waits_for_it_is_performed() {
        let mut outbox = Outbox::default();
        outbox.take_in(vec![write(1), reply(1)]);
        assert!(outbox.next_batch().is_some());
        assert_eq!(outbox.fail(), [reply(1)]);
        assert!(outbox.take_in(vec![write(2), reply(2)]).is_empty());
        assert!(outbox.next_batch().is_none());
    }
}
