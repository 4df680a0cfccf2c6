//! One call of foreign code under way: what it answers within its limit, and when it is really over.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

use super::clock::{Clock, Limit};
use super::fault::{Fault, catch, dispose};
use super::place::{Inside, enter};

/// What came of a call of foreign code.
pub struct Ended<T> {
    /// What the code answered, or the fault, at the latest when its limit has passed.
    pub answer: Result<T, Fault>,
    /// When the code has really come back: it runs no more, and nothing of it is left.
    pub returned: Returned,
    /// Whether its limit has passed and it goes on: it blocks, or blocked just then, a thread.
    pub still_runs: bool,
}

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

/// A call that nobody has answered yet.
struct Open<T> {
    then: Box<dyn FnOnce(Ended<T>) + Send>,
    returned: Returned,
    /// Ends with the answer.
    limit: Option<Limit>,
}

/// A call. Whoever has its outcome first answers it: the code, its limit, or the end of all.
struct Call<T> {
    open: Mutex<Option<Open<T>>>,
}

impl<T> Call<T> {
    fn take(&self) -> Option<Open<T>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.take()
    }

    fn is_open(&self) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.is_some()
    }

    /// Keeps the limit while the call is open.
    fn keep(&self, limit: Limit) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let unwanted = match open.as_mut() {
            Some(open) => open.limit.replace(limit),
            None => Some(limit),
        };
        drop(open);
        drop(unwanted);
    }
}

impl<T> Open<T> {
    fn tell(self, answer: Result<T, Fault>, still_runs: bool) {
        let Self {
            then,
            returned,
            limit,
        } = self;
        drop(limit);
        // A panic in it would end the clock, or a thread of plug-ins; nobody is left to be told.
        let ended = Ended {
            answer,
            returned,
            still_runs,
        };
        drop(catch(|| then(ended)));
    }
}

/// Where the answer of foreign code goes: straight to who waits for it, on the thread that has it.
/// Dropped without one, it says that all is shut down.
pub(super) struct Answer<T> {
    call: Arc<Call<T>>,
}

impl<T> Answer<T> {
    /// Whether the limit has passed, or all is shut down.
    pub(super) fn is_closed(&self) -> bool {
        !self.call.is_open()
    }

    /// Tells what foreign code answered; if nobody wants it, its drop is foreign code too.
    pub(super) fn give(self, answer: Result<T, Fault>) {
        match self.call.take() {
            Some(open) => open.tell(answer, false),
            None => dispose(answer),
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if let Some(open) = self.call.take() {
            open.tell(Err(Fault::Gone), false);
        }
    }
}

/// The time of a call, which has not begun.
pub(super) struct Time<T> {
    call: Arc<Call<T>>,
}

impl<T: Send + 'static> Time<T> {
    /// Begins the time. When it passes before the call is answered, or all is shut down before, the
    /// call is given up by `give_up`, which answers whether it runs on, and answered.
    pub(super) fn begin(
        self,
        clock: &Clock,
        limit: Duration,
        give_up: impl FnOnce() -> bool + Send + 'static,
    ) {
        let call = Arc::clone(&self.call);
        let begun = clock.limit(limit, move |passed| {
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
/// `then` is told the outcome once, on the thread that has it first: it must be quick.
pub(super) fn call<T: Send + 'static>(
    then: impl FnOnce(Ended<T>) + Send + 'static,
) -> (Answer<T>, Over, Time<T>) {
    let (sender, over) = oneshot::channel();
    let call = Arc::new(Call {
        open: Mutex::new(Some(Open {
            then: Box::new(then),
            returned: Returned { over },
            limit: None,
        })),
    });
    let time = Time {
        call: Arc::clone(&call),
    };
    (Answer { call }, Over { _sender: sender }, time)
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
        catch(|| foreign(&mut self.value))
    }
}

impl<X> Drop for Fenced<X> {
    fn drop(&mut self) {
        let _entered = enter(self.inside);
        dispose(self.value.take());
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::panic::panic_any;
    use std::sync::mpsc;
    use std::thread;

    use super::*;
    use crate::guard::place::Role;
    use crate::guard::plugins::{PluginThreads, Plugins};
    use crate::guard::tests::{
        LONG, PanicsWhenDropped, Run, SHORT, code, plugins, run_async, waited,
    };

    #[test]
    fn its_outcome_is_told_once_on_the_thread_that_has_it() {
        let plugins = plugins();
        let (tell, told) = mpsc::channel();
        let mut tells = Vec::new();
        let then = move || {
            let tell = tell.clone();
            move |ended: Ended<()>| {
                let name = thread::current().name().map(str::to_owned);
                let _ = tell.send((name, ended.answer.map_err(|fault| fault.code())));
            }
        };
        plugins.run_async(Role::Store, || ready(()), LONG, || (), then());
        tells.push(told.recv().expect("it is told"));
        let slot = plugins.store_threads().try_reserve().expect("a thread");
        slot.run(|| (), LONG, then());
        tells.push(told.recv().expect("it is told"));
        plugins.run_async(Role::Store, pending::<()>, SHORT, || (), then());
        tells.push(told.recv().expect("it is told"));
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(
            tells,
            [
                (name("keyward-plugin"), Ok(())),
                (name("keyward-store"), Ok(())),
                (name("keyward-clock"), Err("timed_out")),
            ]
        );
        drop((plugins, then));
        assert!(told.recv().is_err(), "a call was answered twice");
    }

    #[test]
    fn an_answer_and_a_limit_at_the_same_moment_are_one_outcome() {
        const CALLS: usize = 500;
        let plugins = plugins();
        let (tell, told) = mpsc::channel();
        for call in 0..CALLS {
            let tell = tell.clone();
            let then = move |ended: Ended<()>| drop(tell.send((call, ended.returned)));
            if call % 2 == 0 {
                plugins.run_async(Role::Store, || ready(()), Duration::ZERO, || (), then);
            } else {
                let slot = waited(plugins.store_threads().reserve()).expect("a thread");
                slot.run(|| (), Duration::ZERO, then);
            }
        }
        drop(tell);
        let mut seen: Vec<usize> = told
            .iter()
            .map(|(call, returned)| {
                waited(returned);
                call
            })
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..CALLS).collect::<Vec<_>>());
    }

    #[test]
    fn a_panic_where_an_outcome_is_taken_in_ends_no_thread() {
        let plugins = Plugins::start(PluginThreads {
            stores: 1,
            callbacks: 1,
            ..PluginThreads::default()
        })
        .expect("it starts");
        let bad = |_: Ended<()>| panic_any(PanicsWhenDropped);
        for _ in 0..=PluginThreads::default().asyncs {
            plugins.run_async(Role::Store, || ready(()), LONG, || (), bad);
            plugins.run_async(Role::Store, pending::<()>, Duration::ZERO, || (), bad);
            let slot = waited(plugins.store_threads().reserve()).expect("a thread");
            slot.run(|| (), LONG, bad);
        }
        assert_eq!(
            code(run_async(&plugins, Role::Store, || ready(7), LONG)),
            Ok(7)
        );
        let late = run_async(&plugins, Role::Store, pending::<()>, SHORT);
        assert_eq!(code(late), Err("timed_out"));
        let slot = waited(plugins.store_threads().reserve()).expect("a thread");
        assert_eq!(code(Run::of(|then| slot.run(|| 7, LONG, then))), Ok(7));
    }

    #[test]
    fn after_the_end_who_waits_is_told_at_once_that_all_is_gone() {
        let plugins = plugins();
        let (go, gone) = mpsc::channel::<()>();
        let slot = plugins.store_threads().try_reserve().expect("a thread");
        let mut blocks = Run::of(|then| slot.run(move || gone.recv(), LONG, then));
        let mut waits = run_async(&plugins, Role::Store, pending::<()>, LONG);
        plugins.close();
        let mut late = run_async(&plugins, Role::Store, || ready(()), LONG);
        assert_eq!(blocks.outcome(), Err(Fault::Gone));
        assert_eq!(waits.outcome(), Err(Fault::Gone));
        assert_eq!(late.outcome(), Err(Fault::Gone));
        drop(go);
        blocks.come_back();
        waits.come_back();
        late.come_back();
    }
}
