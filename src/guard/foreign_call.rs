//! One call of foreign code under way: what it answers within its limit, and when it is really over.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

use super::fault::{Fault, catch, dispose};
use super::this_thread::{Inside, enter};
use super::timer::{TimeLimit, Timer};

/// What came of a call of foreign code.
pub struct Ended<T> {
    /// What the code answered, or the fault, at the latest when its limit has passed.
    pub answer: Result<T, Fault>,
    /// When the code has really come back: it runs no more, and nothing of it is left.
    #[cfg_attr(
        not(feature = "embedded"),
        allow(dead_code, reason = "only stores are waited for")
    )]
    pub returned: Returned,
    /// Whether its limit has passed and it goes on: it blocks, or blocked just then, a thread.
    pub still_runs: bool,
}

#[cfg(feature = "embedded")]
impl<T> Ended<Result<T, Fault>> {
    /// The end of code that could answer a fault itself.
    pub fn flat(self) -> Ended<T> {
        Ended {
            answer: self.answer.and_then(|answer| answer),
            returned: self.returned,
            still_runs: self.still_runs,
        }
    }
}

/// Ends when foreign code has really come back, which may be never. It needs no runtime.
pub struct Returned {
    over: oneshot::Receiver<()>,
}

impl Future for Returned {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.over).poll(context).map(|_| ())
    }
}

/// Says by its drop that foreign code has come back.
pub(super) struct Over {
    _sender: oneshot::Sender<()>,
}

/// A call that has no outcome yet.
struct Unanswered<T> {
    then: Box<dyn FnOnce(Ended<T>) + Send>,
    returned: Returned,
    /// Ends with the answer.
    limit: Option<TimeLimit>,
}

/// A call. Its outcome is the first of these: the code's answer, the end of its limit, a shutdown.
struct CallState<T> {
    open: Mutex<Option<Unanswered<T>>>,
}

impl<T> CallState<T> {
    fn take(&self) -> Option<Unanswered<T>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.take()
    }

    fn is_open(&self) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.is_some()
    }

    /// Keeps the limit while the call is open.
    fn keep(&self, limit: TimeLimit) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let unwanted = match open.as_mut() {
            Some(open) => open.limit.replace(limit),
            None => Some(limit),
        };
        drop(open);
        drop(unwanted);
    }
}

impl<T> Unanswered<T> {
    fn tell(self, answer: Result<T, Fault>, still_runs: bool) {
        let Self {
            then,
            returned,
            limit,
        } = self;
        drop(limit);
        // A panic in `then` would end the timer's thread, or one of plug-ins.
        let ended = Ended {
            answer,
            returned,
            still_runs,
        };
        drop(catch(|| then(ended)));
    }
}

/// Where the answer of foreign code goes: straight to `then`, on the thread that has the answer. Dropped
/// without an answer, it says that all is shut down.
pub(super) struct AnswerTo<T> {
    call: Arc<CallState<T>>,
}

impl<T> AnswerTo<T> {
    /// Whether the limit has passed, or all is shut down.
    pub(super) fn is_closed(&self) -> bool {
        !self.call.is_open()
    }

    /// Tells what foreign code answered. If the call has an outcome already, the answer is dropped, and
    /// its drop is foreign code too.
    pub(super) fn give(self, answer: Result<T, Fault>) {
        match self.call.take() {
            Some(open) => open.tell(answer, false),
            None => dispose(answer),
        }
    }
}

impl<T> Drop for AnswerTo<T> {
    fn drop(&mut self) {
        if let Some(open) = self.call.take() {
            open.tell(Err(Fault::Gone), false);
        }
    }
}

/// The time of a call, which has not begun.
pub(super) struct CallTime<T> {
    call: Arc<CallState<T>>,
}

impl<T: Send + 'static> CallTime<T> {
    /// Begins the time. If the limit passes or all is shut down before the call has an outcome, this is
    /// its outcome, and `give_up` is called, which answers whether the code runs on.
    pub(super) fn begin(
        self,
        timer: &Timer,
        limit: Duration,
        give_up: impl FnOnce() -> bool + Send + 'static,
    ) {
        let call = Arc::clone(&self.call);
        let begun = timer.limit(limit, move |passed| {
            if let Some(open) = call.take() {
                let runs_on = give_up();
                match passed {
                    true => open.tell(Err(Fault::TimedOut { limit }), runs_on),
                    false => open.tell(Err(Fault::Gone), false),
                }
            }
        });
        self.call.keep(begun);
    }
}

/// A call of foreign code that is about to begin: where its answer goes, what says that it has come
/// back, and its time.
///
/// `then` is told the outcome once, on the thread that has it: it must be quick.
pub(super) fn call<T: Send + 'static>(
    then: impl FnOnce(Ended<T>) + Send + 'static,
) -> (AnswerTo<T>, Over, CallTime<T>) {
    let (sender, over) = oneshot::channel();
    let call = Arc::new(CallState {
        open: Mutex::new(Some(Unanswered {
            then: Box::new(then),
            returned: Returned { over },
            limit: None,
        })),
    });
    let time = CallTime {
        call: Arc::clone(&call),
    };
    (AnswerTo { call }, Over { _sender: sender }, time)
}

/// A foreign value that is dropped inside the guard on whatever way it is dropped, and then says that
/// the code has come back.
pub(super) struct Fenced<X> {
    inside: Inside,
    value: Option<X>,
    /// Dropped after the value.
    _over: Over,
}

impl<X> Fenced<X> {
    pub(super) fn new(inside: Inside, value: X, over: Over) -> Self {
        Self {
            inside,
            value: Some(value),
            _over: over,
        }
    }

    /// Runs a piece of foreign code on the value, inside the guard.
    pub(super) fn with<T>(
        &mut self,
        foreign: impl FnOnce(&mut Option<X>) -> T,
    ) -> Result<T, Fault> {
        let _entered = enter(self.inside);
        catch(|| foreign(&mut self.value))
    }
}

impl<X> Drop for Fenced<X> {
    fn drop(&mut self) {
        let _entered = enter(self.inside);
        dispose(self.value.take());
    }
}
