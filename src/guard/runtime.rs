//! A tokio runtime that a thread of its own drives: timers and sockets go on whatever becomes of the
//! threads that use them.
//!
//! It has one thread and no more, for tokio's runtime of many threads starts them all at once, and
//! where the system refuses one of them it panics and waits for the others without end.

use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use super::fault::catch;
use super::this_thread::must_not_block;

/// How long the thread may leave unanswered whether it goes on.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// The runtime. Its drop waits for nothing, so it may happen anywhere, on the runtime's own thread too.
pub struct RuntimeThread {
    handle: Handle,
    /// Dropped, it ends the thread, and with it the runtime.
    end: Mutex<Option<oneshot::Sender<()>>>,
    #[cfg_attr(
        not(feature = "embedded"),
        allow(dead_code, reason = "only a manager waits for its end")
    )]
    thread: Mutex<Option<JoinHandle<()>>>,
    asked: Arc<Mutex<LifeSign>>,
}

/// When the thread was asked last whether it goes on, and whether it has answered.
#[derive(Default)]
struct LifeSign {
    last: Option<Instant>,
    has_answered: bool,
}

fn lock(asked: &Mutex<LifeSign>) -> MutexGuard<'_, LifeSign> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RuntimeThread {
    /// Starts the runtime and its thread, which gets this name. Nothing may block on it.
    ///
    /// # Errors
    /// The system refuses the thread or a descriptor; then nothing is left of it.
    pub fn start(name: &str) -> io::Result<Self> {
        try_descriptors()?;
        let of_blocking = name.to_owned();
        let mut builder = Builder::new_current_thread();
        builder.thread_name(of_blocking).enable_all();
        let built = catch(|| builder.build());
        let runtime = built.unwrap_or_else(|_| Err(io::ErrorKind::QuotaExceeded.into()))?;
        let handle = runtime.handle().clone();
        let driven = Driven(Some(runtime));
        let (end, ended) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                must_not_block();
                driven.until(ended);
            })?;
        Ok(Self {
            handle,
            end: Mutex::new(Some(end)),
            thread: Mutex::new(Some(thread)),
            asked: Arc::default(),
        })
    }

    /// Whether nothing that was spawned on the runtime is known to block its thread.
    pub(super) fn goes_on(&self) -> bool {
        let mut asked = lock(&self.asked);
        let is_recent = asked
            .last
            .is_some_and(|last| last.elapsed() < ANSWERS_WITHIN);
        if is_recent || (asked.last.is_some() && !asked.has_answered) {
            return is_recent;
        }
        *asked = LifeSign {
            last: Some(Instant::now()),
            has_answered: false,
        };
        drop(asked);
        let asked = Arc::clone(&self.asked);
        drop(self.handle.spawn(async move {
            lock(&asked).has_answered = true;
        }));
        true
    }

    /// The way into the runtime.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends the runtime: what is on it is dropped at its next await.
    pub(super) fn close(&self) {
        let end = self
            .end
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(end);
    }

    /// Ends the runtime and waits for its thread. Not to be called on it.
    #[cfg(feature = "embedded")]
    pub(super) fn end(&self) {
        self.close();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        drop(thread.take().map(JoinHandle::join));
    }
}

/// tokio opens the descriptors of its events, and of the signals of the process, and panics where the
/// system refuses the latter. So they are asked for before; not all of them stay open, and where they are
/// taken meanwhile its panic is caught.
fn try_descriptors() -> io::Result<()> {
    let pairs = (0..PAIRS).map(|_| UnixStream::pair());
    pairs.collect::<io::Result<Vec<_>>>().map(drop)
}

/// So many pairs of descriptors tokio opens at most.
const PAIRS: usize = 3;

/// A runtime whose drop does not wait: waiting panics where it must not be done.
struct Driven(Option<Runtime>);

impl Driven {
    fn until(&self, end: impl Future) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(end);
        }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
