//! Async plug-ins, from their making to their drop.

use std::future::{pending, poll_fn, ready};
use std::panic::panic_any;
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{LONG, PanicsWhenDropped, Run, SHORT, code, plugins, run_async};
use crate::guard::fault::Fault;
use crate::guard::plugins::PluginThreads;
use crate::guard::this_thread::{MustNotBlock, Role, current_role, may_block, wait};

/// Says by its drop where it was dropped.
struct TellsItsDrop(mpsc::Sender<(bool, Option<Role>)>);

impl Drop for TellsItsDrop {
    fn drop(&mut self) {
        let _ = self.0.send((may_block(), current_role()));
    }
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
