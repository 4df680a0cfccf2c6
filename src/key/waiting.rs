//! Which askers wait, for what, and which of them share a fetch.

use std::collections::VecDeque;

use crate::key::event::{Admitted, FetchAnswer, Request, Ticket};
use crate::key::state::Loaded;
use crate::key::time::Time;

/// What an asker waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// The next fetch to begin.
    NextFetch,
    /// The fetch of this number, which began after the asker had arrived.
    Fetch(u64),
    /// A load of its own.
    Load,
    /// The write of its save.
    Write,
    /// The end of every write that is under way: what it has loaded is older than they are.
    Writes,
    /// The versions of the key.
    Versions,
    /// A version to owe the asker's worker.
    Debt,
    /// The end of the proposal that is out.
    Proposal,
}

/// An asker that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    /// What was asked.
    pub ask: Admitted,
    /// What its load found.
    pub loaded: Option<Loaded>,
    /// What the fetch that it waited for answered, if it still had to wait for something after it.
    pub fetched: Option<FetchAnswer>,
    /// What it waits for.
    pub waits: For,
}

/// The askers that wait, in the order of their arrival.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    queue: VecDeque<Waiter>,
}

impl Waiting {
    /// Adds one, at its place by arrival: tickets rise.
    pub fn add(&mut self, waiter: Waiter) {
        let at = self
            .queue
            .partition_point(|other| other.ask.ticket < waiter.ask.ticket);
        self.queue.insert(at, waiter);
    }

    /// Takes the one with this ticket out.
    pub fn take(&mut self, ticket: Ticket) -> Option<Waiter> {
        let by_ticket = |waiter: &Waiter| waiter.ask.ticket;
        let at = self.queue.binary_search_by_key(&ticket, by_ticket).ok()?;
        self.queue.remove(at)
    }

    /// Whether one waits for this.
    pub fn any(&self, waits: For) -> bool {
        self.queue.iter().any(|w| w.waits == waits)
    }

    /// Takes all out that wait for this, in the order of arrival.
    pub fn take_all(&mut self, waits: For) -> Vec<Waiter> {
        self.split(|w| w.waits == waits)
    }

    /// Takes all out that should have been answered by now.
    pub fn take_late(&mut self, now: Time) -> Vec<Waiter> {
        self.split(|w| w.ask.deadline <= now)
    }

    fn split(&mut self, out: impl Fn(&Waiter) -> bool) -> Vec<Waiter> {
        if !self.queue.iter().any(&out) {
            return Vec::new();
        }
        let (taken, kept): (Vec<_>, Vec<_>) = self.queue.drain(..).partition(out);
        self.queue = kept.into();
        taken
    }

    /// Lets all that wait for the next fetch wait for this one; false if there is none.
    pub fn board(&mut self, fetch: u64) -> bool {
        let mut any = false;
        for waiter in &mut self.queue {
            if waiter.waits == For::NextFetch {
                waiter.waits = For::Fetch(fetch);
                any = true;
            }
        }
        any
    }

    /// Gives those that have loaded the record its newer content.
    pub fn reload(&mut self, found: &Loaded) {
        for waiter in &mut self.queue {
            if waiter.loaded.is_some() {
                waiter.loaded = Some(found.clone());
            }
        }
    }

    /// How many wait for the store, apart from callbacks' handles, which have places of their own.
    pub fn for_store(&self) -> usize {
        let fetching = |w: &&Waiter| {
            let handle = matches!(w.ask.request, Request::StageSave { .. });
            !handle && matches!(w.waits, For::NextFetch | For::Fetch(_))
        };
        self.queue.iter().filter(fetching).count()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none waits.
    #[cfg(feature = "testing")]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// When the first of them must be answered.
    pub fn next_deadline(&self) -> Option<Time> {
        self.queue.iter().map(|w| w.ask.deadline).min()
    }
}
