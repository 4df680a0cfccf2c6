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
            // actix may poll a cancelled future once more: what is ready then was given up, and
            // nobody would ever give its turn back.
            let wanted = actor.preparing.remove(&step).is_some();
            if let Some(ready) = ready.filter(|_| wanted) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::plugins::PluginThreads;
    use crate::key::name::WorkerName;
    use crate::rotation::id::RotationId;
    use crate::worker::callback::IntoCallback;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
    use uuid::Uuid;

    struct Coordinator(UnboundedSender<StepRef>);

    impl Actor for Coordinator {
        type Context = Context<Self>;
    }

    impl Handler<WorkerMessage> for Coordinator {
        type Result = ();

        fn handle(&mut self, message: WorkerMessage, _ctx: &mut Context<Self>) {
            if let WorkerMessage::Prepared { step } = message {
                self.0.send(step).unwrap();
            }
        }
    }

    fn step(step: u32) -> StepRef {
        let rotation = RotationId::new(Uuid::nil());
        StepRef { rotation, step }
    }

    fn prepare(no: u32) -> WorkerOrder {
        let lane = CallLane {
            database: *b"a test of worker",
            worker: WorkerName::main(),
            key: KeyName::new("k").unwrap(),
        };
        WorkerOrder::Prepare {
            step: step(no),
            lane,
            callback: CallbackName::new("c").unwrap(),
        }
    }

    #[test]
    fn what_is_given_up_before_it_is_ready_gives_its_turn_back() {
        let next: Option<StepRef> = actix::System::new().block_on(async {
            let (told, mut prepared): (_, UnboundedReceiver<StepRef>) = unbounded_channel();
            let coordinator = Coordinator(told).start();
            let plugins = Plugins::start(PluginThreads::default()).unwrap();
            let worker = WorkerActor::new(Arc::new(plugins), coordinator.recipient()).start();
            let callback = (|_: KeyChange| {}).into_callback();
            worker.do_send(WorkerOrder::Add {
                key: KeyName::new("k").unwrap(),
                name: CallbackName::new("c").unwrap(),
                callback,
            });
            // All of it is there before the worker looks.
            worker.do_send(prepare(1));
            worker.do_send(WorkerOrder::Release { step: step(1) });
            worker.do_send(prepare(2));
            let next = prepared.recv();
            actix::clock::timeout(Duration::from_secs(5), next)
                .await
                .ok()
                .flatten()
        });
        assert_eq!(next, Some(step(2)));
    }
}
