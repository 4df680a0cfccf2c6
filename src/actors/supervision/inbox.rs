//! The inbox of a slot: messages wait here and not in an actix mailbox, so that they outlive the
//! actor that they were meant for and the next one reads them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::guard::fork;

/// What an inbox takes.
pub trait Message: Send + Unpin + 'static {
    /// Whether its sender waits for an answer and takes an error as well: it is refused while the
    /// actor has failed. Every other message waits for the actor's restart.
    fn is_request(&self) -> bool;
}

/// What an inbox takes in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    All,
    NoRequests,
    Nothing,
}

struct Messages<M> {
    waiting: VecDeque<M>,
    /// How many of them are requests.
    requests: usize,
    /// What wakes the reader, while it sleeps.
    sleeper: Option<Waker>,
    takes: Takes,
    /// Whether a reader that was awake is not to fall asleep before it has looked once more.
    #[cfg(feature = "testing")]
    roused: bool,
}

/// As many requests wait as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// Messages in the order of their arrival.
pub struct Inbox<M> {
    queue: Mutex<Messages<M>>,
}

impl<M: Message> Inbox<M> {
    /// An empty inbox without a reader.
    pub fn new() -> Self {
        Self {
            queue: Mutex::new(Messages {
                waiting: VecDeque::new(),
                requests: 0,
                sleeper: None,
                takes: Takes::All,
                #[cfg(feature = "testing")]
                roused: false,
            }),
        }
    }

    /// Posts a message; answers it where it is refused.
    pub fn offer(&self, message: M) -> Option<M> {
        // In a child of `fork()` it has no reader, and its lock may be held for ever.
        if fork::is_child() {
            return Some(message);
        }
        let mut queue = self.lock();
        if queue.refuses(&message) {
            return Some(message);
        }
        queue.requests += usize::from(message.is_request());
        queue.waiting.push_back(message);
        wake(queue);
        None
    }

    /// Posts a request, if fewer than so many wait here. One that is refused is dropped, by which
    /// its asker is told.
    ///
    /// # Errors
    /// [`Full`].
    pub fn ask(&self, request: M, bound: usize) -> Result<(), Full> {
        let mut queue = self.lock();
        if queue.refuses(&request) {
            drop(queue);
            drop(request);
            return Ok(());
        }
        if queue.requests >= bound {
            return Err(Full);
        }
        queue.requests += 1;
        queue.waiting.push_back(request);
        wake(queue);
        Ok(())
    }

    /// Answers the next message and moves those behind it over, so many in all. Without any the
    /// reader sleeps until one comes.
    pub fn take(&self, behind: &mut VecDeque<M>, most: usize, reader: &Waker) -> Option<M> {
        let mut queue = self.lock();
        let Some(first) = queue.waiting.pop_front() else {
            queue.sleep(reader);
            drop(queue);
            give_room_back(behind);
            return None;
        };
        if queue.waiting.len() < most {
            std::mem::swap(&mut queue.waiting, behind);
            queue.requests = 0;
        } else {
            behind.extend(queue.waiting.drain(..most.saturating_sub(1)));
            queue.requests -= requests_in(behind) + usize::from(first.is_request());
        }
        Some(first)
    }

    /// Whether everything that was posted so far has been read and dealt with.
    pub fn is_at_rest(&self) -> bool {
        let queue = self.lock();
        queue.waiting.is_empty() && queue.sleeper.is_some()
    }

    /// Puts back, in front of everything, what a reader has taken and not read.
    pub fn put_back(&self, taken: &mut VecDeque<M>) {
        let mut queue = self.lock();
        queue.requests += requests_in(taken);
        taken.append(&mut queue.waiting);
        std::mem::swap(&mut queue.waiting, taken);
    }

    /// Refuses requests, those that wait too.
    pub fn refuse_requests(&self) {
        let mut queue = self.lock();
        queue.takes = Takes::NoRequests;
        queue.requests = 0;
        let waiting = std::mem::take(&mut queue.waiting);
        let (refused, kept): (VecDeque<M>, VecDeque<M>) =
            waiting.into_iter().partition(Message::is_request);
        queue.waiting = kept;
        drop(queue);
        drop(refused);
    }

    /// Takes requests again.
    pub fn admit_requests(&self) {
        let mut queue = self.lock();
        if queue.takes == Takes::NoRequests {
            queue.takes = Takes::All;
        }
    }

    /// Takes nothing more; answers what waits.
    pub fn close(&self) -> Vec<M> {
        let mut queue = self.lock();
        queue.takes = Takes::Nothing;
        queue.requests = 0;
        queue.waiting.drain(..).collect()
    }

    /// Wakes the reader though there is nothing.
    #[cfg(feature = "testing")]
    pub fn rouse(&self) {
        let mut queue = self.lock();
        queue.roused = queue.sleeper.is_none();
        wake(queue);
    }

    fn lock(&self) -> MutexGuard<'_, Messages<M>> {
        // Nothing foreign runs under this lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An inbox that was flooded gives the room back that is beyond this.
const KEPT_CAPACITY: usize = 64;

fn give_room_back<M>(queue: &mut VecDeque<M>) {
    if queue.capacity() > KEPT_CAPACITY {
        *queue = VecDeque::new();
    }
}

fn requests_in<M: Message>(messages: &VecDeque<M>) -> usize {
    messages
        .iter()
        .filter(|message| message.is_request())
        .count()
}

/// Wakes the reader, if it sleeps, once it can look: one that is woken under the lock waits for it.
fn wake<M>(mut queue: MutexGuard<'_, Messages<M>>) {
    let sleeper = queue.sleeper.take();
    drop(queue);
    if let Some(sleeper) = sleeper {
        sleeper.wake();
    }
}

impl<M: Message> Messages<M> {
    fn refuses(&self, message: &M) -> bool {
        match self.takes {
            Takes::All => false,
            Takes::NoRequests => message.is_request(),
            Takes::Nothing => true,
        }
    }

    fn sleep(&mut self, reader: &Waker) {
        give_room_back(&mut self.waiting);
        self.sleeper = Some(reader.clone());
        #[cfg(feature = "testing")]
        if std::mem::take(&mut self.roused) {
            reader.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    /// Odd ones are requests.
    impl Message for u32 {
        fn is_request(&self) -> bool {
            self % 2 == 1
        }
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn filled(with: std::ops::Range<u32>) -> Inbox<u32> {
        let inbox = Inbox::new();
        assert!(
            with.into_iter()
                .all(|message| inbox.offer(message).is_none())
        );
        inbox
    }

    fn all(inbox: &Inbox<u32>) -> Vec<u32> {
        let mut behind = VecDeque::new();
        let mut read = Vec::new();
        loop {
            let next = behind.pop_front();
            match next.or_else(|| inbox.take(&mut behind, 3, Waker::noop())) {
                Some(message) => read.push(message),
                None => return read,
            }
        }
    }

    #[test]
    fn messages_are_read_in_their_order_a_turn_at_a_time() {
        assert_eq!(all(&filled(0..10)), Vec::from_iter(0..10));
    }

    #[test]
    fn what_was_taken_and_not_read_comes_first_for_the_next_reader() {
        for most in [4, 100] {
            let inbox = filled(0..8);
            let mut taken = VecDeque::new();
            assert_eq!(inbox.take(&mut taken, most, Waker::noop()), Some(0));
            assert_eq!(taken.len(), most.min(8) - 1);
            assert_eq!(inbox.offer(8), None);
            inbox.put_back(&mut taken);
            assert!(taken.is_empty());
            assert_eq!(all(&inbox), Vec::from_iter(1..9));
        }
    }

    #[test]
    fn only_so_many_requests_wait_whatever_else_does() {
        let inbox = filled(0..8);
        assert_eq!(inbox.ask(9, 4), Err(Full));
        assert_eq!(inbox.ask(9, 5), Ok(()));
        let mut taken = VecDeque::new();
        assert_eq!(inbox.take(&mut taken, 4, Waker::noop()), Some(0));
        assert_eq!((inbox.ask(11, 3), inbox.ask(11, 4)), (Err(Full), Ok(())));
        inbox.put_back(&mut taken);
        assert_eq!((inbox.ask(13, 6), inbox.ask(13, 7)), (Err(Full), Ok(())));
        inbox.refuse_requests();
        assert_eq!(inbox.ask(15, 0), Ok(()));
        assert_eq!(all(&inbox), [2, 4, 6]);
        inbox.admit_requests();
        assert_eq!((inbox.ask(15, 0), inbox.ask(15, 1)), (Err(Full), Ok(())));
        assert_eq!(inbox.close(), [15]);
        assert_eq!(inbox.offer(16), Some(16));
    }

    #[test]
    fn a_reader_that_sleeps_is_woken_by_the_first_message_alone() {
        let (woken, inbox) = (Arc::new(Woken::default()), filled(0..0));
        let reader = Waker::from(Arc::clone(&woken));
        let mut behind = VecDeque::new();
        for round in 1..4 {
            assert!(!inbox.is_at_rest(), "the reader is awake");
            assert_eq!(inbox.take(&mut behind, 3, &reader), None);
            assert!(inbox.is_at_rest());
            assert_eq!(inbox.offer(1), None);
            assert!(!inbox.is_at_rest());
            assert_eq!(inbox.ask(3, 9), Ok(()));
            assert_eq!(woken.0.load(Ordering::SeqCst), round);
            assert_eq!(inbox.take(&mut behind, 3, &reader), Some(1));
            assert_eq!(behind.pop_front(), Some(3));
        }
    }
}
