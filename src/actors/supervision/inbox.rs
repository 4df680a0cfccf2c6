//! The inbox of a seat: messages wait here and not in an actix mailbox, so that they outlive the
//! actor that they were meant for and the next one reads them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix::{Message, Recipient};

/// Tells an actor that its inbox has something.
pub struct Wake;

impl Message for Wake {
    type Result = ();
}

/// What an inbox takes.
pub trait Letter: Send + 'static {
    /// Whether somebody outside waits for an answer and takes an error as well: it is refused
    /// while the actor has failed. Everything else waits for the actor's restart.
    fn is_request(&self) -> bool;
}

/// Who may post.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    ToAll,
    NotToRequests,
    ToNobody,
}

struct Queue<M> {
    waiting: VecDeque<M>,
    reader: Option<Recipient<Wake>>,
    woken: bool,
    open: Open,
}

/// Messages in the order of their arrival.
pub struct Inbox<M> {
    queue: Mutex<Queue<M>>,
}

impl<M: Letter> Inbox<M> {
    /// An empty inbox that nobody reads yet.
    pub fn new() -> Self {
        Self {
            queue: Mutex::new(Queue {
                waiting: VecDeque::new(),
                reader: None,
                woken: false,
                open: Open::ToAll,
            }),
        }
    }

    /// Posts a message; answers it where it is refused.
    pub fn offer(&self, message: M) -> Option<M> {
        let mut queue = self.lock();
        let refused = match queue.open {
            Open::ToAll => false,
            Open::NotToRequests => message.is_request(),
            Open::ToNobody => true,
        };
        if refused {
            return Some(message);
        }
        queue.waiting.push_back(message);
        queue.wake();
        None
    }

    /// An actor reads from now on; it is woken at once.
    pub fn attach(&self, reader: Recipient<Wake>) {
        let mut queue = self.lock();
        queue.reader = Some(reader);
        queue.woken = false;
        queue.wake();
    }

    /// The next message. Without one, the reader is woken by the next that comes.
    pub fn take(&self) -> Option<M> {
        let mut queue = self.lock();
        let message = queue.waiting.pop_front();
        if message.is_none() {
            queue.woken = false;
            if queue.waiting.capacity() > KEPT_CAPACITY {
                queue.waiting = VecDeque::new();
            }
        }
        message
    }

    /// Refuses requests, those that wait too.
    pub fn refuse_requests(&self) {
        let mut queue = self.lock();
        queue.open = Open::NotToRequests;
        let waiting = std::mem::take(&mut queue.waiting);
        let (refused, kept): (VecDeque<M>, VecDeque<M>) =
            waiting.into_iter().partition(Letter::is_request);
        queue.waiting = kept;
        drop(queue);
        drop(refused);
    }

    /// Takes requests again.
    pub fn admit_requests(&self) {
        let mut queue = self.lock();
        if queue.open == Open::NotToRequests {
            queue.open = Open::ToAll;
        }
    }

    /// Takes nothing more; answers what waits.
    pub fn close(&self) -> Vec<M> {
        let mut queue = self.lock();
        queue.open = Open::ToNobody;
        queue.reader = None;
        queue.waiting.drain(..).collect()
    }

    /// Wakes the reader though there is nothing.
    #[cfg(feature = "testing")]
    pub fn rouse(&self) {
        if let Some(reader) = &self.lock().reader {
            reader.do_send(Wake);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<M>> {
        // Nothing foreign runs under this lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An inbox that was flooded gives the room back that is beyond this.
const KEPT_CAPACITY: usize = 64;

impl<M> Queue<M> {
    fn wake(&mut self) {
        if self.woken || self.waiting.is_empty() {
            return;
        }
        if let Some(reader) = &self.reader {
            self.woken = true;
            reader.do_send(Wake);
        }
    }
}
