//! One fetch from a store, inside its guard and on the right thread.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::guard::fault::Fault;
use crate::guard::place::Role;
use crate::guard::plugins::Plugins;
use crate::guard::run::{Ended, Returned};
use crate::guard::threads::Slot;
use crate::key::event::FetchFailure;
use crate::secret::scrub::Scrubber;
use crate::secret::value::SecretKeys;
use crate::store::error::StoreError;
use crate::store::keys_store::{Fetched, Fetching, KeysStore, StoreRequest};

/// How a fetch ended.
pub struct FetchEnd {
    /// The keys, or why there are none.
    pub answer: Result<SecretKeys, FetchFailure>,
    /// When the thread comes back that still runs, if the limit passed under a blocking store.
    pub still_running: Option<Returned>,
}

/// Fetches from one store, each time for at most a limit.
pub struct Fetcher {
    plugins: Arc<Plugins>,
    store: Arc<dyn KeysStore>,
    request: StoreRequest,
    limit: Duration,
    /// Whether the last fetch was a function that may block. What the next one is only the store can
    /// tell, which is asked where most likely it goes on, so that mostly no other thread is needed.
    blocks: AtomicBool,
}

/// How far a fetch came where it was begun.
enum Begun {
    Ended(Fetched),
    /// It goes on where it may block.
    Blocks(Box<dyn FnOnce() -> Fetched + Send>),
    /// It goes on on the runtime.
    Awaits(Pin<Box<dyn Future<Output = Fetched> + Send>>),
}

impl Fetcher {
    /// What fetches from this store.
    pub fn new(
        plugins: Arc<Plugins>,
        store: Arc<dyn KeysStore>,
        request: StoreRequest,
        limit: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            plugins,
            store,
            request,
            limit,
            blocks: AtomicBool::new(false),
        })
    }

    /// Begins a fetch. `told` is told its end, on the thread that has it.
    pub fn fetch(
        self: &Arc<Self>,
        scrubber: Scrubber,
        told: impl FnOnce(FetchEnd) + Send + 'static,
    ) {
        // Where no thread is left, only a store that needs one has failed.
        let thread = self.blocks.load(Ordering::Relaxed);
        match thread.then(|| self.plugins.store_threads().try_reserve()) {
            Some(Ok(slot)) => self.begin_on_thread(slot, scrubber, told),
            Some(Err(_)) | None => self.begin_on_runtime(scrubber, told),
        }
    }

    fn begin_on_thread(
        self: &Arc<Self>,
        slot: Slot,
        scrubber: Scrubber,
        told: impl FnOnce(FetchEnd) + Send + 'static,
    ) {
        let (of_thread, of_end) = (Arc::clone(self), Arc::clone(self));
        let begin = move || {
            let ask = || of_thread.store.fetch(&of_thread.request);
            match of_thread.plugins.begin_here(Role::Store, ask) {
                Fetching::Blocking(fetch) => Begun::Ended(fetch()),
                Fetching::Async(fetching) => Begun::Awaits(fetching),
            }
        };
        slot.run(begin, self.limit, move |run| {
            of_end.go_on(run, true, scrubber, told);
        });
    }

    fn begin_on_runtime(
        self: &Arc<Self>,
        scrubber: Scrubber,
        told: impl FnOnce(FetchEnd) + Send + 'static,
    ) {
        let (of_task, of_end) = (Arc::clone(self), Arc::clone(self));
        let begin = async move || match of_task.store.fetch(&of_task.request) {
            Fetching::Async(fetching) => Begun::Ended(fetching.await),
            Fetching::Blocking(fetch) => Begun::Blocks(fetch),
        };
        let plugins = &self.plugins;
        plugins.run_async(Role::Store, begin, self.limit, move |run| {
            of_end.go_on(run, false, scrubber, told);
        });
    }

    fn go_on(
        &self,
        begun: Ended<Begun>,
        on_thread: bool,
        scrubber: Scrubber,
        told: impl FnOnce(FetchEnd) + Send + 'static,
    ) {
        let Ended { answer, returned } = begun;
        let answer = match answer {
            Ok(Begun::Blocks(fetch)) => {
                self.blocks.store(true, Ordering::Relaxed);
                let (limit, threads) = (self.limit, self.plugins.store_threads());
                match threads.try_reserve() {
                    Ok(slot) => slot.run(fetch, limit, move |run| {
                        told(end_of(run, true, &scrubber));
                    }),
                    // It is dropped last, for that is foreign code.
                    Err(fault) => told(FetchEnd {
                        answer: Err(failure(fault, &scrubber)),
                        still_running: None,
                    }),
                }
                return;
            }
            Ok(Begun::Awaits(fetching)) => {
                self.blocks.store(false, Ordering::Relaxed);
                let (role, make) = (Role::Store, move || fetching);
                self.plugins.run_async(role, make, self.limit, move |run| {
                    told(end_of(run, false, &scrubber));
                });
                return;
            }
            Ok(Begun::Ended(fetched)) => Ok(fetched),
            Err(fault) => Err(fault),
        };
        told(end_of(Ended { answer, returned }, on_thread, &scrubber));
    }
}

fn end_of(run: Ended<Fetched>, on_thread: bool, scrubber: &Scrubber) -> FetchEnd {
    let hangs = on_thread && matches!(run.answer, Err(Fault::TimedOut { .. }));
    let answer = match run.answer {
        Ok(Ok(keys)) => Ok(keys),
        Ok(Err(StoreError::Invalid(why))) => Err(FetchFailure::Invalid(why)),
        Ok(Err(error)) => {
            let why = error.described(scrubber);
            Err(FetchFailure::Failed { why })
        }
        Err(fault) => Err(failure(fault, scrubber)),
    };
    FetchEnd {
        answer,
        still_running: hangs.then_some(run.returned),
    }
}

fn failure(fault: Fault, scrubber: &Scrubber) -> FetchFailure {
    let why = match fault {
        Fault::NoThread { threads } => {
            format!("no thread: all {threads} threads for blocking stores are taken")
        }
        fault => fault.described(scrubber),
    };
    let why = scrubber.scrub_str(&why);
    FetchFailure::Failed { why }
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

    fn asked(limit: Duration) -> Asked {
        let threads = PluginThreads {
            stores: 1,
            callbacks: 1,
        };
        let plugins = Arc::new(Plugins::start(threads).unwrap());
        let (told, begun_on) = channel();
        let store = Arc::new(Changing {
            blocks: AtomicBool::new(false),
            begun_on: Mutex::new(told),
            hangs: Mutex::new(None),
        });
        let of_fetcher = Arc::clone(&store) as Arc<dyn KeysStore>;
        let fetcher = Fetcher::new(plugins, of_fetcher, StoreRequest::new("k"), limit);
        Asked {
            fetcher,
            store,
            begun_on,
        }
    }

    impl Asked {
        fn ended(&self) -> FetchEnd {
            let (told, ended) = channel();
            let scrubber = Scrubber::default();
            self.fetcher
                .fetch(scrubber, move |end| told.send(end).ok().unwrap());
            ended.recv().unwrap()
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
    fn without_a_thread_only_a_fetch_that_needs_one_has_failed() {
        let asked = asked(LONG);
        asked.store.blocks.store(true, Ordering::SeqCst);
        asked.places();
        let taken = asked.fetcher.plugins.store_threads().try_reserve();
        assert!(taken.is_ok());
        let Err(FetchFailure::Failed { why }) = asked.ended().answer else {
            panic!("it needs a thread");
        };
        assert!(why.starts_with("no thread"), "{why}");
        asked.store.blocks.store(false, Ordering::SeqCst);
        assert!(asked.ended().answer.is_ok());
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
