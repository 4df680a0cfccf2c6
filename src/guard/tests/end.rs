//! The start and the end of all that runs foreign code, and what begins on a thread of another kind.

use std::future::pending;
use std::io;
use std::sync::{Arc, mpsc};

use tokio::runtime::Builder;

use super::{LONG, Run, code, plugins, run_async};
use crate::guard::fault::Fault;
use crate::guard::foreign_call::Ended;
use crate::guard::plugins::{PluginThreads, Plugins};
use crate::guard::this_thread::{Role, current_role, may_block};
use crate::guard::thread_pool::Slot;

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
    sent::<Slot>();
}
