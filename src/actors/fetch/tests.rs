//! Fetches from stores that change the kind of their fetch, and that hang.

use super::*;
use crate::guard::plugins::PluginThreads;
use crate::guard::this_thread::{MustNotBlock, may_block, wait};
use crate::key::event::FetchFailure;
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
        let keys = self.ended().answer.unwrap().keys;
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
