//! Answers that are ready while their peer makes no room for them. HTTP/2 asks for no more of an answer until the peer
//! has opened its window, and a peer may read everything else and never do that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The answers of one connection that are not asked for more, and since when.
#[derive(Default)]
pub(super) struct UnreadAnswers(Mutex<WaitingAnswers>);

#[derive(Default)]
struct WaitingAnswers {
    next: u64,
    since: BTreeMap<u64, Instant>,
}

impl UnreadAnswers {
    fn waiting(&self) -> MutexGuard<'_, WaitingAnswers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one of them has waited for so long.
    pub(super) fn is_for(&self, limit: Duration) -> bool {
        let waiting = self.waiting();
        waiting.since.values().any(|since| since.elapsed() >= limit)
    }

    /// An answer that has begun, and is to be asked for.
    pub(super) fn begin(self: &Arc<Self>) -> UnreadAnswer {
        let mut waiting = self.waiting();
        waiting.next += 1;
        let number = waiting.next;
        waiting.since.insert(number, Instant::now());
        drop(waiting);
        let of = Arc::clone(self);
        UnreadAnswer { of, number }
    }
}

/// One answer among them.
pub(super) struct UnreadAnswer {
    of: Arc<UnreadAnswers>,
    number: u64,
}

impl UnreadAnswer {
    /// It was asked for more and gave something: the rest waits for the peer from now on.
    pub(super) fn gave(&self) {
        self.of.waiting().since.insert(self.number, Instant::now());
    }

    /// It has nothing to give: the peer does not keep it waiting.
    pub(super) fn has_nothing(&self) {
        self.of.waiting().since.remove(&self.number);
    }
}

impl Drop for UnreadAnswer {
    fn drop(&mut self) {
        self.has_nothing();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn an_answer_waits_from_when_it_gave_something_until_it_is_asked_again() {
        let unread = Arc::new(UnreadAnswers::default());
        let answer = unread.begin();
        let idle = unread.begin();
        idle.has_nothing();
        tokio::time::advance(LIMIT - Duration::from_secs(1)).await;
        assert!(!unread.is_for(LIMIT));
        answer.gave();
        tokio::time::advance(LIMIT - Duration::from_secs(1)).await;
        assert!(!unread.is_for(LIMIT), "its peer reads slowly");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(unread.is_for(LIMIT));
        drop(answer);
        tokio::time::advance(LIMIT).await;
        assert!(!unread.is_for(LIMIT), "a stream with nothing to say waits");
    }
}
