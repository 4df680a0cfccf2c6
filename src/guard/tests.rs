//! Async plug-ins, from their making to their drop, and the end of all that runs them.

use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::panic::panic_any;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::fault::Fault;
use super::place::{MustNotBlock, Role, current_role, may_block, wait};
use super::plugins::{PluginThreads, Plugins};
use super::run::{Ended, Returned};

pub(super) const LONG: Duration = Duration::from_secs(60);
pub(super) const SHORT: Duration = Duration::from_millis(20);

pub(super) struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic_any("a second panic");
    }
}

/// Says by its drop where it was dropped.
struct TellsItsDrop(mpsc::Sender<(bool, Option<Role>)>);

impl Drop for TellsItsDrop {
    fn drop(&mut self) {
        let _ = self.0.send((may_block(), current_role()));
    }
}

pub(super) fn plugins() -> Plugins {
    Plugins::start(PluginThreads::default()).expect("it starts")
}

pub(super) fn waited<F: Future>(future: F) -> F::Output {
    wait(future).expect("a test's thread may block")
}

/// A call whose outcome a test waits for.
pub(super) struct Run<T> {
    ended: oneshot::Receiver<Ended<T>>,
    returned: Option<Returned>,
}

type Then<T> = Box<dyn FnOnce(Ended<T>) + Send>;

impl<T: Send + 'static> Run<T> {
    pub(super) fn of(begin: impl FnOnce(Then<T>)) -> Self {
        let (told, ended) = oneshot::channel();
        begin(Box::new(move |ended| drop(told.send(ended))));
        Self {
            ended,
            returned: None,
        }
    }

    pub(super) fn outcome(&mut self) -> Result<T, Fault> {
        let ended = waited(&mut self.ended).expect("every call is answered");
        self.returned = Some(ended.returned);
        ended.answer
    }

    /// Waits until it is told the outcome and the code has really come back.
    pub(super) fn come_back(mut self) {
        if self.returned.is_none() {
            drop(self.outcome());
        }
        if let Some(returned) = self.returned {
            waited(returned);
        }
    }
}

pub(super) fn run_async<T, F>(
    plugins: &Plugins,
    role: Role,
    make: impl FnOnce() -> F + Send + 'static,
    limit: Duration,
) -> Run<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    Run::of(|then| plugins.run_async(role, make, limit, || (), then))
}

pub(super) fn code<T: Send + 'static>(mut run: Run<T>) -> Result<T, &'static str> {
    let outcome = run.outcome().map_err(|fault| fault.code());
    run.come_back();
    outcome
}

#[test]
fn an_async_plugin_runs_on_keywards_own_runtime() {
    let plugins = plugins();
    let name = || thread::current().name().map(str::to_owned);
    let run = run_async(
        &plugins,
        Role::Store,
        move || {
            let made_on = name();
            async move {
                tokio::time::sleep(Duration::ZERO).await;
                (made_on, name())
            }
        },
        LONG,
    );
    let here = Some("keyward-plugin".to_owned());
    assert_eq!(code(run), Ok((here.clone(), here)));
}

#[test]
fn its_making_polls_and_drop_know_that_they_may_not_block_and_for_whom_they_run() {
    let plugins = plugins();
    let (tell, told) = mpsc::channel();
    let place = || (may_block(), current_role());
    let run = run_async(
        &plugins,
        Role::Callback,
        move || {
            let made = place();
            let tells = TellsItsDrop(tell);
            async move {
                let _kept = &tells;
                let refused = wait(ready(()));
                tokio::task::yield_now().await;
                (made, place(), refused)
            }
        },
        LONG,
    );
    let inside = (false, Some(Role::Callback));
    assert_eq!(code(run), Ok((inside, inside, Err(MustNotBlock))));
    assert_eq!(told.recv(), Ok(inside));
    assert_eq!(place(), (true, None));
}

#[test]
fn what_it_spawns_may_block_only_where_the_runtime_puts_blocking_code() {
    let plugins = plugins();
    let make = || async {
        let task = tokio::spawn(async { may_block() }).await.ok();
        let blocking = tokio::task::spawn_blocking(|| wait(ready(7))).await.ok();
        (task, blocking)
    };
    let run = run_async(&plugins, Role::Store, make, LONG);
    assert_eq!(code(run), Ok((Some(false), Some(Ok(7)))));
}

#[test]
fn it_is_dropped_when_its_limit_passes_inside_the_guard() {
    let plugins = plugins();
    let (tell, told) = mpsc::channel();
    let make = move || {
        let tells = TellsItsDrop(tell);
        async move {
            let _kept = tells;
            pending::<()>().await;
        }
    };
    let mut run = run_async(&plugins, Role::Callback, make, SHORT);
    assert_eq!(run.outcome(), Err(Fault::TimedOut { limit: SHORT }));
    run.come_back();
    assert_eq!(told.try_recv(), Ok((false, Some(Role::Callback))));
}

#[test]
fn plugins_that_block_all_threads_of_the_runtime_do_not_stop_the_clock() {
    let plugins = plugins();
    let (gos, runs): (Vec<_>, Vec<_>) = (0..PluginThreads::default().asyncs + 1)
        .map(|_| {
            let (go, gone) = mpsc::channel::<()>();
            let make = move || async move { gone.recv().is_ok() };
            (go, run_async(&plugins, Role::Store, make, SHORT))
        })
        .unzip();
    let mut left = Vec::new();
    for mut run in runs {
        assert_eq!(run.outcome(), Err(Fault::TimedOut { limit: SHORT }));
        left.push(run);
    }
    drop(gos);
    left.into_iter().for_each(Run::come_back);
}

#[test]
fn a_plugin_that_is_left_one_thread_goes_on_with_its_timers_while_others_block_theirs() {
    let plugins = plugins();
    let (gos, runs): (Vec<_>, Vec<_>) = (1..PluginThreads::default().asyncs)
        .map(|_| {
            let (go, gone) = mpsc::channel::<()>();
            let make = move || async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                gone.recv().is_ok()
            };
            (go, run_async(&plugins, Role::Store, make, LONG))
        })
        .unzip();
    let wakes_and_sleeps = || async {
        let (tell, told) = oneshot::channel();
        let spawned = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            tell.send(7)
        });
        let told = told.await;
        (told, spawned.await.is_ok())
    };
    for _ in 0..20 {
        let run = run_async(&plugins, Role::Callback, wakes_and_sleeps, LONG);
        assert_eq!(code(run), Ok((Ok(7), true)));
    }
    drop(gos);
    runs.into_iter().for_each(Run::come_back);
}

#[test]
fn what_a_plugin_spawns_may_block_its_thread_and_the_timers_of_later_plugins_go_on() {
    let plugins = plugins();
    let (go, gone) = mpsc::channel::<()>();
    let spawns = || async move {
        drop(tokio::spawn(async move { gone.recv().is_ok() }));
    };
    assert_eq!(code(run_async(&plugins, Role::Store, spawns, LONG)), Ok(()));
    let sleeps = || async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        tokio::spawn(async { 7 }).await.ok()
    };
    let begun = std::time::Instant::now();
    while code(run_async(&plugins, Role::Store, sleeps, SHORT)) != Ok(Some(7)) {
        assert!(begun.elapsed() < LONG, "its timers stand still");
    }
    drop(go);
}

#[test]
fn one_that_blocks_its_thread_beyond_its_limit_is_named_and_one_that_awaits_is_not() {
    let threads = PluginThreads {
        asyncs: 2,
        ..PluginThreads::default()
    };
    let plugins = Plugins::start(threads).expect("it starts");
    let (tell, told) = mpsc::channel();
    let run = |name: &'static str, sleeps: bool, gone: mpsc::Receiver<()>| {
        let tell = tell.clone();
        let make = move || async move {
            match sleeps {
                true => tokio::time::sleep(LONG).await,
                false => drop(gone.recv()),
            }
        };
        let blocks = move || {
            let _ = tell.send(name);
        };
        Run::of(|then| plugins.run_async(Role::Store, make, SHORT, blocks, then))
    };
    let never = || mpsc::channel().1;
    let (go, gone) = mpsc::channel();
    let mut awaits = run("awaits", true, never());
    assert!(awaits.outcome().is_err());
    awaits.come_back();
    assert_eq!(plugins.has_async_thread(), Ok(()));
    let mut first = run("first", false, gone);
    assert!(first.outcome().is_err());
    assert_eq!(told.recv(), Ok("first"));
    assert_eq!(plugins.has_async_thread(), Ok(()));
    let (go_too, gone_too) = mpsc::channel();
    let mut second = run("second", false, gone_too);
    assert!(second.outcome().is_err());
    assert_eq!(told.recv(), Ok("second"));
    let none = Err(Fault::NoThread { threads: 2 });
    assert_eq!(plugins.has_async_thread(), none, "all are blocked");
    drop((go, go_too));
    first.come_back();
    second.come_back();
    assert_eq!(plugins.has_async_thread(), Ok(()));
    assert!(told.try_recv().is_err());
}

#[test]
fn one_that_blocks_its_thread_in_its_drop_is_named_too() {
    struct BlocksInItsDrop(mpsc::Receiver<()>);
    impl Drop for BlocksInItsDrop {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }
    let plugins = plugins();
    let (go, gone) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let gone = Mutex::new(Some(gone));
    let make = move || async move {
        let gone = gone.lock().ok().and_then(|mut gone| gone.take());
        let _kept = gone.map(BlocksInItsDrop);
        pending::<()>().await;
    };
    let blocks = move || {
        let _ = tell.send(());
    };
    let mut run = Run::of(|then| plugins.run_async(Role::Callback, make, SHORT, blocks, then));
    assert_eq!(run.outcome(), Err(Fault::TimedOut { limit: SHORT }));
    assert_eq!(told.recv(), Ok(()));
    drop(go);
    run.come_back();
}

#[test]
fn one_that_waited_long_for_a_thread_and_blocks_it_in_its_drop_is_named_too() {
    struct BlocksInItsDrop(mpsc::Receiver<()>);
    impl Drop for BlocksInItsDrop {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }
    let plugins = Plugins::start(PluginThreads {
        asyncs: 1,
        ..PluginThreads::default()
    })
    .expect("it starts");
    let (go, gone) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    let blocks = move || async move {
        begun.send(()).expect("heard");
        gone.recv().is_ok()
    };
    let first = run_async(&plugins, Role::Store, blocks, LONG);
    has_begun.recv().expect("it has the thread");
    let (go_too, gone_too) = mpsc::channel();
    let kept = BlocksInItsDrop(gone_too);
    let make = move || async move {
        let _kept = kept;
        pending::<()>().await;
    };
    let (tell, told) = mpsc::channel();
    let blocks = move || tell.send(()).expect("heard");
    let mut second = Run::of(|then| plugins.run_async(Role::Store, make, SHORT, blocks, then));
    assert_eq!(second.outcome(), Err(Fault::TimedOut { limit: SHORT }));
    thread::sleep(Duration::from_millis(500));
    assert_eq!(plugins.has_async_thread(), Ok(()));
    drop(go);
    first.come_back();
    assert_eq!(told.recv(), Ok(()));
    let none = Err(Fault::NoThread { threads: 1 });
    assert_eq!(plugins.has_async_thread(), none);
    drop(go_too);
    second.come_back();
    assert_eq!(plugins.has_async_thread(), Ok(()));
}

#[test]
fn one_that_enters_a_runtime_and_does_not_leave_it_ends_neither_the_process_nor_its_thread() {
    fn enters() {
        std::mem::forget(tokio::runtime::Handle::current().enter());
    }
    struct EntersInItsDrop;
    impl Drop for EntersInItsDrop {
        fn drop(&mut self) {
            enters();
        }
    }
    let plugins = Plugins::start(PluginThreads {
        asyncs: 1,
        ..PluginThreads::default()
    })
    .expect("it starts");
    let in_poll = run_async(&plugins, Role::Store, || async { enters() }, LONG);
    assert_eq!(code(in_poll), Err("panicked"));
    let in_drop = || {
        let kept = EntersInItsDrop;
        async move {
            let _kept = kept;
            pending::<()>().await;
        }
    };
    let in_drop = run_async(&plugins, Role::Store, in_drop, SHORT);
    assert_eq!(code(in_drop), Err("timed_out"));
    assert_eq!(
        code(run_async(&plugins, Role::Store, || ready(7), LONG)),
        Ok(7)
    );
}

#[test]
fn a_panic_anywhere_in_it_is_an_error() {
    let plugins = plugins();
    let in_make = run_async(
        &plugins,
        Role::Store,
        || -> std::future::Ready<()> { panic!("make") },
        LONG,
    );
    assert_eq!(code(in_make), Err("panicked"));
    let in_poll = run_async(
        &plugins,
        Role::Store,
        || async { panic_any(PanicsWhenDropped) },
        LONG,
    );
    let outcome: Result<(), _> = code(in_poll);
    assert_eq!(outcome, Err("panicked"));
    let after_await = run_async(
        &plugins,
        Role::Store,
        || async {
            tokio::task::yield_now().await;
            panic!("poll")
        },
        LONG,
    );
    let outcome: Result<(), _> = code(after_await);
    assert_eq!(outcome, Err("panicked"));
    assert_eq!(
        code(run_async(&plugins, Role::Store, || ready(7), LONG)),
        Ok(7)
    );
}

#[test]
fn a_panic_in_its_drop_is_passed_over() {
    let plugins = plugins();
    let held = |pends: bool, panics: bool| {
        move || {
            let bomb = PanicsWhenDropped;
            poll_fn(move |_| {
                let _kept = &bomb;
                assert!(!panics, "a first panic");
                if pends { Poll::Pending } else { Poll::Ready(7) }
            })
        }
    };
    let run = |make, limit| code(run_async(&plugins, Role::Callback, make, limit));
    assert_eq!(run(held(false, false), LONG), Ok(7));
    assert_eq!(run(held(true, false), SHORT), Err("timed_out"));
    assert_eq!(run(held(false, true), LONG), Err("panicked"));
}

#[test]
fn dropping_the_run_ends_nothing() {
    let plugins = plugins();
    let (go, gone) = oneshot::channel::<()>();
    let (tell, told) = mpsc::channel();
    drop(run_async(
        &plugins,
        Role::Store,
        move || async move {
            let _ = tell.send(gone.await.is_ok());
            PanicsWhenDropped
        },
        LONG,
    ));
    go.send(()).expect("the plug-in still waits");
    assert_eq!(told.recv(), Ok(true));
}

#[test]
fn what_begins_on_a_thread_for_blocking_stores_may_use_tokio_and_must_not_block() {
    let plugins = Arc::new(plugins());
    let here = Arc::clone(&plugins);
    let slot = plugins.store_threads().try_reserve().expect("a thread");
    let begins = move || {
        let begun = here.begin_here(Role::Store, || {
            let tokio = tokio::runtime::Handle::try_current().is_ok();
            (tokio, may_block(), current_role())
        });
        (begun, may_block())
    };
    assert_eq!(
        code(Run::of(|then| slot.run(begins, LONG, then))),
        Ok((Ok((true, false, Some(Role::Store))), true))
    );
}

#[test]
fn the_last_handle_may_be_dropped_in_an_async_task_of_a_program() {
    let bare = Builder::new_current_thread().build().expect("a runtime");
    let outcome = bare.block_on(async {
        let plugins = plugins();
        let run = run_async(&plugins, Role::Store, pending::<()>, LONG);
        drop(plugins);
        run.ended.await.map(|ended| ended.answer)
    });
    assert_eq!(outcome, Ok(Err(Fault::Gone)));
}

#[test]
fn the_last_handle_may_be_dropped_by_a_plugin_itself() {
    let dropped_by = |blocking: bool| {
        let plugins = Arc::new(plugins());
        let slot = plugins
            .callback_threads()
            .try_reserve()
            .expect("a thread is left");
        let (go, gone) = mpsc::channel::<Arc<Plugins>>();
        let (tell, told) = mpsc::channel();
        let last = move || {
            let dropped = std::panic::catch_unwind(|| drop(gone.recv()));
            let _ = tell.send(dropped.is_ok());
        };
        let run = if blocking {
            Run::of(|then| slot.run(last, LONG, then))
        } else {
            run_async(&plugins, Role::Callback, || async move { last() }, LONG)
        };
        go.send(plugins).expect("the plug-in waits");
        assert_eq!(told.recv(), Ok(true));
        run.come_back();
    };
    dropped_by(true);
    dropped_by(false);
}

#[test]
fn no_threads_at_all_are_refused_at_the_start() {
    let threads = PluginThreads {
        stores: 0,
        callbacks: 1,
        ..PluginThreads::default()
    };
    let kind = Plugins::start(threads).err().map(|error| error.kind());
    assert_eq!(kind, Some(io::ErrorKind::InvalidInput));
}

#[test]
fn plugins_and_their_runs_can_be_shared_and_sent() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send + Unpin>() {}
    shared::<Plugins>();
    sent::<Ended<std::cell::Cell<u8>>>();
    sent::<super::threads::Slot>();
}
