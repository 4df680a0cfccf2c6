//! Async plug-ins that block their threads, and what they leave behind.

use std::future::{pending, ready};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use super::{LONG, Run, SHORT, code, plugins, run_async};
use crate::guard::fault::Fault;
use crate::guard::plugins::{PluginThreads, Plugins};
use crate::guard::this_thread::Role;

struct BlocksInItsDrop(mpsc::Receiver<()>);

impl Drop for BlocksInItsDrop {
    fn drop(&mut self) {
        let _ = self.0.recv();
    }
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
