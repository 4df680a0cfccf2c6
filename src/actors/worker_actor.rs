//! The actor of one worker of this process: it has the worker's callbacks, gets ready to call them,
//! calls them and tells the coordinator how they ended.

use std::collections::HashMap;
use std::sync::Arc;

use crate::actors::supervision::actor::{self, Part, Task, Then};
use crate::actors::supervision::inbox::Message;
use crate::actors::supervision::slot::ActorSlot;
use crate::actors::tell_once::TellOnce;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::event::{Lacks, StepOutcome, StepRef};
use crate::rotation::instance::InstanceEvent;
use crate::worker::call::{Call, CallEnd};
use crate::worker::callback::Callback;
use crate::worker::caller::Caller;
use crate::worker::link::{TellEvent, WorkerEvent, WorkerRequest};
use crate::worker::process_lanes::{self as lanes, CallLane};
use crate::worker::ready::{DueCallback, Readiness, Ready};

/// What tells the coordinator how a call ended; dropped, it says that nothing was called.
pub type CallEnding = TellOnce<WorkerEvent, Box<dyn FnOnce(WorkerEvent) + Send>>;

/// What a worker's actor is told.
pub enum WorkerMessage {
    /// It is asked for something, and where the end is told if that is a call.
    Asked(WorkerRequest, Option<CallEnding>),
    /// What is prepared waits.
    Lacks {
        /// For which step.
        step: StepRef,
        /// For what.
        lacks: Lacks,
    },
    /// What was to be prepared is ready.
    Prepared {
        /// For which step.
        step: StepRef,
        /// What is ready.
        ready: Box<Ready>,
    },
    /// A callback of memory can be called for a step that has Succeeded before it was registered.
    CanCatchUp {
        /// The call.
        call: Box<Call>,
        /// What it needs.
        ready: Box<Ready>,
    },
}

impl Message for WorkerMessage {
    fn is_request(&self) -> bool {
        false
    }
}

/// What a new worker is.
pub struct NewWorker {
    /// Which of its lives.
    pub incarnation: u64,
    /// The database's random id.
    pub database: [u8; 16],
    /// What it calls its callbacks with.
    pub caller: Caller,
    /// The way to the coordinator.
    pub tell: TellEvent,
}

/// A call that gets ready.
struct Preparing {
    lane: CallLane,
    callback: CallbackName,
    ahead: bool,
    lacks: Lacks,
    /// Belongs to one life of the actor.
    task: Option<Task>,
}

/// What a worker's actor may have done in its present life.
type Ctx<'a> = actor::Ctx<'a, WorkerPart>;

/// What a worker's actor knows.
pub struct WorkerPart {
    new: NewWorker,
    callbacks: HashMap<(KeyName, CallbackName), Callback>,
    preparing: HashMap<StepRef, Preparing>,
    ready: HashMap<StepRef, Ready>,
    slot: Arc<ActorSlot<WorkerPart>>,
}

impl Part for WorkerPart {
    type Message = WorkerMessage;

    fn begin(&mut self, ctx: &mut Ctx) {
        let steps: Vec<StepRef> = self.preparing.keys().copied().collect();
        for step in steps {
            self.get_ready(step, ctx);
        }
    }

    fn handle(&mut self, message: WorkerMessage, ctx: &mut Ctx) -> Then {
        match message {
            WorkerMessage::Asked(request, ending) => return self.asked(request, ending, ctx),
            WorkerMessage::Lacks { step, lacks } => self.lacks(step, lacks),
            WorkerMessage::Prepared { step, ready } => self.prepared(step, *ready),
            WorkerMessage::CanCatchUp { call, ready } => self.call_to_catch_up(*call, *ready),
        }
        Then::GoOn
    }

    /// The worker is dead: its name is free, and one that joins under it takes up its steps.
    fn fail(&mut self, _why: &str) {
        let worker = self.new.caller.worker.clone();
        if worker == WorkerName::main() {
            // It lives as long as its manager; its steps wait for its actor's restart.
            return;
        }
        let incarnation = self.new.incarnation;
        self.tell(WorkerEvent::Died {
            worker,
            incarnation,
        });
    }
}

impl WorkerPart {
    /// A worker without callbacks.
    pub fn new(new: NewWorker, slot: Arc<ActorSlot<WorkerPart>>) -> Self {
        Self {
            new,
            callbacks: HashMap::new(),
            preparing: HashMap::new(),
            ready: HashMap::new(),
            slot,
        }
    }

    fn asked(&mut self, request: WorkerRequest, ending: Option<CallEnding>, ctx: &mut Ctx) -> Then {
        match request {
            WorkerRequest::Add {
                key,
                name,
                callback,
            } => {
                self.callbacks.insert((key, name), callback);
            }
            WorkerRequest::Remove { key, name } => {
                self.callbacks.remove(&(key, name));
            }
            WorkerRequest::Prepare {
                step,
                key,
                callback,
                ahead,
            } => self.prepare(step, key, callback, ahead, ctx),
            WorkerRequest::Release { step } => self.release(step, ctx),
            WorkerRequest::Call(call) => {
                if let Some(ending) = ending {
                    self.call(*call, ending);
                }
            }
            WorkerRequest::CatchUp(call) => self.catch_up(call, ctx),
            // It is for other processes: here an end is told once.
            WorkerRequest::Heard { .. } => {}
            WorkerRequest::Stop => return Then::End,
        }
        Then::GoOn
    }

    fn prepare(
        &mut self,
        step: StepRef,
        key: KeyName,
        callback: CallbackName,
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
        let lane = CallLane {
            database: self.new.database,
            worker: self.new.caller.worker.clone(),
            key,
        };
        let preparing = Preparing {
            lane,
            callback,
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
        let lane = preparing.lane.clone();
        let callback = (lane.key.clone(), preparing.callback.clone());
        let plugins = &self.new.caller.plugins;
        let due = self.callbacks.get(&callback);
        let due = due.and_then(|due| {
            let lane = lanes::of_process(lane);
            DueCallback::new(due.clone(), lane, preparing.ahead, plugins)
        });
        let Some(due) = due else {
            self.preparing.remove(&step);
            return;
        };
        let (lacks, due) = match due.try_ready() {
            Readiness::Ready(ready) => return self.ready(step, ready),
            Readiness::Lacks(lacks, due) => (lacks, due),
        };
        preparing.lacks = lacks;
        let slot = Arc::clone(&self.slot);
        preparing.task = Some(ctx.spawn(async move {
            let lacking = |lacks| slot.post(WorkerMessage::Lacks { step, lacks });
            if let Some(ready) = due.get_ready(lacking).await {
                let ready = Box::new(ready);
                slot.post(WorkerMessage::Prepared { step, ready });
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

    /// A step that is not due yet keeps nothing waiting.
    fn tell_lacks(&self, step: StepRef) {
        if let Some(preparing) = self.preparing.get(&step).filter(|one| !one.ahead) {
            let lacks = preparing.lacks;
            self.tell(WorkerEvent::Lacks { step, lacks });
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
        self.tell(WorkerEvent::Prepared { step });
        self.ready.insert(step, ready);
        self.preparing.remove(&step);
    }

    fn release(&mut self, step: StepRef, ctx: &mut Ctx) {
        if let Some(task) = self.preparing.remove(&step).and_then(|p| p.task) {
            ctx.cancel(task);
        }
        self.ready.remove(&step);
    }

    fn call(&mut self, call: Call, mut end: CallEnding) {
        self.slot.fault_points().pass();
        let (step, attempt) = (call.step, call.attempt);
        let Some(ready) = self.ready.remove(&step) else {
            return;
        };
        let ended = move |end| WorkerEvent::Ended { step, attempt, end };
        // From here on it may run. If nothing tells how it ended, it is called again, once it has
        // given its turn back.
        end.nothing_is(ended(CallEnd::lost()));
        self.slot.fault_points().pass();
        let told = move |how| end.tell(ended(how));
        self.new.caller.call(ready, call, told);
    }

    fn catch_up(&mut self, call: Box<Call>, ctx: &mut Ctx) {
        let lane = CallLane {
            database: self.new.database,
            worker: self.new.caller.worker.clone(),
            key: call.key.clone(),
        };
        let named = (call.key.clone(), call.callback.clone());
        let callback = self.callbacks.get(&named).cloned();
        let plugins = &self.new.caller.plugins;
        let lane = lanes::of_process(lane);
        let Some(due) = callback.and_then(|due| DueCallback::new(due, lane, false, plugins)) else {
            let error = Some("it cannot be called".to_owned());
            return self.tell(self.caught_up(call.step, error));
        };
        let slot = Arc::clone(&self.slot);
        ctx.spawn(async move {
            if let Some(ready) = due.get_ready(|_| {}).await {
                let ready = Box::new(ready);
                slot.post(WorkerMessage::CanCatchUp { call, ready });
            }
        });
    }

    fn call_to_catch_up(&mut self, call: Call, ready: Ready) {
        let tell = Arc::clone(&self.new.tell);
        let (worker, number, step) = (
            self.new.caller.worker.clone(),
            self.new.incarnation,
            call.step,
        );
        self.new.caller.call(ready, call, move |end| {
            let error = match end.outcome {
                StepOutcome::Failed { error } => Some(error),
                StepOutcome::Done { .. } | StepOutcome::Lost => None,
            };
            tell(WorkerEvent::Instance {
                worker,
                number,
                event: InstanceEvent::CaughtUp { step, error },
                staged: Vec::new(),
            });
        });
    }

    fn caught_up(&self, step: StepRef, error: Option<String>) -> WorkerEvent {
        WorkerEvent::Instance {
            worker: self.new.caller.worker.clone(),
            number: self.new.incarnation,
            event: InstanceEvent::CaughtUp { step, error },
            staged: Vec::new(),
        }
    }

    fn tell(&self, event: WorkerEvent) {
        (self.new.tell)(event);
    }
}
