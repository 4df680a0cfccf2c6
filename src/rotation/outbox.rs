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
    halted: bool,
}

impl Outbox {
    /// Takes effects in, in order; answers those that may be performed at once.
    pub fn take_in(&mut self, effects: Vec<RotationEffect>) -> Vec<RotationEffect> {
        let mut free = Vec::new();
        for effect in effects {
            match (effect.after(), effect) {
                (_, RotationEffect::Write { no, facts }) => {
                    self.last = no;
                    if !self.halted {
                        self.facts.extend(facts);
                    }
                }
                (Some(after), effect) if after > self.durable => self.gated.push_back(effect),
                (_, effect) => free.push(effect),
            }
        }
        free
    }

    /// The next batch, unless one is under way, nothing waits, or all is halted.
    pub fn next_batch(&mut self) -> Option<Vec<Fact>> {
        if self.writing.is_some() || self.halted || self.facts.is_empty() {
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

    /// Whether everything up to this write is durable.
    pub fn is_durable(&self, no: u64) -> bool {
        no <= self.durable
    }

    /// Whether a batch is under way.
    pub fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// The batch that was handed out last was lost on its way: it was not made.
    pub fn lose_batch(&mut self) {
        self.writing = None;
    }

    /// What waits for a write.
    pub fn gated(&self) -> impl Iterator<Item = &RotationEffect> {
        self.gated.iter()
    }

    /// Nothing is written any more until [`reset`](Self::reset): what has not been handed out as a
    /// batch never will be. Answers what waited for that.
    pub fn halt(&mut self) -> Vec<RotationEffect> {
        self.halted = true;
        self.facts.clear();
        let under_way = self.writing.unwrap_or(self.durable);
        let beyond = |effect: &RotationEffect| effect.after().is_some_and(|a| a > under_way);
        let kept = self.gated.iter().take_while(|e| !beyond(e)).count();
        self.gated.split_off(kept).into()
    }

    /// The batch under way may or may not have been made: answers what waited for it.
    pub fn doubt(&mut self) -> Vec<RotationEffect> {
        self.writing = None;
        self.gated.drain(..).collect()
    }

    /// What is known is what is durable: writing begins anew.
    pub fn reset(&mut self) {
        self.halted = false;
        self.durable = self.last;
    }

    /// Whether everything that can be written is durable.
    pub fn is_settled(&self) -> bool {
        self.writing.is_none() && (self.halted || self.facts.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::name::KeyName;
    use crate::rotation::act::By;
    use crate::rotation::effect::Reply;
    use crate::rotation::event::{Declaration, DeclaredVersion, OldKeys};
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
            ticket: after,
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
            old: OldKeys::Given,
            new_unasked: false,
            old_keys: None,
            new_keys: None,
            by: By::default(),
            version: DeclaredVersion::default(),
        };
        let search = RotationEffect::Search {
            after: 1,
            ticket: 2,
            declaration,
        };
        let mut outbox = Outbox::default();
        assert!(outbox.take_in(vec![write(1), search.clone()]).is_empty());
        assert!(outbox.next_batch().is_some());
        assert_eq!(outbox.written(), [search]);
    }

    #[test]
    fn after_a_halt_only_the_batch_under_way_still_counts() {
        let mut outbox = Outbox::default();
        outbox.take_in(vec![write(1), reply(1)]);
        assert!(outbox.next_batch().is_some());
        outbox.take_in(vec![write(2), reply(2)]);
        assert_eq!(outbox.halt(), [reply(2)]);
        assert!(outbox.is_writing() && !outbox.is_settled());
        assert_eq!(outbox.doubt(), [reply(1)]);
        assert!(outbox.take_in(vec![write(3), reply(3)]).is_empty());
        assert!(outbox.next_batch().is_none());
    }

    #[test]
    fn after_a_reset_nothing_waits_for_a_write_that_was_never_made() {
        let mut outbox = Outbox::default();
        outbox.take_in(vec![write(1), reply(1)]);
        assert_eq!(outbox.halt(), [reply(1)]);
        outbox.reset();
        assert_eq!(outbox.take_in(vec![reply(1)]), [reply(1)]);
        outbox.take_in(vec![write(2), reply(2)]);
        assert_eq!(outbox.next_batch().map(|facts| facts.len()), Some(1));
        assert_eq!(outbox.written(), [reply(2)]);
    }
}
