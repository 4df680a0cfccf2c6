//! Where async plug-ins run: threads that start with the first plug-in and poll all of them, and tokio
//! runtimes for the timers and sockets of these plug-ins.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_task::Task;
use tokio::runtime::Handle;

use super::async_plugin::{AsyncPlugin, Watch};
use super::executor::Executor;
use super::fault::Fault;
use super::foreign_call::{AnswerTo, Over};
use super::runtime::RuntimeThread;
use super::this_thread::Role;

/// What the threads of these runtimes are called.
const RUNTIME: &str = "keyward-tokio";

/// Where async plug-ins run. Its threads start with the first plug-in.
pub(super) struct AsyncPool {
    bound: usize,
    state: Mutex<PoolState>,
}

enum PoolState {
    NotYet,
    Started(Arc<AsyncThreads>),
    Closed,
}

/// The threads that poll async plug-ins, and the tokio runtimes that these plug-ins use.
pub(super) struct AsyncThreads {
    bound: usize,
    executor: Executor,
    /// The first one's.
    tokio: Handle,
    /// More than one only where what plug-ins had spawned blocked the others.
    runtimes: Mutex<Vec<RuntimeThread>>,
    /// How many threads are blocked by plug-ins that have passed their limits.
    blocked: Arc<AtomicUsize>,
}

impl AsyncPool {
    /// At most so many threads, none of them started yet.
    pub(super) fn new(bound: usize) -> io::Result<Self> {
        if bound == 0 {
            let text = "0 threads for async plug-ins; allow at least 1";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let state = Mutex::new(PoolState::NotYet);
        Ok(Self { bound, state })
    }

    /// The threads; at least one is there.
    pub(super) fn started(&self) -> Result<Arc<AsyncThreads>, Fault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            PoolState::Started(started) => Ok(Arc::clone(started)),
            PoolState::Closed => Err(Fault::Gone),
            PoolState::NotYet => {
                let refused = |error: io::Error| Fault::ThreadRefused {
                    why: error.to_string(),
                };
                let started = Arc::new(AsyncThreads::start(self.bound).map_err(refused)?);
                *state = PoolState::Started(Arc::clone(&started));
                Ok(started)
            }
        }
    }

    /// Ends the threads. Nothing is started any more.
    pub(super) fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *state, PoolState::Closed);
        drop(state);
        if let PoolState::Started(started) = before {
            started.executor.close();
            started.runtimes().iter().for_each(RuntimeThread::close);
        }
    }
}

impl AsyncThreads {
    fn start(bound: usize) -> io::Result<Self> {
        let first = RuntimeThread::start(RUNTIME)?;
        Ok(Self {
            bound,
            executor: Executor::start(bound).inspect_err(|_| first.close())?,
            tokio: first.handle().clone(),
            runtimes: Mutex::new(vec![first]),
            blocked: Arc::default(),
        })
    }

    fn runtimes(&self) -> MutexGuard<'_, Vec<RuntimeThread>> {
        self.runtimes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runtime of the timers and sockets of a plug-in that begins, and of what it spawns. What is
    /// spawned may block the runtime's thread; then the next plug-in gets another runtime.
    pub(super) fn tokio(&self) -> Handle {
        let mut runtimes = self.runtimes();
        if let Some(one) = runtimes.iter().find(|one| one.goes_on()) {
            return one.handle().clone();
        }
        if runtimes.len() < self.bound
            && let Ok(one) = RuntimeThread::start(RUNTIME)
        {
            let handle = one.handle().clone();
            runtimes.push(one);
            return handle;
        }
        self.tokio.clone()
    }

    /// Whether not all threads are blocked.
    pub(super) fn is_left(&self) -> Result<(), Fault> {
        let threads = self.bound;
        match self.blocked.load(Ordering::SeqCst) < threads {
            true => Ok(()),
            false => Err(Fault::NoThread { threads }),
        }
    }

    /// Begins a plug-in. Dropping the task gives it up.
    pub(super) fn spawn<M, F>(
        &self,
        role: Role,
        make: M,
        answer: AnswerTo<F::Output>,
        over: Over,
    ) -> (Task<()>, Arc<Watch>)
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output: Send> + Send + 'static,
    {
        let watch = Arc::new(Watch::new(&self.blocked));
        let mut plugin = AsyncPlugin::new(role, make, over, Arc::clone(&watch), self.tokio());
        let task = self.executor.spawn(async move {
            answer.give((&mut plugin).await);
            drop(plugin);
        });
        (task, watch)
    }
}
