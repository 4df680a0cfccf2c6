//! One call of foreign code under way: what it answers within its limit, and when it is really over.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::fault::{Fault, dispose};
use super::place::{Inside, enter};

/// A call of foreign code. Awaiting it awaits its [`Run::outcome`].
///
/// Dropping it, or either half, ends nothing: the foreign code runs to its end or to its limit.
#[must_use = "the call goes on by itself, but nobody would see what comes of it"]
pub struct Run<T> {
    /// What the code answered, or the fault, at the latest when its limit has passed.
    pub outcome: Outcome<T>,
    /// When the code has really come back: it runs no more, and nothing of it is left.
    pub returned: Returned,
}

impl<T> IntoFuture for Run<T> {
    type Output = Result<T, Fault>;
    type IntoFuture = Outcome<T>;

    fn into_future(self) -> Outcome<T> {
        self.outcome
    }
}

/// Ends with the answer of foreign code, or with the fault. It needs no runtime to be awaited.
pub struct Outcome<T> {
    answer: oneshot::Receiver<Result<T, Fault>>,
}

impl<T> Future for Outcome<T> {
    type Output = Result<T, Fault>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(context));
        Poll::Ready(answer.unwrap_or(Err(Fault::Gone)))
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

/// The other ends of a [`Run`].
pub(super) struct Ends<T> {
    /// Where the code's answer goes. It is closed once the limit has passed.
    pub(super) answer: oneshot::Sender<Result<T, Fault>>,
    /// Dropped when the code has come back.
    pub(super) over: Over,
}

/// Says by its drop that foreign code has come back.
pub(super) struct Over {
    _sender: oneshot::Sender<()>,
}

/// Starts the clock of a call.
///
/// `until_limit` is dropped when the limit passes, or before it when all is shut down.
pub(super) fn begin<T: Send + 'static>(
    clock: &Handle,
    limit: Duration,
    until_limit: impl Send + 'static,
) -> (Run<T>, Ends<T>) {
    let (answer, answered) = oneshot::channel();
    let (asker, outcome) = oneshot::channel();
    let (sender, over) = oneshot::channel();
    clock.spawn(async move {
        let result = match tokio::time::timeout(limit, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Fault::Gone),
            Err(_) => Err(Fault::TimedOut { limit }),
        };
        drop(until_limit);
        give(asker, result);
    });
    let run = Run {
        outcome: Outcome { answer: outcome },
        returned: Returned { over },
    };
    let over = Over { _sender: sender };
    (run, Ends { answer, over })
}

/// Sends what foreign code answered; if nobody wants it, its drop is foreign code too.
pub(super) fn give<T>(asker: oneshot::Sender<Result<T, Fault>>, result: Result<T, Fault>) {
    if let Err(unwanted) = asker.send(result) {
        dispose(unwanted);
    }
}

/// Something foreign that is dropped inside the guard, whoever drops it and for whatever reason,
/// with the word that it is gone after it.
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

    /// Runs a piece of foreign code on the value inside the guard; `None` if the value is gone.
    pub(super) fn with<T>(
        &mut self,
        foreign: impl FnOnce(&mut Option<X>) -> T,
    ) -> Result<T, Fault> {
        let _entered = enter(self.inside);
        super::fault::catch(|| foreign(&mut self.value))
    }

    /// Drops the value, inside the guard.
    pub(super) fn clear(&mut self) {
        let _entered = enter(self.inside);
        dispose(self.value.take());
    }
}

impl<X> Drop for Fenced<X> {
    fn drop(&mut self) {
        self.clear();
    }
}
