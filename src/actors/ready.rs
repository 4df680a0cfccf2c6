//! Getting ready to call a callback: its turn, and the thread that it runs on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::actors::end::End;
use crate::actors::supervision::actor::Task;
use crate::actors::worker::WorkerMessage;
use crate::guard::fault::Fault;
use crate::guard::plugins::Plugins;
use crate::guard::threads::Slot;
use crate::key::name::CallbackName;
use crate::rotation::event::{Lacks, StepRef};
use crate::worker::callback::{Callback, KeyChange};
use crate::worker::handle::Staging;
use crate::worker::running::{self, CallLane, Turn};

/// A call that gets ready.
pub(super) struct Preparing {
    pub(super) lane: CallLane,
    pub(super) callback: CallbackName,
    pub(super) ahead: bool,
    pub(super) lacks: Lacks,
    /// Belongs to one life of the actor.
    pub(super) task: Option<Task>,
}

/// What a call needs.
pub struct Ready {
    pub(super) name: CallbackName,
    pub(super) callback: Callback,
    pub(super) turn: Turn,
    /// The thread of a blocking one.
    pub(super) thread: Option<Slot>,
}

type Reserved = Pin<Box<dyn Future<Output = Result<Option<Slot>, Fault>> + Send>>;

/// The thread that a call needs: one of its own if it blocks, else one of those that async ones share.
pub(super) enum Thread {
    Here(Option<Slot>),
    Awaited(Reserved),
}

impl Thread {
    /// The thread for a callback; none where it is not due yet and none can be spared.
    pub(super) fn of(callback: &Callback, ahead: bool, plugins: &Arc<Plugins>) -> Option<Self> {
        let threads = plugins.callback_threads();
        let here = match (callback.blocks(), ahead) {
            (false, _) => plugins.has_async_thread().ok().map(|()| None),
            (true, false) => threads.try_reserve().ok().map(Some),
            (true, true) => threads.reserve_spare().map(Some),
        };
        match here {
            Some(thread) => Some(Self::Here(thread)),
            None if ahead => None,
            None if callback.blocks() => {
                let reserved = threads.reserve();
                Some(Self::Awaited(Box::pin(async { reserved.await.map(Some) })))
            }
            None => {
                let plugins = Arc::clone(plugins);
                let there = async move { plugins.async_thread().await.map(|()| None) };
                Some(Self::Awaited(Box::pin(there)))
            }
        }
    }
}

/// A call of a callback.
pub struct Call {
    /// Which step.
    pub step: StepRef,
    /// Which attempt.
    pub attempt: u32,
    /// What the callback is given.
    pub change: KeyChange,
    /// What its handle stages.
    pub staging: Arc<Staging>,
    /// How long it may take.
    pub limit: Duration,
    /// Where its end is told; dropped with the order, it says that nothing was called.
    pub end: CallEnding,
}

/// What tells the coordinator how a call ended.
pub type CallEnding = End<WorkerMessage, Box<dyn FnOnce(WorkerMessage) + Send>>;

/// A callback that is to be called.
#[derive(Clone)]
pub(super) struct Due {
    pub(super) name: CallbackName,
    pub(super) callback: Callback,
}

impl Due {
    fn ready(self, turn: Turn, thread: Option<Slot>) -> Ready {
        let Self { name, callback } = self;
        Ready {
            name,
            callback,
            turn,
            thread,
        }
    }

    /// What its call needs, if all of it is there; else what it waits for, and the thread so far.
    pub(super) fn try_ready(
        &self,
        thread: Thread,
        lane: &CallLane,
    ) -> Result<Ready, (Lacks, Thread)> {
        let thread = match thread {
            Thread::Here(thread) => thread,
            Thread::Awaited(_) => {
                let turn = running::try_turn(lane);
                let lacks = turn.map_or(Lacks::Turn, |_| Lacks::Thread);
                return Err((lacks, thread));
            }
        };
        match running::try_turn(lane) {
            Some(turn) => Ok(self.clone().ready(turn, thread)),
            None => Err((Lacks::Turn, Thread::Here(thread))),
        }
    }

    /// Waits until it can be called; none after a shutdown. `lacks` is told if it has its turn and
    /// waits for a thread.
    pub(super) async fn get_ready(
        self,
        thread: Thread,
        lane: CallLane,
        lacks: impl FnOnce(Lacks),
    ) -> Option<Ready> {
        let turn = running::turn(lane).await;
        let thread = match thread {
            Thread::Here(thread) => thread,
            Thread::Awaited(reserved) => {
                lacks(Lacks::Thread);
                reserved.await.ok()?
            }
        };
        Some(self.ready(turn, thread))
    }
}
