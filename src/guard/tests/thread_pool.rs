//! Blocking code on threads set apart, and their bound.

use std::future::Future;
use std::panic::panic_any;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::time::sleep;

use super::{LONG, PanicsWhenDropped, Run, SHORT, waited};
use crate::guard::fault::Fault;
use crate::guard::plugins::{PluginThreads, Plugins};
use crate::guard::this_thread::{Role, current_role, may_block, wait};
use crate::guard::thread_pool::{ASK_AGAIN, Slot, ThreadPool};

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
    pool.refuse(true);
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
        pool.refuse(false);
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
