//! One fetch from a store, inside its guard and on the right thread.
//!
//! Reading order: this file runs it, `wait` has its wait for a thread, `end` its end, `mark` a warning
//! about what it answered.

pub mod fetch_end;
mod mark;
mod wait;
pub mod what;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::actors::fetch::fetch_end::{Circumstances, FetchEnd};
use crate::actors::fetch::mark::Mark;
use crate::actors::fetch::wait::ThreadWait;
use crate::actors::fetch::what::What;
use crate::guard::events::Events;
use crate::guard::fault::{self, Fault};
use crate::guard::foreign::Foreign;
use crate::guard::foreign_call::{Ended, Returned};
use crate::guard::plugins::Plugins;
use crate::guard::this_thread::Role;
use crate::guard::thread_pool::{Slot, ThreadPool};
use crate::secret::scrub::Scrubber;
use crate::secret::value::SecretKeys;
use crate::store::error::StoreError;
use crate::store::keys_store::{FetchResult, Fetching, KeysStore, StoreRequest};
use crate::store::origin::{AskedByKeyward, StoreOrigin};

/// Fetches from one store, each time for at most a limit.
pub struct Fetcher {
    what: What,
    plugins: Arc<Plugins>,
    store: Foreign<Arc<dyn KeysStore>>,
    origin: StoreOrigin,
    request: StoreRequest,
    limit: Duration,
    events: Events,
    /// Whether the last fetch was a function that may block. What the next one is only the store can
    /// tell, which is asked where most likely it goes on, so that mostly no other thread is needed.
    blocks: AtomicBool,
    wait: ThreadWait,
    mark: Mark,
}

type FetchFuture = Pin<Box<dyn Future<Output = FetchResult> + Send>>;
type Function = Box<dyn FnOnce() -> FetchResult + Send>;

/// How far a fetch came where it was begun.
enum Begun {
    Ended(FetchResult),
    /// It goes on where it may block.
    Blocks(Foreign<Function>),
    /// It goes on among async plug-ins.
    Awaits(Foreign<FetchFuture>),
}

impl Fetcher {
    /// What fetches from this store. Its last owner drops the store where that may be done.
    pub fn new(
        plugins: Arc<Plugins>,
        store: Foreign<Arc<dyn KeysStore>>,
        request: StoreRequest,
        limit: Duration,
        events: Events,
    ) -> Arc<Self> {
        let origin = store.get().map(|store| store.origin(AskedByKeyward));
        Arc::new(Self {
            what: What::Fetch,
            plugins,
            store,
            origin: origin.unwrap_or(StoreOrigin::Foreign),
            request,
            limit,
            events,
            blocks: AtomicBool::new(false),
            wait: ThreadWait::default(),
            mark: Mark::default(),
        })
    }

    /// Begins a fetch. `told` is told its end, on the thread that has it.
    pub fn fetch(
        self: &Arc<Self>,
        scrubber: Scrubber,
        told: impl FnOnce(FetchEnd) + Send + 'static,
    ) {
        self.wait.begin();
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

    /// The same store, asked for something else.
    pub fn asked_to(&self, what: What) -> Arc<Self> {
        Arc::new(Self {
            what,
            plugins: Arc::clone(&self.plugins),
            store: self.store.share(),
            origin: self.origin,
            request: self.request.clone(),
            limit: self.limit,
            events: self.events.clone(),
            blocks: AtomicBool::new(self.blocks.load(Ordering::Relaxed)),
            wait: ThreadWait::default(),
            mark: Mark::default(),
        })
    }

    /// Which files it reads.
    pub fn files(&self) -> Vec<PathBuf> {
        let files = || {
            let store = self.store.get();
            store.map(|store| store.files(AskedByKeyward))
        };
        fault::catch(files).ok().flatten().unwrap_or_default()
    }

    /// Ends the fetch that is under way, if it still waits for a thread: its answer is not wanted any
    /// more.
    pub fn give_up(&self) {
        self.wait.give_up();
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
        let request = self.request.within(self.limit, begun);
        let asked = match &self.what {
            What::Fetch => Some(store.fetch(&request)),
            What::Look => store.look(&request),
            What::Replace(swap) => store.replace(&request, swap),
        };
        Ok(asked.unwrap_or_else(|| Fetching::future(async { Err(StoreError::ReadOnly) })))
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
    /// Begins a fetch from a store of keyward's own, which may be asked anywhere.
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
        self.run_async(go_on, |fetch, run: Ended<Result<FetchResult, Fault>>| {
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
        let Some(is_given_up) = self.fetcher.wait.wait() else {
            return self.failed(Fault::Gone);
        };
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

    fn ended(self, run: Ended<FetchResult>) {
        self.end(run.answer, run.still_runs.then_some(run.returned));
    }

    fn failed(self, fault: Fault) {
        self.end(Err(fault), None);
    }

    fn end(self, answer: Result<FetchResult, Fault>, still_running: Option<Returned>) {
        if let Ok(Ok(fetched)) = &answer {
            self.fetcher.look_at(&fetched.keys);
        }
        let circumstances = Circumstances {
            origin: self.fetcher.origin,
            limit: self.fetcher.limit,
            left: self.left(),
            scrubber: &self.scrubber,
        };
        let end = FetchEnd::new(answer, still_running, &circumstances);
        (self.told)(end);
    }
}

#[cfg(test)]
mod tests;
