//! The link to a worker of this process, which is an actor.

use std::sync::Arc;

use crate::actors::supervision::actor::ActorThread;
use crate::actors::supervision::slot::{ActorSlot, RestartPolicy};
use crate::actors::supervision::supervisor::Supervision;
use crate::actors::tell_once::TellOnce;
use crate::actors::worker_actor::{NewWorker, WorkerMessage, WorkerPart};
use crate::key::name::WorkerName;
use crate::operator::actor::ActorName;
use crate::worker::link::{TellEvent, WorkerEvent, WorkerLink, WorkerRequest};

/// Starts the actor of a worker. That of `main` lives as long as its manager; the actor of another
/// worker that dies is not started again, for the worker is dead then.
pub fn start(new: NewWorker, thread: ActorThread, supervision: Supervision) -> Arc<dyn WorkerLink> {
    let policy = if new.caller.worker == WorkerName::main() {
        RestartPolicy::Permanent
    } else {
        RestartPolicy::Temporary
    };
    let name = ActorName::Worker(new.caller.worker.clone());
    let tell = Arc::clone(&new.tell);
    let slot = ActorSlot::take(name, policy, thread, supervision, |slot| {
        WorkerPart::new(new, Arc::clone(slot))
    });
    slot.make_known();
    Arc::new(LocalWorker { slot, tell })
}

/// The way to a worker of this process.
struct LocalWorker {
    slot: Arc<ActorSlot<WorkerPart>>,
    tell: TellEvent,
}

impl WorkerLink for LocalWorker {
    fn ask(&self, request: WorkerRequest) {
        let ending = match &request {
            WorkerRequest::Call(call) => {
                let (step, attempt) = (call.step, call.attempt);
                let tell = Arc::clone(&self.tell);
                let tell = Box::new(move |event| tell(event)) as Box<_>;
                Some(TellOnce::new(WorkerEvent::Uncalled { step, attempt }, tell))
            }
            _ => None,
        };
        self.slot.post(WorkerMessage::Asked(request, ending));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::clock::Clock;
    use crate::actors::supervision::actor::ActorThreads;
    use crate::actors::supervision::budget::RestartLimits;
    use crate::guard::events::Events;
    use crate::guard::plugins::{PluginThreads, Plugins};
    use crate::key::definition::{KeyBehaviour, OnKeyChangedCallbackErrorStrategy};
    use crate::key::error::KeyError;
    use crate::key::flow::SecretKeyUseCase;
    use crate::key::name::{CallbackName, KeyName};
    use crate::key::state::{Snapshot, Staged};
    use crate::key::versions::id::VersionId;
    use crate::rotation::error::RotationError;
    use crate::rotation::event::StepRef;
    use crate::rotation::id::RotationId;
    use crate::secret::value::SecretKeyValue;
    use crate::worker::call::Call;
    use crate::worker::callback::{IntoCallback, KeyChange};
    use crate::worker::caller::Caller;
    use crate::worker::change::Change;
    use crate::worker::handle::{KeyLink, LinkFuture};
    use crate::worker::process_lanes::{self as lanes, CallLane};
    use std::sync::mpsc::channel;
    use std::time::Duration;
    use uuid::Uuid;

    const DATABASE: [u8; 16] = *b"a test of worker";

    fn step(step: u32) -> StepRef {
        let rotation = RotationId::new(Uuid::nil());
        StepRef { rotation, step }
    }

    fn key(name: &str) -> KeyName {
        KeyName::new(name).unwrap()
    }

    fn prepare(no: u32, name: &str) -> WorkerRequest {
        WorkerRequest::Prepare {
            step: step(no),
            key: key(name),
            callback: CallbackName::new("c").unwrap(),
            ahead: false,
        }
    }

    struct Nothing;

    impl KeyLink for Nothing {
        fn get_version(
            &self,
            _: &KeyName,
            _: VersionId,
        ) -> LinkFuture<Result<SecretKeyValue, KeyError>> {
            Box::pin(async { Err(KeyError::Forked) })
        }

        fn stage_save(
            &self,
            _: &KeyName,
            _: Vec<Staged>,
        ) -> LinkFuture<Result<Option<SecretKeyValue>, KeyError>> {
            Box::pin(async { Err(KeyError::Forked) })
        }

        fn refuse_child(&self) -> Result<(), KeyError> {
            Ok(())
        }

        fn declare(&self, _: Change) -> LinkFuture<Result<RotationId, RotationError>> {
            Box::pin(async { Err(RotationError::Forked) })
        }
    }

    fn worker(threads: &ActorThreads, tell: TellEvent) -> Arc<dyn WorkerLink> {
        let limits = RestartLimits {
            most: 0,
            within: Duration::ZERO,
            backoff: Duration::ZERO,
        };
        let events = Events::start().expect("a thread");
        let clock = Clock::start();
        let supervision = Supervision::new(threads.supervisor(), limits, clock, events.clone());
        let caller = Caller {
            worker: WorkerName::main(),
            plugins: Arc::new(Plugins::start(PluginThreads::default()).unwrap()),
            events,
            link: Arc::new(Nothing),
        };
        let new = NewWorker {
            incarnation: 1,
            database: DATABASE,
            caller,
            tell,
        };
        start(new, threads.coordinator(), supervision)
    }

    #[test]
    fn what_is_given_up_before_it_is_ready_gives_its_turn_back() {
        let threads = ActorThreads::start().unwrap();
        let (told, prepared) = channel();
        let tell = move |event| {
            if let WorkerEvent::Prepared { step } = event {
                told.send(step).unwrap();
            }
        };
        let worker = worker(&threads, Arc::new(tell));
        for name in ["k", "free"] {
            worker.ask(WorkerRequest::Add {
                key: key(name),
                name: CallbackName::new("c").unwrap(),
                callback: (|_: KeyChange| {}).into_callback(),
            });
        }
        // Another one has the turn until the worker has looked at all of it.
        let lane = lanes::of_process(CallLane {
            database: DATABASE,
            worker: WorkerName::main(),
            key: key("k"),
        });
        let turn = lane.try_turn();
        worker.ask(prepare(1, "k"));
        worker.ask(WorkerRequest::Release { step: step(1) });
        worker.ask(prepare(2, "k"));
        worker.ask(prepare(3, "free"));
        assert_eq!(prepared.recv(), Ok(step(3)), "its turn was free");
        drop(turn);
        let next = prepared.recv_timeout(Duration::from_secs(5));
        threads.close();
        assert_eq!(next, Ok(step(2)));
    }

    #[test]
    fn a_call_that_is_asked_of_a_worker_that_has_ended_is_told_as_uncalled() {
        let threads = ActorThreads::start().unwrap();
        let (told, uncalled) = channel();
        let tell = move |event| {
            if let WorkerEvent::Uncalled { step, attempt } = event {
                told.send((step, attempt)).unwrap();
            }
        };
        let worker = worker(&threads, Arc::new(tell));
        let behaviour = Arc::new(KeyBehaviour {
            use_case: SecretKeyUseCase::RoundTrip,
            stateless: true,
            keep_in_cache: true,
            error_strategy: OnKeyChangedCallbackErrorStrategy::Halt,
            store_time_limit: Duration::ZERO,
            request_time_limit: Duration::ZERO,
            callback_time_limit: Duration::ZERO,
            workers_at_once: 1,
            max_requests: 1,
            max_waiting_rotations: 1,
            versions: None,
        });
        let call = |no, attempt| {
            WorkerRequest::Call(Box::new(Call {
                step: step(no),
                attempt,
                callback: CallbackName::new("c").unwrap(),
                key: key("k"),
                behaviour: Arc::clone(&behaviour),
                old_keys: None,
                new_keys: None,
                snapshot: Snapshot::default(),
                versions: None,
            }))
        };
        // Nothing was prepared for it.
        worker.ask(call(1, 1));
        assert_eq!(uncalled.recv(), Ok((step(1), 1)));
        worker.ask(WorkerRequest::Stop);
        worker.ask(call(2, 3));
        assert_eq!(uncalled.recv(), Ok((step(2), 3)));
        threads.close();
        worker.ask(call(3, 1));
        assert_eq!(uncalled.recv(), Ok((step(3), 1)));
    }
}
