//! Async plug-ins, from their making to their drop, and the end of all that runs them.

use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::panic::panic_any;
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::fault::Fault;
use super::place::{MustNotBlock, Role, current_role, may_block, wait};
use super::plugins::{ASYNC_THREADS, PluginThreads, Plugins};
use super::run::Run;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

struct PanicsWhenDropped;

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

fn plugins() -> Plugins {
    Plugins::start(PluginThreads::default()).expect("it starts")
}

fn waited<F: Future>(future: F) -> F::Output {
    wait(future).expect("a test's thread may block")
}

fn code<T>(run: Run<T>) -> Result<T, &'static str> {
    let outcome = waited(run.outcome).map_err(|fault| fault.code());
    waited(run.returned);
    outcome
}

#[test]
fn an_async_plugin_runs_on_keywards_own_runtime() {
    let plugins = plugins();
    let name = || thread::current().name().map(str::to_owned);
    let run = plugins.run_async(
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
    let run = plugins.run_async(
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
    let run = plugins.run_async(Role::Store, make, LONG);
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
    let run = plugins.run_async(Role::Callback, make, SHORT);
    assert_eq!(waited(run.outcome), Err(Fault::TimedOut { limit: SHORT }));
    waited(run.returned);
    assert_eq!(told.try_recv(), Ok((false, Some(Role::Callback))));
}

#[test]
fn plugins_that_block_all_threads_of_the_runtime_do_not_stop_the_clock() {
    let plugins = plugins();
    let (gos, runs): (Vec<_>, Vec<_>) = (0..ASYNC_THREADS + 1)
        .map(|_| {
            let (go, gone) = mpsc::channel::<()>();
            let make = move || async move { gone.recv().is_ok() };
            (go, plugins.run_async(Role::Store, make, SHORT))
        })
        .unzip();
    let mut returned = Vec::new();
    for run in runs {
        assert_eq!(waited(run.outcome), Err(Fault::TimedOut { limit: SHORT }));
        returned.push(run.returned);
    }
    drop(gos);
    returned.into_iter().for_each(waited);
}

#[test]
fn a_panic_anywhere_in_it_is_an_error() {
    let plugins = plugins();
    let in_make = plugins.run_async(
        Role::Store,
        || -> std::future::Ready<()> { panic!("make") },
        LONG,
    );
    assert_eq!(code(in_make), Err("panicked"));
    let in_poll = plugins.run_async(Role::Store, || async { panic_any(PanicsWhenDropped) }, LONG);
    let outcome: Result<(), _> = code(in_poll);
    assert_eq!(outcome, Err("panicked"));
    let after_await = plugins.run_async(
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
        code(plugins.run_async(Role::Store, || ready(7), LONG)),
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
    let run = |make, limit| code(plugins.run_async(Role::Callback, make, limit));
    assert_eq!(run(held(false, false), LONG), Ok(7));
    assert_eq!(run(held(true, false), SHORT), Err("timed_out"));
    assert_eq!(run(held(false, true), LONG), Err("panicked"));
}

#[test]
fn dropping_the_run_ends_nothing() {
    let plugins = plugins();
    let (go, gone) = oneshot::channel::<()>();
    let (tell, told) = mpsc::channel();
    drop(plugins.run_async(
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
fn its_outcome_can_be_awaited_where_no_timer_is() {
    let plugins = plugins();
    let bare = Builder::new_current_thread().build().expect("a runtime");
    let make = || async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        7
    };
    let run = plugins.run_async(Role::Store, make, LONG);
    assert_eq!(bare.block_on(async move { run.await }), Ok(7));
}

#[test]
fn the_last_handle_may_be_dropped_in_an_async_task_of_a_program() {
    let bare = Builder::new_current_thread().build().expect("a runtime");
    let outcome = bare.block_on(async {
        let plugins = plugins();
        let run = plugins.run_async(Role::Store, pending::<()>, LONG);
        drop(plugins);
        run.await
    });
    assert_eq!(outcome, Err(Fault::Gone));
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
        let returned = if blocking {
            slot.run(last, LONG).returned
        } else {
            plugins
                .run_async(Role::Callback, || async move { last() }, LONG)
                .returned
        };
        go.send(plugins).expect("the plug-in waits");
        assert_eq!(told.recv(), Ok(true));
        waited(returned);
    };
    dropped_by(true);
    dropped_by(false);
}

#[test]
fn no_threads_at_all_are_refused_at_the_start() {
    let threads = PluginThreads {
        stores: 0,
        callbacks: 1,
    };
    let kind = Plugins::start(threads).err().map(|error| error.kind());
    assert_eq!(kind, Some(io::ErrorKind::InvalidInput));
}

#[test]
fn plugins_and_their_runs_can_be_shared_and_sent() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send + Unpin>() {}
    shared::<Plugins>();
    sent::<Run<std::cell::Cell<u8>>>();
    sent::<super::threads::Slot>();
}
