//! Getting ready to call a callback: its turn, and a thread if it blocks.

use std::future::Future;
use std::pin::Pin;

use actix::SpawnHandle;

use crate::guard::fault::Fault;
use crate::guard::threads::{Slot, ThreadPool};
use crate::key::name::CallbackName;
use crate::worker::callback::Callback;
use crate::worker::running::{self, CallLane, Turn};

/// A call that gets ready.
pub(super) struct Preparing {
    pub(super) lane: CallLane,
    pub(super) callback: CallbackName,
    pub(super) ahead: bool,
    /// Belongs to one life of the actor.
    pub(super) task: Option<SpawnHandle>,
}

/// What a call needs.
pub struct Ready {
    pub(super) callback: Callback,
    pub(super) turn: Turn,
    pub(super) slot: Option<Slot>,
}

/// The thread that a call needs.
pub(super) enum Thread {
    NotNeeded,
    Here(Slot),
    Awaited(Pin<Box<dyn Future<Output = Result<Slot, Fault>> + Send>>),
}

impl Thread {
    /// The thread for a callback; none where it is not due yet and none can be spared.
    pub(super) fn of(callback: &Callback, ahead: bool, threads: &ThreadPool) -> Option<Self> {
        match (callback.blocks(), ahead) {
            (false, _) => Some(Self::NotNeeded),
            (true, false) => Some(match threads.try_reserve() {
                Ok(slot) => Self::Here(slot),
                Err(_) => Self::Awaited(Box::pin(threads.reserve())),
            }),
            (true, true) => threads.reserve_spare().map(Self::Here),
        }
    }
}

/// What a call needs, if all of it is there.
pub(super) fn try_ready(
    callback: &Callback,
    thread: Thread,
    lane: &CallLane,
) -> Result<Ready, Thread> {
    let slot = match thread {
        Thread::NotNeeded => None,
        Thread::Here(slot) => Some(slot),
        Thread::Awaited(_) => return Err(thread),
    };
    match running::try_turn(lane) {
        Some(turn) => Ok(Ready {
            callback: callback.clone(),
            turn,
            slot,
        }),
        None => Err(slot.map_or(Thread::NotNeeded, Thread::Here)),
    }
}

/// Waits until a callback can be called; none where no thread can be had.
pub(super) async fn get_ready(callback: Callback, thread: Thread, lane: CallLane) -> Option<Ready> {
    let turn = running::turn(lane).await;
    let slot = match thread {
        Thread::NotNeeded => None,
        Thread::Here(slot) => Some(slot),
        Thread::Awaited(reserved) => Some(reserved.await.ok()?),
    };
    Some(Ready {
        callback,
        turn,
        slot,
    })
}
