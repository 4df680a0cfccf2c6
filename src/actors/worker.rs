//! The actor of one worker: it has the worker's callbacks, gets ready to call them, calls them and
//! tells the coordinator how they ended.

use std::collections::HashMap;
use std::sync::Arc;

use crate::actors::ready::{Call, Due, Preparing, Ready, Thread};
use crate::actors::supervision::actor::{self, Part, Then};
use crate::actors::supervision::inbox::Message;
use crate::actors::supervision::slot::ActorSlot;
use crate::guard::events::Events;
use crate::guard::plugins::Plugins;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::event::{Lacks, StepRef};
use crate::worker::callback::Callback;
use crate::worker::run::{CallEnd, CallMeans, call};
use crate::worker::running::CallLane;

/// What a worker tells the coordinator.
pub enum WorkerMessage {
    /// A callback can be called.
    Prepared {
        /// Which.
        step: StepRef,
    },
    /// A callback that is due cannot be called yet.
    Lacks {
        /// Which.
        step: StepRef,
        /// What it waits for.
        lacks: Lacks,
    },
    /// The worker's actor died, and with it the worker.
    Died {
        /// Its name.
        worker: WorkerName,
        /// Which of its lives.
        incarnation: u64,
    },
    /// A callback that was to be called was not.
    Uncalled {
        /// Which.
        step: StepRef,
        /// Which attempt.
        attempt: u32,
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
        /// Whether it is not due yet.
        ahead: bool,
    },
    /// What is prepared waits.
    Lacks {
        /// Which step.
        step: StepRef,
        /// For what.
        lacks: Lacks,
    },
    /// What was to be prepared is ready.
    Prepared {
        /// Which step.
        step: StepRef,
        /// What is ready.
        ready: Box<Ready>,
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
    fn is_request(&self) -> bool {
        false
    }
}

/// The way to the coordinator.
pub type Tell = Arc<dyn Fn(WorkerMessage) + Send + Sync>;

/// What a worker's actor may have done in its present life.
type Ctx<'a> = actor::Ctx<'a, WorkerPart>;

/// What a worker's actor knows.
pub struct WorkerPart {
    name: WorkerName,
    incarnation: u64,
    callbacks: HashMap<(KeyName, CallbackName), Callback>,
    preparing: HashMap<StepRef, Preparing>,
    ready: HashMap<StepRef, Ready>,
    plugins: Arc<Plugins>,
    events: Events,
    tell: Tell,
    slot: Arc<ActorSlot<WorkerPart>>,
}

impl WorkerPart {
    /// A worker without callbacks.
    pub fn new(
        name: WorkerName,
        incarnation: u64,
        plugins: Arc<Plugins>,
        events: Events,
        tell: Tell,
        slot: Arc<ActorSlot<WorkerPart>>,
    ) -> Self {
        Self {
            name,
            incarnation,
            callbacks: HashMap::new(),
            preparing: HashMap::new(),
            ready: HashMap::new(),
            plugins,
            events,
            tell,
            slot,
        }
    }

    fn prepare(
        &mut self,
        step: StepRef,
        lane: CallLane,
        name: CallbackName,
        ahead: bool,
        ctx: &mut Ctx,
    ) {
        if let Some(preparing) = self.preparing.get_mut(&step) {
            preparing.ahead &= ahead;
            return self.tell_lacks(step);
        }
        if self.ready.contains_key(&step) {
            return;
        }
        // Here before anything is done about it: if this life ends in that, the next one goes on.
        let preparing = Preparing {
            lane,
            callback: name,
            ahead,
            lacks: Lacks::Turn,
            task: None,
        };
        self.preparing.insert(step, preparing);
        self.get_ready(step, ctx);
    }

    fn get_ready(&mut self, step: StepRef, ctx: &mut Ctx) {
        self.slot.fault_points().pass();
        let Some(preparing) = self.preparing.get_mut(&step) else {
            return;
        };
        let (lane, name) = (preparing.lane.clone(), preparing.callback.clone());
        let callback = self.callbacks.get(&(lane.key.clone(), name.clone()));
        let means = callback.and_then(|callback| {
            let thread = Thread::of(callback, preparing.ahead, &self.plugins)?;
            let callback = callback.clone();
            Some((Due { name, callback }, thread))
        });
        let Some((due, thread)) = means else {
            self.preparing.remove(&step);
            return;
        };
        let (lacks, thread) = match due.try_ready(thread, &lane) {
            Ok(ready) => return self.ready(step, ready),
            Err(lacking) => lacking,
        };
        preparing.lacks = lacks;
        let slot = Arc::clone(&self.slot);
        preparing.task = Some(ctx.spawn(async move {
            let lacking = |lacks| slot.post(WorkerOrder::Lacks { step, lacks });
            if let Some(ready) = due.get_ready(thread, lane, lacking).await {
                let ready = Box::new(ready);
                slot.post(WorkerOrder::Prepared { step, ready });
            }
        }));
        self.tell_lacks(step);
    }

    fn lacks(&mut self, step: StepRef, lacks: Lacks) {
        if let Some(preparing) = self.preparing.get_mut(&step) {
            preparing.lacks = lacks;
            self.tell_lacks(step);
        }
    }

    /// What a step that is not due waits for is nobody's trouble.
    fn tell_lacks(&self, step: StepRef) {
        if let Some(preparing) = self.preparing.get(&step).filter(|one| !one.ahead) {
            let lacks = preparing.lacks;
            self.tell(WorkerMessage::Lacks { step, lacks });
        }
    }

    fn prepared(&mut self, step: StepRef, ready: Ready) {
        // A task that was given up may be polled once more: what is ready then was given up too, and
        // its turn goes back with it.
        if self.preparing.contains_key(&step) {
            self.ready(step, ready);
        }
    }

    fn ready(&mut self, step: StepRef, ready: Ready) {
        self.slot.fault_points().pass();
        self.tell(WorkerMessage::Prepared { step });
        self.ready.insert(step, ready);
        self.preparing.remove(&step);
    }

    fn release(&mut self, step: StepRef, ctx: &mut Ctx) {
        if let Some(task) = self.preparing.remove(&step).and_then(|p| p.task) {
            ctx.cancel(task);
        }
        self.ready.remove(&step);
    }

    fn run(&mut self, order: Call) {
        self.slot.fault_points().pass();
        let Call {
            step,
            attempt,
            change,
            staging,
            limit,
            mut end,
        } = order;
        let Some(Ready {
            name,
            callback,
            turn,
            thread,
        }) = self.ready.remove(&step)
        else {
            return;
        };
        let ended = move |end| WorkerMessage::Ended { step, attempt, end };
        end.nothing_is(ended(CallEnd::failed(
            "how the callback ended was lost in a panic",
        )));
        let means = CallMeans {
            turn,
            thread,
            limit,
            blocks: Box::new(self.tells_that_it_blocks(name, change.key.name())),
        };
        let told = move |how| end.tell(ended(how));
        call(&self.plugins, callback, change, staging, means, told);
    }

    /// Tells, once, that a callback blocks a thread that others need.
    fn tells_that_it_blocks(
        &self,
        callback: CallbackName,
        key: &str,
    ) -> impl FnOnce() + Send + use<> {
        let (key, worker) = (key.to_owned(), self.name.clone());
        let events = self.events.clone();
        move || {
            events.tell(move || {
                tracing::warn!(
                    %key,
                    %worker,
                    %callback,
                    "an async callback blocks its thread beyond its time limit; others go on, on \
                     the threads that are left: let it await, or make it a blocking callback"
                );
            });
        }
    }

    fn tell(&self, message: WorkerMessage) {
        (self.tell)(message);
    }
}

impl Part for WorkerPart {
    type Message = WorkerOrder;

    fn begin(&mut self, ctx: &mut Ctx) {
        let steps: Vec<StepRef> = self.preparing.keys().copied().collect();
        for step in steps {
            self.get_ready(step, ctx);
        }
    }

    fn handle(&mut self, order: WorkerOrder, ctx: &mut Ctx) -> Then {
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
                ahead,
            } => self.prepare(step, lane, callback, ahead, ctx),
            WorkerOrder::Lacks { step, lacks } => self.lacks(step, lacks),
            WorkerOrder::Prepared { step, ready } => self.prepared(step, *ready),
            WorkerOrder::Release { step } => self.release(step, ctx),
            WorkerOrder::Run(call) => self.run(*call),
            WorkerOrder::Stop => return Then::End,
        }
        Then::GoOn
    }

    /// The worker is dead: its name is free, and one that joins under it takes up its steps.
    fn fail(&mut self, _why: &str) {
        if self.name == WorkerName::main() {
            // It lives as long as its manager; its steps wait for its actor's restart.
            return;
        }
        self.tell(WorkerMessage::Died {
            worker: self.name.clone(),
            incarnation: self.incarnation,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::clock::Clock;
    use crate::actors::supervision::actor::ActorThreads;
    use crate::actors::supervision::budget::RestartLimits;
    use crate::actors::supervision::name::ActorName;
    use crate::actors::supervision::slot::RestartPolicy;
    use crate::actors::supervision::supervisor::Supervision;
    use crate::guard::plugins::PluginThreads;
    use crate::rotation::id::RotationId;
    use crate::worker::callback::{IntoCallback, KeyChange};
    use crate::worker::running;
    use std::sync::mpsc::channel;
    use std::time::Duration;
    use uuid::Uuid;

    fn step(step: u32) -> StepRef {
        let rotation = RotationId::new(Uuid::nil());
        StepRef { rotation, step }
    }

    fn lane(key: &str) -> CallLane {
        CallLane {
            database: *b"a test of worker",
            worker: WorkerName::main(),
            key: KeyName::new(key).unwrap(),
        }
    }

    fn prepare(no: u32, key: &str) -> WorkerOrder {
        WorkerOrder::Prepare {
            step: step(no),
            lane: lane(key),
            callback: CallbackName::new("c").unwrap(),
            ahead: false,
        }
    }

    #[test]
    fn what_is_given_up_before_it_is_ready_gives_its_turn_back() {
        let threads = ActorThreads::start().unwrap();
        let limits = RestartLimits {
            most: 0,
            within: Duration::ZERO,
            backoff: Duration::ZERO,
        };
        let events = Events::start().expect("a thread");
        let supervision =
            Supervision::new(threads.supervisor(), limits, Clock::start(), events.clone());
        let plugins = Arc::new(Plugins::start(PluginThreads::default()).unwrap());
        let (told, prepared) = channel();
        let tell: Tell = Arc::new(move |message| {
            if let WorkerMessage::Prepared { step } = message {
                told.send(step).unwrap();
            }
        });
        let name = WorkerName::main();
        let (actor, kind) = (ActorName::Worker(name.clone()), RestartPolicy::Permanent);
        let worker = ActorSlot::take(actor, kind, threads.coordinator(), supervision, |slot| {
            WorkerPart::new(name, 1, plugins, events, tell, Arc::clone(slot))
        });
        for key in ["k", "free"] {
            worker.post(WorkerOrder::Add {
                key: KeyName::new(key).unwrap(),
                name: CallbackName::new("c").unwrap(),
                callback: (|_: KeyChange| {}).into_callback(),
            });
        }
        // Another one has the turn until the worker has looked at all of it.
        let turn = running::try_turn(&lane("k"));
        worker.post(prepare(1, "k"));
        worker.post(WorkerOrder::Release { step: step(1) });
        worker.post(prepare(2, "k"));
        worker.post(prepare(3, "free"));
        assert_eq!(prepared.recv(), Ok(step(3)), "its turn was free");
        drop(turn);
        let next = prepared.recv_timeout(Duration::from_secs(5));
        threads.close();
        assert_eq!(next, Ok(step(2)));
    }
}
