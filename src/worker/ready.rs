//! Getting ready to call a callback: its turn, and the thread that it runs on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::guard::fault::Fault;
use crate::guard::plugins::Plugins;
use crate::guard::thread_pool::Slot;
use crate::rotation::outcome::Lacks;
use crate::worker::callback::Callback;
use crate::worker::lanes::{Lane, Turn};

type Reserved = Pin<Box<dyn Future<Output = Result<Option<Slot>, Fault>> + Send>>;

/// The thread that a call needs: one of its own if it blocks, else one of those that async ones share.
enum CallThread {
    Here(Option<Slot>),
    Awaited(Reserved),
}

/// A callback that is to be called.
pub struct DueCallback {
    callback: Callback,
    lane: Lane,
    thread: CallThread,
}

/// A callback that can be called, with what its call needs.
pub struct Ready {
    pub(super) callback: Callback,
    pub(super) turn: Turn,
    /// The thread of a blocking one.
    pub(super) thread: Option<Slot>,
}

/// Whether a callback can be called now.
#[cfg(feature = "embedded")]
pub enum Readiness {
    /// It can.
    Ready(Ready),
    /// It waits for this.
    Lacks(Lacks, DueCallback),
}

impl DueCallback {
    /// A callback with the thread for it; none where it is not due yet and no thread can be spared.
    pub fn new(
        callback: Callback,
        lane: Lane,
        ahead: bool,
        plugins: &Arc<Plugins>,
    ) -> Option<Self> {
        let threads = plugins.callback_threads();
        let here = match (callback.blocks(), ahead) {
            (false, _) => plugins.has_async_thread().ok().map(|()| None),
            (true, false) => threads.try_reserve().ok().map(Some),
            (true, true) => threads.reserve_spare().map(Some),
        };
        let thread = match here {
            Some(thread) => CallThread::Here(thread),
            None if ahead => return None,
            None if callback.blocks() => {
                let reserved = threads.reserve();
                CallThread::Awaited(Box::pin(async { reserved.await.map(Some) }))
            }
            None => {
                let plugins = Arc::clone(plugins);
                let there = async move { plugins.async_thread().await.map(|()| None) };
                CallThread::Awaited(Box::pin(there))
            }
        };
        Some(Self {
            callback,
            lane,
            thread,
        })
    }

    /// What its call needs, if all of it is there; else what it waits for.
    #[cfg(feature = "embedded")]
    pub fn try_ready(self) -> Readiness {
        let turn = self.lane.try_turn();
        match (turn, self.thread) {
            (Some(turn), CallThread::Here(thread)) => Readiness::Ready(Ready {
                callback: self.callback,
                turn,
                thread,
            }),
            (turn, thread) => {
                let lacks = turn.map_or(Lacks::Turn, |_| Lacks::Thread);
                Readiness::Lacks(lacks, Self { thread, ..self })
            }
        }
    }

    /// Waits until it can be called; none after a shutdown. `lacks` is told if it has its turn and
    /// waits for a thread.
    pub(crate) async fn get_ready(self, lacks: impl FnOnce(Lacks)) -> Option<Ready> {
        let turn = self.lane.turn().await;
        let thread = match self.thread {
            CallThread::Here(thread) => thread,
            CallThread::Awaited(reserved) => {
                lacks(Lacks::Thread);
                reserved.await.ok()?
            }
        };
        Some(Ready {
            callback: self.callback,
            turn,
            thread,
        })
    }
}
