//! Foreign code in the guard: calls of all kinds, and the end of all that runs them.

mod async_plugins;
mod blocked;
mod call;
mod end;
mod thread_pool;

use std::future::Future;
use std::panic::panic_any;
use std::time::Duration;

use tokio::sync::oneshot;

use super::fault::Fault;
use super::foreign_call::{Ended, Returned};
use super::plugins::{PluginThreads, Plugins};
use super::this_thread::{Role, wait};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

pub(super) struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic_any("a second panic");
    }
}

fn plugins() -> Plugins {
    Plugins::start(PluginThreads::default()).expect("it starts")
}

fn waited<F: Future>(future: F) -> F::Output {
    wait(future).expect("a test's thread may block")
}

/// A call whose outcome a test waits for.
pub(super) struct Run<T> {
    ended: oneshot::Receiver<Ended<T>>,
    returned: Option<Returned>,
}

type Then<T> = Box<dyn FnOnce(Ended<T>) + Send>;

impl<T: Send + 'static> Run<T> {
    fn of(begin: impl FnOnce(Then<T>)) -> Self {
        let (told, ended) = oneshot::channel();
        begin(Box::new(move |ended| drop(told.send(ended))));
        Self {
            ended,
            returned: None,
        }
    }

    fn outcome(&mut self) -> Result<T, Fault> {
        let ended = waited(&mut self.ended).expect("every call is answered");
        self.returned = Some(ended.returned);
        ended.answer
    }

    /// Waits until it is told the outcome and the code has really come back.
    fn come_back(mut self) {
        if self.returned.is_none() {
            drop(self.outcome());
        }
        if let Some(returned) = self.returned {
            waited(returned);
        }
    }
}

fn run_async<T, F>(
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

fn code<T: Send + 'static>(mut run: Run<T>) -> Result<T, &'static str> {
    let outcome = run.outcome().map_err(|fault| fault.code());
    run.come_back();
    outcome
}
