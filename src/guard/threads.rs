//! Threads set apart for blocking code, of one kind and bounded in number.
//!
//! They are std threads of our own and not a runtime's pool for blocking work, because that pool
//! queues, and panics where the system refuses a thread: a [`Slot`] holds a thread that has been
//! started already, so that who has one (and has written that the call is in progress) need not wait.
//! A thread is started when it is first needed and kept for the next call until keyward shuts down;
//! a hung function keeps its thread, and its place in the bound, for ever.

use std::future::Future;
use std::io;
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::clock::Clock;
use super::desk::{Kind, Thread};
use super::fault::{Fault, dispose};
use super::place::Inside;
use super::run::{Ended, Fenced, call};

/// After how long the system is asked again for a thread that it has refused.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The threads for one kind of blocking code.
pub struct ThreadPool {
    shared: Arc<Shared>,
}

struct Shared {
    kind: Kind,
    bound: usize,
    clock: Clock,
    places: Arc<Semaphore>,
    /// How many calls have passed their limits and have not come back.
    late: watch::Sender<usize>,
    idle: Mutex<Idle>,
    #[cfg(test)]
    refuses: std::sync::atomic::AtomicBool,
}

struct Idle {
    closed: bool,
    threads: Vec<Thread>,
}

impl ThreadPool {
    /// Threads for one kind of code; no more than `bound`, none of them started yet.
    pub(super) fn new(kind: Kind, bound: usize, clock: Clock) -> io::Result<Self> {
        let bound = bound.min(Semaphore::MAX_PERMITS);
        if bound == 0 {
            let text = format!("{bound} threads for blocking plug-ins; allow at least 1");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(Self {
            shared: Arc::new(Shared {
                kind,
                bound,
                clock,
                places: Arc::new(Semaphore::new(bound)),
                late: watch::Sender::new(0),
                idle: Mutex::new(Idle {
                    closed: false,
                    threads: Vec::new(),
                }),
                #[cfg(test)]
                refuses: std::sync::atomic::AtomicBool::new(false),
            }),
        })
    }

    /// How many calls may be under way at once, hung ones included.
    #[cfg(feature = "testing")]
    pub fn bound(&self) -> usize {
        self.shared.bound
    }

    /// A thread, if one is left now.
    ///
    /// # Errors
    /// [`Fault::NoThread`] where all are taken, [`Fault::ThreadRefused`] where the system refuses
    /// one, [`Fault::Gone`] after a shutdown.
    pub fn try_reserve(&self) -> Result<Slot, Fault> {
        match Arc::clone(&self.shared.places).try_acquire_owned() {
            Ok(place) => Slot::take(&self.shared, place),
            Err(TryAcquireError::NoPermits) => Err(self.shared.no_thread()),
            Err(TryAcquireError::Closed) => Err(Fault::Gone),
        }
    }

    /// A thread for a call that is not due yet, if more than half of them are left now.
    pub fn reserve_spare(&self) -> Option<Slot> {
        let left = self.shared.places.available_permits();
        let is_spare = left > self.shared.bound / 2;
        is_spare.then(|| self.try_reserve().ok()).flatten()
    }

    /// A thread, as soon as one is left; who asked first gets it first. Where the system refuses one
    /// it is asked again, until it gives one. It needs tokio's clock.
    ///
    /// # Errors
    /// [`Fault::Gone`] after a shutdown.
    pub fn reserve(&self) -> impl Future<Output = Result<Slot, Fault>> + Send + 'static + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            loop {
                match shared.reserve().await {
                    Err(Fault::ThreadRefused { .. }) => sleep(ASK_AGAIN).await,
                    reserved => return reserved,
                }
            }
        }
    }

    /// As [`reserve`](Self::reserve), for a call that has a limit: at most for this time, and no
    /// longer once all threads are held by calls that have passed their limits.
    ///
    /// # Errors
    /// [`Fault::NoThread`] or [`Fault::ThreadRefused`] when the time has passed, as it is then;
    /// [`Fault::NoThread`] where all hang; [`Fault::Gone`] after a shutdown.
    pub fn reserve_within(
        &self,
        limit: Duration,
    ) -> impl Future<Output = Result<Slot, Fault>> + Send + 'static + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            let mut late = shared.late.subscribe();
            let mut reserved = pin!(shared.reserve_until(limit));
            tokio::select! {
                biased;
                reserved = &mut reserved => reserved,
                _ = late.wait_for(|late| *late >= shared.bound) => Err(shared.no_thread()),
            }
        }
    }

    /// Ends the idle threads, and the others when they come back; nothing is started any more.
    pub(super) fn close(&self) {
        self.shared.places.close();
        let mut idle = self.shared.idle();
        idle.closed = true;
        let ended = mem::take(&mut idle.threads);
        drop(idle);
        drop(ended);
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn no_thread(&self) -> Fault {
        Fault::NoThread {
            threads: self.bound,
        }
    }

    async fn reserve(self: &Arc<Self>) -> Result<Slot, Fault> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        Slot::take(self, place.map_err(|_| Fault::Gone)?)
    }

    async fn reserve_until(self: &Arc<Self>, limit: Duration) -> Result<Slot, Fault> {
        let Some(end) = Instant::now().checked_add(limit) else {
            return self.reserve().await;
        };
        loop {
            let reserved = timeout_at(end, self.reserve()).await;
            match reserved.unwrap_or_else(|_| Err(self.no_thread())) {
                Err(Fault::ThreadRefused { .. }) if Instant::now() + ASK_AGAIN < end => {
                    sleep(ASK_AGAIN).await;
                }
                reserved => return reserved,
            }
        }
    }

    fn thread(&self) -> io::Result<Thread> {
        #[cfg(test)]
        if self.refuses.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        Thread::start(self.kind)
    }
}

/// A thread that waits for one call. Dropped unused, it is free again.
pub struct Slot {
    shared: Arc<Shared>,
    /// There until it is dropped.
    thread: Option<Thread>,
    lateness: Arc<Mutex<Lateness>>,
    /// Given back after the thread is among the idle ones, so that there is never one too many.
    _place: OwnedSemaphorePermit,
}

/// Whether the call of a slot has passed its limit, and has come back.
#[derive(Default)]
struct Lateness {
    is_late: bool,
    is_over: bool,
}

impl Slot {
    fn take(shared: &Arc<Shared>, place: OwnedSemaphorePermit) -> Result<Self, Fault> {
        let idle = {
            let mut idle = shared.idle();
            if idle.closed {
                return Err(Fault::Gone);
            }
            idle.threads.pop()
        };
        let thread = match idle {
            Some(thread) => thread,
            None => shared.thread().map_err(|error| Fault::ThreadRefused {
                why: error.to_string(),
            })?,
        };
        Ok(Self {
            shared: Arc::clone(shared),
            thread: Some(thread),
            lateness: Arc::default(),
            _place: place,
        })
    }

    /// Calls blocking foreign code on the thread, which starts at once.
    ///
    /// When the limit passes, the outcome is [`Fault::TimedOut`] and the code goes on: it cannot be
    /// stopped. Its thread is free again when it has returned, and only then does
    /// [`Ended::returned`] end. After a shutdown the code is not called. `then` is told the outcome
    /// on the thread that has it, which may be the one that keeps all limits: it must be quick.
    pub fn run<T: Send + 'static>(
        self,
        foreign: impl FnOnce() -> T + Send + 'static,
        limit: Duration,
        then: impl FnOnce(Ended<T>) + Send + 'static,
    ) {
        let (answer, over, time) = call(then);
        let (lateness, shared) = (Arc::clone(&self.lateness), Arc::clone(&self.shared));
        time.begin(&self.shared.clock, limit, move || {
            shared.is_late(&lateness);
            true
        });
        let inside = Inside::Blocking(self.shared.kind.role());
        let mut fenced = Fenced::new(inside, foreign, over);
        let desk = self.thread.as_ref().map(Thread::desk);
        let slot = self;
        let job = move || {
            let closed = slot.shared.idle().closed;
            let result = match fenced
                .with(|foreign| foreign.take().filter(|_| !closed).map(|call| call()))
            {
                Ok(Some(answer)) => Ok(answer),
                Ok(None) => Err(Fault::Gone),
                Err(fault) => Err(fault),
            };
            if answer.is_closed() {
                dispose(result);
                drop(slot);
            } else {
                drop(slot);
                answer.give(result);
            }
            drop(fenced);
        };
        if let Some(desk) = desk {
            desk.give(job);
        }
    }
}

impl Shared {
    fn is_late(&self, of: &Mutex<Lateness>) {
        let mut lateness = of.lock().unwrap_or_else(PoisonError::into_inner);
        if !lateness.is_over {
            lateness.is_late = true;
            self.late.send_modify(|late| *late += 1);
        }
    }

    fn is_over(&self, of: &Mutex<Lateness>) {
        let mut lateness = of.lock().unwrap_or_else(PoisonError::into_inner);
        lateness.is_over = true;
        if lateness.is_late {
            self.late.send_modify(|late| *late = late.saturating_sub(1));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.is_over(&self.lateness);
        let mut idle = self.shared.idle();
        if !idle.closed {
            idle.threads.extend(self.thread.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::place::{Role, current_role, may_block, wait};
    use crate::guard::plugins::{PluginThreads, Plugins};
    use crate::guard::tests::{LONG, PanicsWhenDropped, Run, SHORT, waited};
    use std::panic::panic_any;
    use std::sync::atomic::Ordering;
    use std::sync::mpsc;
    use std::thread;

    fn plugins(stores: usize) -> Plugins {
        let threads = PluginThreads {
            stores,
            callbacks: 1,
            ..PluginThreads::default()
        };
        Plugins::start(threads).expect("it starts")
    }

    fn run<T: Send + 'static>(
        slot: Slot,
        foreign: impl FnOnce() -> T + Send + 'static,
        limit: Duration,
    ) -> Run<T> {
        Run::of(|then| slot.run(foreign, limit, then))
    }

    #[test]
    fn blocking_code_answers_from_a_thread_where_it_may_block() {
        let plugins = plugins(1);
        let answer = |pool: &ThreadPool| {
            let slot = pool.try_reserve().expect("a thread is left");
            let place = || (current_role(), may_block(), wait(async { 7 }));
            run(slot, place, LONG).outcome()
        };
        assert_eq!(
            answer(plugins.store_threads()),
            Ok((Some(Role::Store), true, Ok(7)))
        );
        assert_eq!(
            answer(plugins.callback_threads()),
            Ok((Some(Role::Callback), true, Ok(7)))
        );
    }

    #[test]
    fn a_slot_is_free_again_only_when_its_function_has_really_returned() {
        let plugins = plugins(1);
        let pool = plugins.store_threads();
        let (go, gone) = mpsc::channel::<()>();
        let slot = pool.try_reserve().expect("a thread is left");
        let mut run = run(slot, move || gone.recv(), SHORT);
        assert_eq!(run.outcome(), Err(Fault::TimedOut { limit: SHORT }));
        assert_eq!(
            pool.try_reserve().err(),
            Some(Fault::NoThread { threads: 1 })
        );
        let mut next = Box::pin(pool.reserve());
        let polled = waited(std::future::poll_fn(|context| {
            std::task::Poll::Ready(next.as_mut().poll(context).is_ready())
        }));
        assert!(!polled, "a thread that hangs was given away");
        go.send(()).expect("the function waits");
        run.come_back();
        assert!(waited(next).is_ok());
        assert!(pool.try_reserve().is_ok());
    }

    #[test]
    fn the_threads_are_used_again_and_never_more_than_the_bound() {
        let plugins = plugins(2);
        let pool = plugins.store_threads();
        assert_eq!(pool.bound(), 2);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..20 {
            let slots = [pool.try_reserve(), pool.try_reserve()];
            assert!(pool.try_reserve().is_err());
            let runs = slots.map(|slot| {
                let slot = slot.expect("a thread is left");
                run(slot, || thread::current().id(), LONG)
            });
            for mut run in runs {
                seen.insert(run.outcome().expect("it answers"));
                run.come_back();
            }
        }
        assert_eq!(seen.len(), 2);
    }

    #[test]
    fn a_call_that_is_not_due_takes_no_thread_that_others_may_need() {
        let plugins = plugins(3);
        let pool = plugins.store_threads();
        let spare = pool.reserve_spare().expect("all are left");
        let other = pool.reserve_spare().expect("two of three are left");
        assert!(pool.reserve_spare().is_none());
        assert!(pool.try_reserve().is_ok());
        drop(other);
        assert!(pool.reserve_spare().is_some());
        drop(spare);
    }

    #[test]
    fn a_slot_that_was_not_used_is_free_again() {
        let plugins = plugins(1);
        for _ in 0..3 {
            drop(
                plugins
                    .store_threads()
                    .try_reserve()
                    .expect("a thread is left"),
            );
        }
    }

    #[test]
    fn a_panic_gives_the_thread_back_too() {
        let plugins = plugins(1);
        let pool = plugins.store_threads();
        for _ in 0..3 {
            let slot = pool.try_reserve().expect("a thread is left");
            let mut run = run(slot, || panic_any(PanicsWhenDropped), LONG);
            let fault: Result<(), Fault> = run.outcome();
            assert_eq!(fault.map_err(|fault| fault.code()), Err("panicked"));
            run.come_back();
        }
    }

    #[test]
    fn an_answer_that_comes_too_late_is_dropped_inside_the_guard() {
        let plugins = plugins(1);
        let (go, gone) = mpsc::channel::<()>();
        let slot = plugins
            .store_threads()
            .try_reserve()
            .expect("a thread is left");
        let late = move || {
            let _ = gone.recv();
            PanicsWhenDropped
        };
        let mut run = run(slot, late, SHORT);
        assert_eq!(run.outcome().err(), Some(Fault::TimedOut { limit: SHORT }));
        drop(go);
        run.come_back();
        assert!(plugins.store_threads().try_reserve().is_ok());
    }

    #[test]
    fn after_a_shutdown_nothing_is_started_and_what_runs_may_end() {
        let plugins = plugins(2);
        let pool = plugins.store_threads();
        let (go, gone) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let slot = pool.try_reserve().expect("a thread is left");
        let runs = move || {
            let _ = begun.send(());
            gone.recv()
        };
        let mut running = run(slot, runs, LONG);
        has_begun.recv().expect("it runs");
        let unused = pool.try_reserve().expect("a thread is left");
        let waiting = pool.reserve();
        drop(plugins);
        assert_eq!(waited(waiting).err(), Some(Fault::Gone));
        let mut late = run(unused, || 7, LONG);
        assert_eq!(late.outcome(), Err(Fault::Gone));
        late.come_back();
        assert_eq!(running.outcome(), Err(Fault::Gone));
        drop(go);
        running.come_back();
    }

    #[test]
    fn a_thread_that_the_system_refuses_is_asked_for_again_until_it_is_there() {
        let plugins = plugins(1);
        let pool = plugins.store_threads();
        let refuses = |refuses| pool.shared.refuses.store(refuses, Ordering::SeqCst);
        refuses(true);
        let fault = pool.try_reserve().err().map(|fault| fault.code());
        assert_eq!(fault, Some("no_thread"));
        let clock = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        clock.block_on(async {
            let late = pool.reserve_within(2 * ASK_AGAIN).await.err();
            assert!(
                matches!(late, Some(Fault::ThreadRefused { .. })),
                "{late:?}"
            );
            let mut waits = Box::pin(pool.reserve());
            tokio::select! {
                _ = &mut waits => panic!("it is refused"),
                () = sleep(3 * ASK_AGAIN) => {}
            }
            refuses(false);
            assert!(waits.await.is_ok());
        });
    }

    #[test]
    fn who_waits_within_a_limit_is_told_at_once_when_the_last_thread_hangs() {
        let plugins = plugins(1);
        let pool = plugins.store_threads();
        let (go, gone) = mpsc::channel::<()>();
        let slot = pool.try_reserve().expect("a thread is left");
        let mut hangs = run(slot, move || gone.recv(), SHORT);
        let clock = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let none = clock.block_on(pool.reserve_within(LONG)).err();
        assert_eq!(none, Some(Fault::NoThread { threads: 1 }));
        assert!(hangs.outcome().is_err());
        drop(go);
        hangs.come_back();
        assert!(clock.block_on(pool.reserve_within(SHORT)).is_ok());
    }
}
