//! Requests that wait too long, or whose askers are gone, and the fetch that no request waits for any more.

use std::collections::VecDeque;

use crate::key::effect::KeyEffect;
use crate::key::error::KeyError;
use crate::key::machine::KeyMachine;
use crate::key::time::Time;
use crate::key::waiting::{For, Waiter};

impl KeyMachine {
    pub(crate) fn waits_for_fetch(&self, waiter: &Waiter) -> bool {
        self.fetching
            .is_some_and(|fetch| waiter.waits == For::Fetch(fetch))
    }

    /// Gives the fetch up that is under way, if a request that waited for it is gone and no other does.
    pub(crate) fn give_up_fetch(&self, is_gone: bool, effects: &mut VecDeque<KeyEffect>) {
        let others = |fetch| self.waiting.any(For::Fetch(fetch));
        if is_gone && self.fetching.is_some_and(|fetch| !others(fetch)) {
            effects.push_back(KeyEffect::GiveUpFetch);
        }
    }

    pub(crate) fn tick(&mut self, now: Time, effects: &mut VecDeque<KeyEffect>) {
        let mut is_gone = false;
        for waiter in self.waiting.take_late(now) {
            is_gone |= self.waits_for_fetch(&waiter);
            let late = KeyError::TimedOut {
                key: self.name().clone(),
                limit: self.behaviour().request_time_limit,
            };
            effects.push_back(KeyEffect::Answer {
                ticket: waiter.ask.ticket,
                answer: self.without(&waiter, late),
            });
        }
        self.give_up_fetch(is_gone, effects);
    }
}
