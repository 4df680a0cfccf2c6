//! One fetch from a store, inside its guard and on the right thread.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::actors::fetch_why::why;
use crate::actors::mark::Mark;
use crate::guard::events::Events;
use crate::guard::fault::{self, Fault};
use crate::guard::foreign::Foreign;
use crate::guard::place::Role;
use crate::guard::plugins::Plugins;
use crate::guard::run::{Ended, Returned};
use crate::guard::threads::{Slot, ThreadPool};
use crate::key::event::FetchFailure;
use crate::secret::scrub::Scrubber;
use crate::secret::value::SecretKeys;
use crate::store::error::StoreError;
use crate::store::keys_store::{Fetched, Fetching, KeysStore, StoreRequest};
use crate::store::origin::{AskedByKeyward, StoreOrigin};

/// How a fetch ended.
pub struct FetchEnd {
    /// The keys, or why there are none.
    pub answer: Result<SecretKeys, FetchFailure>,
    /// When the store comes back that its limit could not stop: it blocks its thread.
    pub still_running: Option<Returned>,
    /// What the system said, if it refused the thread that the fetch needs.
    pub refused: Option<String>,
}

/// Fetches from one store, each time for at most a limit.
pub struct Fetcher {
    plugins: Arc<Plugins>,
    store: Foreign<Arc<dyn KeysStore>>,
    origin: StoreOrigin,
    request: StoreRequest,
    limit: Duration,
    events: Events,
    /// Whether the last fetch was a function that may block. What the next one is only the store can
    /// tell, which is asked where most likely it goes on, so that mostly no other thread is needed.
    blocks: AtomicBool,
    waits: Mutex<Waits>,
    mark: Mark,
}

/// Whether the fetch that is under way waits for a thread.
enum Waits {
    /// It does not.
    No,
    /// It does until this is dropped.
    Until { _end: oneshot::Sender<()> },
    /// It is not to begin: nobody waits for it any more.
    GivenUp,
}

type FetchFuture = Pin<Box<dyn Future<Output = Fetched> + Send>>;
type Function = Box<dyn FnOnce() -> Fetched + Send>;

/// How far a fetch came where it was begun.
enum Begun {
    Ended(Fetched),
    /// It goes on where it may block.
    Blocks(Foreign<Function>),
    /// It goes on among async plug-ins.
    Awaits(Foreign<FetchFuture>),
}

impl Fetcher {
    /// What fetches from this store. Whoever has it last drops the store where that may be done.
    pub fn new(
        plugins: Arc<Plugins>,
        store: Foreign<Arc<dyn KeysStore>>,
        request: StoreRequest,
        limit: Duration,
        events: Events,
    ) -> Arc<Self> {
        let origin = store.get().map(|store| store.origin(AskedByKeyward));
        Arc::new(Self {
            plugins,
            store,
            origin: origin.unwrap_or(StoreOrigin::Foreign),
            request,
            limit,
            events,
            blocks: AtomicBool::new(false),
            waits: Mutex::new(Waits::No),
            mark: Mark::default(),
        })
    }

    /// Begins a fetch. `told` is told its end, on the thread that has it.
    pub fn fetch(
        self: &Arc<Self>,
        scrubber: Scrubber,
        told: impl FnOnce(FetchEnd) + Send + 'static,
    ) {
        drop(self.waits(Waits::No));
        let fetch = Fetch {
            fetcher: Arc::clone(self),
            scrubber,
            begun: Instant::now(),
            told,
        };
        if self.origin != StoreOrigin::Foreign {
            return fetch.begin_here();
        }
        // Where no thread is left, only a store that needs one waits for it.
        let thread = self.blocks.load(Ordering::Relaxed);
        match thread.then(|| self.plugins.store_threads().try_reserve()) {
            Some(Ok(slot)) => fetch.begin_on_thread(slot),
            Some(Err(_)) | None => fetch.begin_among_async(),
        }
    }

    /// Ends the fetch that is under way, if it still waits for a thread: nobody waits for it any more.
    pub fn give_up(&self) {
        drop(self.waits(Waits::GivenUp));
    }

    fn waits(&self, now: Waits) -> Waits {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *waits, now)
    }

    /// Tells, once, that the store blocks a thread that others need.
    fn tells_that_it_blocks(&self) -> impl FnOnce() + Send + use<> {
        let (key, limit) = (self.request.key_name().to_owned(), self.limit);
        let events = self.events.clone();
        move || {
            events.tell(move || {
                tracing::warn!(
                    %key,
                    ?limit,
                    "an async store blocks its thread beyond its time limit; others go on, on the \
                     threads that are left: let it await, or make it a blocking store"
                );
            });
        }
    }

    fn look_at(&self, keys: &SecretKeys) {
        let (key, source) = (self.request.key_name(), || self.source());
        self.mark.look(keys, &self.events, key, source);
    }

    fn source(&self) -> String {
        let source = self.store.get().map(|store| store.source(AskedByKeyward));
        source.unwrap_or_default()
    }

    fn ask(&self, begun: Instant) -> Result<Fetching, Fault> {
        let store = self.store.get().ok_or(Fault::Gone)?;
        Ok(store.fetch(&self.request.within(self.limit, begun)))
    }
}

/// A fetch that is under way.
struct Fetch<F> {
    fetcher: Arc<Fetcher>,
    scrubber: Scrubber,
    begun: Instant,
    told: F,
}

impl<F: FnOnce(FetchEnd) + Send + 'static> Fetch<F> {
    /// Of a store whose `fetch` is keyward's own code.
    fn begin_here(self) {
        let fetcher = Arc::clone(&self.fetcher);
        let begun = self.begun;
        let asked = fault::catch(|| fetcher.ask(begun)).and_then(|asked| asked);
        match (fetcher.origin, asked) {
            (_, Err(fault)) => self.failed(fault),
            (StoreOrigin::Environment, Ok(Fetching::Async(fetching))) => {
                fetcher.plugins.run_own(async move {
                    let answer = Ok(fetching.await);
                    self.end(answer, None);
                });
            }
            (StoreOrigin::Command, Ok(Fetching::Async(fetching))) => {
                self.when_there(Plugins::command_threads, |fetch, slot, left| {
                    let plugins = Arc::clone(&fetch.fetcher.plugins);
                    plugins.run_command(slot, fetching, left, move |run| {
                        fetch.ended(run);
                    });
                });
            }
            (StoreOrigin::File, Ok(Fetching::Blocking(function))) => {
                self.block(Plugins::file_threads, Foreign::new(function));
            }
            (_, Ok(Fetching::Blocking(function))) => {
                self.block(Plugins::store_threads, Foreign::new(function));
            }
            (_, Ok(Fetching::Async(fetching))) => self.join_async(Foreign::new(fetching)),
        }
    }

    fn begin_on_thread(self, slot: Slot) {
        let (of_thread, begun) = (Arc::clone(&self.fetcher), self.begun);
        let begin = move || {
            let ask = || of_thread.ask(begun);
            let asked = of_thread.plugins.begin_here(Role::Store, ask);
            Ok(match asked.and_then(|asked| asked)? {
                Fetching::Blocking(fetch) => Begun::Ended(fetch()),
                Fetching::Async(fetching) => Begun::Awaits(Foreign::new(fetching)),
            })
        };
        let left = self.left();
        slot.run(begin, left, move |run| self.go_on(run));
    }

    fn begin_among_async(self) {
        let (of_task, begun) = (Arc::clone(&self.fetcher), self.begun);
        let begin = async move || {
            Ok(match of_task.ask(begun)? {
                Fetching::Async(fetching) => Begun::Ended(fetching.await),
                Fetching::Blocking(fetch) => Begun::Blocks(Foreign::new(fetch)),
            })
        };
        self.run_async(begin, |fetch, run| fetch.go_on(run));
    }

    fn run_async<T, R>(
        self,
        make: impl FnOnce() -> R + Send + 'static,
        then: impl FnOnce(Self, Ended<T>) + Send + 'static,
    ) where
        T: Send + 'static,
        R: Future<Output = T> + Send + 'static,
    {
        self.when_async_is_there(|fetch, (), left| {
            let plugins = Arc::clone(&fetch.fetcher.plugins);
            let blocks = fetch.fetcher.tells_that_it_blocks();
            let then = |run| then(fetch, run);
            plugins.run_async(Role::Store, make, left, blocks, then);
        });
    }

    fn go_on(self, begun: Ended<Result<Begun, Fault>>) {
        let Ended {
            answer,
            returned,
            still_runs,
        } = begun.flat();
        let answer = match answer {
            Ok(Begun::Blocks(function)) => {
                self.fetcher.blocks.store(true, Ordering::Relaxed);
                return self.block(Plugins::store_threads, function);
            }
            Ok(Begun::Awaits(fetching)) => {
                self.fetcher.blocks.store(false, Ordering::Relaxed);
                return self.join_async(fetching);
            }
            Ok(Begun::Ended(fetched)) => Ok(fetched),
            Err(fault) => Err(fault),
        };
        self.ended(Ended {
            answer,
            returned,
            still_runs,
        });
    }

    /// Goes on among async plug-ins.
    fn join_async(self, fetching: Foreign<FetchFuture>) {
        let go_on = async move || match fetching.take() {
            Some(fetching) => Ok(fetching.await),
            None => Err(Fault::Gone),
        };
        self.run_async(go_on, |fetch, run: Ended<Result<Fetched, Fault>>| {
            fetch.ended(run.flat());
        });
    }

    /// Goes on where it may block, when a thread is there.
    fn block(self, threads: fn(&Plugins) -> &ThreadPool, function: Foreign<Function>) {
        self.when_there(threads, |fetch, slot, left| {
            let run = move || match function.take() {
                Some(function) => Ok(function()),
                None => Err(Fault::Gone),
            };
            slot.run(run, left, move |run| fetch.ended(run.flat()));
        });
    }

    /// Goes on with a thread of these, which it waits for within its limit.
    fn when_there(
        self,
        threads: fn(&Plugins) -> &ThreadPool,
        go_on: impl FnOnce(Self, Slot, Duration) + Send + 'static,
    ) {
        let plugins = Arc::clone(&self.fetcher.plugins);
        let pool = threads(&plugins);
        match pool.try_reserve() {
            Ok(slot) => {
                let left = self.left();
                go_on(self, slot, left);
            }
            Err(Fault::NoThread { .. } | Fault::ThreadRefused { .. }) => {
                let reserved = pool.reserve_within(self.left());
                self.wait_for(reserved, go_on);
            }
            Err(fault) => self.failed(fault),
        }
    }

    /// Goes on among async plug-ins, as soon as the system gives them a thread.
    fn when_async_is_there(self, go_on: impl FnOnce(Self, (), Duration) + Send + 'static) {
        let plugins = Arc::clone(&self.fetcher.plugins);
        match plugins.has_async_thread() {
            Err(Fault::ThreadRefused { .. }) => {
                let there = plugins.async_thread_within(self.left());
                self.wait_for(there, go_on);
            }
            // Where all are blocked it waits among the async plug-ins.
            Ok(()) | Err(_) => {
                let left = self.left();
                go_on(self, (), left);
            }
        }
    }

    fn wait_for<T: Send + 'static>(
        self,
        there: impl Future<Output = Result<T, Fault>> + Send + 'static,
        go_on: impl FnOnce(Self, T, Duration) + Send + 'static,
    ) {
        let (end, is_given_up) = oneshot::channel::<()>();
        if let Waits::GivenUp = self.fetcher.waits(Waits::Until { _end: end }) {
            return self.failed(Fault::Gone);
        }
        let plugins = Arc::clone(&self.fetcher.plugins);
        plugins.run_own(async move {
            let there = tokio::select! {
                biased;
                _ = is_given_up => Err(Fault::Gone),
                there = there => there,
            };
            match there {
                Ok(there) => {
                    let left = self.left();
                    go_on(self, there, left);
                }
                Err(fault) => self.failed(fault),
            }
        });
    }

    /// What is left of its limit.
    fn left(&self) -> Duration {
        self.fetcher.limit.saturating_sub(self.begun.elapsed())
    }

    fn ended(self, run: Ended<Fetched>) {
        self.end(run.answer, run.still_runs.then_some(run.returned));
    }

    fn failed(self, fault: Fault) {
        self.end(Err(fault), None);
    }

    fn end(self, answer: Result<Fetched, Fault>, still_running: Option<Returned>) {
        let refused = match &answer {
            Err(Fault::ThreadRefused { why }) => Some(why.clone()),
            _ => None,
        };
        let answer = match answer {
            Ok(Ok(keys)) => {
                self.fetcher.look_at(&keys);
                Ok(keys)
            }
            Ok(Err(StoreError::Invalid(why))) => Err(FetchFailure::Invalid(why)),
            Ok(Err(error)) => {
                let why = error.described(&self.scrubber);
                Err(FetchFailure::Failed { why })
            }
            Err(fault) => {
                let (origin, limit) = (self.fetcher.origin, self.fetcher.limit);
                let why = why(fault, origin, limit, self.left(), &self.scrubber);
                let why = self.scrubber.scrub_str(&why);
                Err(FetchFailure::Failed { why })
            }
        };
        (self.told)(FetchEnd {
            answer,
            still_running,
            refused,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::place::{MustNotBlock, may_block, wait};
    use crate::guard::plugins::PluginThreads;
    use std::future::ready;
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(300);

    /// Answers the name of the thread that its code runs on; which kind of code, a test says.
    struct Changing {
        blocks: AtomicBool,
        begun_on: Mutex<Sender<String>>,
        hangs: Mutex<Option<Receiver<()>>>,
    }

    fn here() -> String {
        thread::current().name().unwrap_or_default().to_owned()
    }

    impl KeysStore for Changing {
        fn fetch(&self, _: &StoreRequest) -> Fetching {
            assert!(tokio::runtime::Handle::try_current().is_ok());
            assert_eq!(wait(ready(())), Err(MustNotBlock));
            self.begun_on.lock().unwrap().send(here()).unwrap();
            if !self.blocks.load(Ordering::SeqCst) {
                return Fetching::future(async { Ok(here().into()) });
            }
            let hangs = self.hangs.lock().unwrap().take();
            Fetching::blocking(move || {
                assert!(may_block());
                hangs.map(|hangs| hangs.recv());
                Ok(here().into())
            })
        }
    }

    struct Asked {
        fetcher: Arc<Fetcher>,
        store: Arc<Changing>,
        begun_on: Receiver<String>,
    }

    fn plugins() -> Arc<Plugins> {
        let threads = PluginThreads {
            stores: 1,
            callbacks: 1,
            ..PluginThreads::default()
        };
        Arc::new(Plugins::start(threads).unwrap())
    }

    fn asked(limit: Duration) -> Asked {
        asked_on(plugins(), limit)
    }

    fn asked_on(plugins: Arc<Plugins>, limit: Duration) -> Asked {
        let (told, begun_on) = channel();
        let store = Arc::new(Changing {
            blocks: AtomicBool::new(false),
            begun_on: Mutex::new(told),
            hangs: Mutex::new(None),
        });
        let of_fetcher = Foreign::new(Arc::clone(&store) as Arc<dyn KeysStore>);
        let fetcher = Fetcher::new(
            plugins,
            of_fetcher,
            StoreRequest::new("k"),
            limit,
            Events::start().unwrap(),
        );
        Asked {
            fetcher,
            store,
            begun_on,
        }
    }

    impl Asked {
        fn begin(&self) -> Receiver<FetchEnd> {
            let (told, ended) = channel();
            let scrubber = Scrubber::default();
            self.fetcher
                .fetch(scrubber, move |end| told.send(end).ok().unwrap());
            ended
        }

        fn ended(&self) -> FetchEnd {
            self.begin().recv().unwrap()
        }

        /// Why a fetch has failed.
        fn why(&self) -> String {
            match self.ended().answer {
                Err(FetchFailure::Failed { why }) => why,
                other => panic!("{other:?}"),
            }
        }

        /// Where the fetch was begun, and where its code ran.
        fn places(&self) -> (String, String) {
            let keys = self.ended().answer.unwrap();
            let ran_on = keys.to_pair().forward().expose_str().unwrap().to_owned();
            (self.begun_on.recv().unwrap(), ran_on)
        }
    }

    #[test]
    fn a_store_is_asked_where_its_last_fetch_ran_and_may_answer_another_kind() {
        let asked = asked(LONG);
        let (runtime, thread) = ("keyward-plugin", "keyward-store");
        let cases = [
            (false, runtime, runtime),
            (true, runtime, thread),
            (true, thread, thread),
            (false, thread, runtime),
            (false, runtime, runtime),
        ];
        for (blocks, begun_on, ran_on) in cases {
            asked.store.blocks.store(blocks, Ordering::SeqCst);
            let seen = asked.places();
            assert_eq!(seen, (begun_on.to_owned(), ran_on.to_owned()));
        }
    }

    #[test]
    fn without_a_thread_only_a_fetch_that_needs_one_waits_for_it() {
        let plugins = plugins();
        let needs_one = asked_on(Arc::clone(&plugins), LONG);
        needs_one.store.blocks.store(true, Ordering::SeqCst);
        let needs_none = asked_on(Arc::clone(&plugins), LONG);
        let taken = plugins.store_threads().try_reserve().unwrap();
        let waits = needs_one.begin();
        assert_eq!(needs_one.begun_on.recv().unwrap(), "keyward-plugin");
        assert!(needs_none.ended().answer.is_ok());
        assert!(waits.try_recv().is_err());
        drop(taken);
        assert!(waits.recv().unwrap().answer.is_ok());
    }

    #[test]
    fn a_fetch_that_waits_for_a_thread_and_is_given_up_asks_nothing() {
        let plugins = plugins();
        let asked = asked_on(Arc::clone(&plugins), LONG);
        asked.store.blocks.store(true, Ordering::SeqCst);
        let (asks, is_asked) = channel();
        *asked.store.hangs.lock().unwrap() = Some(is_asked);
        let taken = plugins.store_threads().try_reserve().unwrap();
        let waits = asked.begin();
        asked.begun_on.recv().unwrap();
        asked.fetcher.give_up();
        assert!(waits.recv().unwrap().answer.is_err());
        drop(taken);
        // Its function, which has the other end, is gone without a call.
        while asks.send(()).is_ok() {
            thread::yield_now();
        }
        assert!(plugins.store_threads().try_reserve().is_ok());
    }

    #[test]
    fn a_fetch_waits_for_a_thread_no_longer_than_its_limit_and_not_for_those_that_hang() {
        let plugins = plugins();
        let waits = asked_on(Arc::clone(&plugins), SHORT);
        waits.store.blocks.store(true, Ordering::SeqCst);
        let taken = plugins.store_threads().try_reserve().unwrap();
        let why = waits.why();
        assert!(why.contains("none of the 1 threads"), "{why}");
        drop(taken);
        let hangs = asked_on(Arc::clone(&plugins), SHORT);
        hangs.store.blocks.store(true, Ordering::SeqCst);
        let (go, gone) = channel();
        *hangs.store.hangs.lock().unwrap() = Some(gone);
        let still_running = hangs.ended().still_running.expect("it still runs");
        let others = asked_on(plugins, LONG);
        others.store.blocks.store(true, Ordering::SeqCst);
        let why = others.why();
        assert!(why.contains("have passed their time limits"), "{why}");
        go.send(()).unwrap();
        wait(still_running).unwrap();
        assert!(others.ended().answer.is_ok());
    }

    #[test]
    fn a_function_beyond_its_limit_still_runs_wherever_it_was_begun() {
        let asked = asked(SHORT);
        asked.store.blocks.store(true, Ordering::SeqCst);
        for begun_on in ["keyward-plugin", "keyward-store"] {
            let (go, gone) = channel();
            *asked.store.hangs.lock().unwrap() = Some(gone);
            let end = asked.ended();
            assert!(end.answer.is_err());
            assert_eq!(asked.begun_on.recv().unwrap(), begun_on);
            go.send(()).unwrap();
            wait(end.still_running.expect("it still runs")).unwrap();
        }
    }
}
