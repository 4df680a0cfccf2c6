//! The actor of one worker: it has the worker's callbacks, gets ready to call them, calls them and
//! tells the coordinator how they ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message};
use actix::{Recipient, SpawnHandle, WrapFuture};

use crate::guard::plugins::Plugins;
use crate::guard::threads::Slot;
use crate::key::name::{CallbackName, KeyName};
use crate::rotation::event::StepRef;
use crate::worker::callback::{Callback, KeyChange};
use crate::worker::handle::Staging;
use crate::worker::run::{CallEnd, CallMeans, call};
use crate::worker::running::{self, CallLane, Turn};

/// What a worker tells the coordinator.
pub enum WorkerMessage {
    /// A callback can be called.
    Prepared {
        /// Which.
        step: StepRef,
    },
    /// A callback ended.
    Ended {
        /// Which.
        step: StepRef,
        /// Which attempt.
        attempt: u32,
        /// How.
        end: CallEnd,
    },
}

impl Message for WorkerMessage {
    type Result = ();
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
}

/// What a worker's actor is told.
pub enum WorkerOrder {
    /// It has this callback.
    Add {
        /// For which key.
        key: KeyName,
        /// Its name.
        name: CallbackName,
        /// The callback.
        callback: Callback,
    },
    /// It does not have this callback any more.
    Remove {
        /// For which key.
        key: KeyName,
        /// Its name.
        name: CallbackName,
    },
    /// Get ready to call a callback.
    Prepare {
        /// Which step.
        step: StepRef,
        /// Where no other callback may run.
        lane: CallLane,
        /// The callback.
        callback: CallbackName,
    },
    /// Give up what was prepared.
    Release {
        /// Which step.
        step: StepRef,
    },
    /// Call what was prepared.
    Run(Box<Call>),
    /// The worker is gone; what runs, runs on.
    Stop,
}

impl Message for WorkerOrder {
    type Result = ();
}

struct Ready {
    callback: Callback,
    turn: Turn,
    slot: Option<Slot>,
}

/// The actor of one worker.
pub struct WorkerActor {
    callbacks: HashMap<(KeyName, CallbackName), Callback>,
    preparing: HashMap<StepRef, SpawnHandle>,
    ready: HashMap<StepRef, Ready>,
    plugins: Arc<Plugins>,
    coordinator: Recipient<WorkerMessage>,
}

impl Actor for WorkerActor {
    type Context = Context<Self>;
}

impl WorkerActor {
    /// A worker without callbacks.
    pub fn new(plugins: Arc<Plugins>, coordinator: Recipient<WorkerMessage>) -> Self {
        Self {
            callbacks: HashMap::new(),
            preparing: HashMap::new(),
            ready: HashMap::new(),
            plugins,
            coordinator,
        }
    }

    fn prepare(
        &mut self,
        step: StepRef,
        lane: CallLane,
        name: CallbackName,
        ctx: &mut Context<Self>,
    ) {
        let Some(callback) = self.callbacks.get(&(lane.key.clone(), name)).cloned() else {
            return;
        };
        let thread = callback
            .blocks()
            .then(|| self.plugins.callback_threads().reserve());
        let get_ready = async move {
            let turn = running::turn(lane).await;
            let slot = match thread {
                Some(reserved) => Some(reserved.await.ok()?),
                None => None,
            };
            Some(Ready {
                callback,
                turn,
                slot,
            })
        };
        let told = get_ready.into_actor(self).map(move |ready, actor, _| {
            actor.preparing.remove(&step);
            if let Some(ready) = ready {
                actor.ready.insert(step, ready);
                actor.coordinator.do_send(WorkerMessage::Prepared { step });
            }
        });
        let handle = ctx.spawn(told);
        self.preparing.insert(step, handle);
    }

    fn run(&mut self, order: Call) {
        let Call {
            step,
            attempt,
            change,
            staging,
            limit,
        } = order;
        let Some(Ready {
            callback,
            turn,
            slot,
        }) = self.ready.remove(&step)
        else {
            let end = CallEnd::failed("it could not be called: its worker is gone");
            self.coordinator
                .do_send(WorkerMessage::Ended { step, attempt, end });
            return;
        };
        let means = CallMeans { turn, slot, limit };
        let plugins = Arc::clone(&self.plugins);
        let coordinator = self.coordinator.clone();
        actix::spawn(async move {
            let end = call(plugins, callback, change, staging, means).await;
            coordinator.do_send(WorkerMessage::Ended { step, attempt, end });
        });
    }
}

impl Handler<WorkerOrder> for WorkerActor {
    type Result = ();

    fn handle(&mut self, order: WorkerOrder, ctx: &mut Context<Self>) {
        match order {
            WorkerOrder::Add {
                key,
                name,
                callback,
            } => {
                self.callbacks.insert((key, name), callback);
            }
            WorkerOrder::Remove { key, name } => {
                self.callbacks.remove(&(key, name));
            }
            WorkerOrder::Prepare {
                step,
                lane,
                callback,
            } => {
                self.prepare(step, lane, callback, ctx);
            }
            WorkerOrder::Release { step } => {
                if let Some(handle) = self.preparing.remove(&step) {
                    ctx.cancel_future(handle);
                }
                self.ready.remove(&step);
            }
            WorkerOrder::Run(call) => self.run(*call),
            WorkerOrder::Stop => ctx.stop(),
        }
    }
}
