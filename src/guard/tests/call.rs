//! The one outcome of a call, and what is told of it.

use std::future::{pending, ready};
use std::panic::panic_any;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{LONG, PanicsWhenDropped, Run, SHORT, code, plugins, run_async, waited};
use crate::guard::fault::Fault;
use crate::guard::foreign_call::Ended;
use crate::guard::plugins::{PluginThreads, Plugins};
use crate::guard::this_thread::Role;

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
            (name("keyward-timer"), Err("timed_out")),
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
