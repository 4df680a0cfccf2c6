//! The slot of an actor: its name and inbox, and between two lives its part.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::actors::supervision::actor::{ActorThread, Life, LifeEnd, Part};
use crate::actors::supervision::budget::{Budget, RestartLimits};
use crate::actors::supervision::fault_point::FaultPoints;
use crate::actors::supervision::inbox::Inbox;
use crate::actors::supervision::supervisor::{Child, Supervision};
use crate::guard::fault::catch;
use crate::key::time::Time;
use crate::operator::actor::{ActorName, ActorState, ActorStatus};

/// Whether an actor that died is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartPolicy {
    /// It is, until it has died too often.
    Permanent,
    /// It is not.
    Temporary,
}

struct Rest<P> {
    /// Here between two lives.
    /// Boxed, because while an actor has it nothing of it lies here.
    part: Option<Box<P>>,
    state: ActorState,
    ended: bool,
    budget: Budget,
    restarts: u64,
    last_failure: Option<String>,
}

/// What of an actor outlives it: its inbox, and between two lives its part.
pub struct ActorSlot<P: Part> {
    name: ActorName,
    restart_policy: RestartPolicy,
    inbox: Arc<Inbox<P::Message>>,
    thread: ActorThread,
    supervision: Supervision,
    failed: AtomicBool,
    rest: Mutex<Rest<P>>,
    fault_points: Arc<FaultPoints>,
}

impl<P: Part> ActorSlot<P> {
    /// A slot with an actor that begins its first life at once. `make` is given the slot, to post
    /// messages to it.
    pub fn take(
        name: ActorName,
        restart_policy: RestartPolicy,
        thread: ActorThread,
        supervision: Supervision,
        make: impl FnOnce(&Arc<Self>) -> P,
    ) -> Arc<Self> {
        let slot = Arc::new(Self {
            name,
            restart_policy,
            inbox: Arc::new(Inbox::new()),
            thread,
            supervision,
            failed: AtomicBool::new(false),
            rest: Mutex::new(Rest {
                part: None,
                state: ActorState::Running,
                ended: false,
                budget: Budget::default(),
                restarts: 0,
                last_failure: None,
            }),
            fault_points: Arc::default(),
        });
        let part = Box::new(make(&slot));
        slot.lock().part = Some(part);
        slot.begin_life();
        slot
    }

    /// Makes it known to the supervision, in place of an earlier one of its name.
    pub fn make_known(self: &Arc<Self>) {
        self.supervision.add(Arc::clone(self) as Arc<dyn Child>);
    }

    /// Posts a message; one that is refused is dropped, by which its asker is told.
    pub fn post(&self, message: P::Message) {
        drop(self.inbox.offer(message));
    }

    /// Posts a message after this time.
    pub fn post_after(self: &Arc<Self>, time: Duration, message: P::Message) {
        let slot = Arc::clone(self);
        self.thread.spawn(async move {
            tokio::time::sleep(time).await;
            slot.post(message);
        });
    }

    /// Where its messages wait.
    pub fn inbox(&self) -> &Arc<Inbox<P::Message>> {
        &self.inbox
    }

    /// Why the actor does not answer, if it has failed.
    pub fn failure(&self) -> Option<String> {
        if !self.failed.load(Ordering::SeqCst) {
            return None;
        }
        let rest = self.lock();
        let why = rest.last_failure.clone();
        Some(why.unwrap_or_else(|| "for an unknown reason".to_owned()))
    }

    /// The points at which a test may let it die.
    pub fn fault_points(&self) -> &Arc<FaultPoints> {
        &self.fault_points
    }

    /// A life is over and the part is back; a death is attended to.
    fn over(self: Arc<Self>, part: Box<P>, end: LifeEnd) {
        let mut rest = self.lock();
        rest.part = Some(part);
        match end {
            LifeEnd::Died(reason) if !rest.ended && !self.supervision.is_closed() => {
                rest.state = ActorState::Restarting;
                rest.last_failure = Some(reason);
                drop(rest);
                self.supervision.clone().died(self);
            }
            LifeEnd::Died(_) | LifeEnd::Wanted => {
                drop(rest);
                self.end();
            }
        }
    }

    fn begin_life(self: &Arc<Self>) {
        let mut rest = self.lock();
        let Some(part) = rest.part.take() else {
            return;
        };
        rest.state = ActorState::Running;
        drop(rest);
        // Made here, so that it hands the part back where the thread has ended and drops it unbegun.
        let (inbox, points) = (Arc::clone(&self.inbox), Arc::clone(&self.fault_points));
        let slot = Arc::clone(self);
        let over = move |part, end| slot.over(part, end);
        Life::new(part, inbox, points, Box::new(over)).begin_on(&self.thread);
    }

    /// Lets the part tell its askers; answers it if it may have another life.
    fn fail(&self, mut part: Box<P>, why: &str) -> Option<Box<P>> {
        // A part that panics here tells no further asker, and can be started again all the same.
        drop(catch(|| part.fail(why)));
        match self.restart_policy {
            RestartPolicy::Permanent => Some(part),
            RestartPolicy::Temporary => {
                for message in self.inbox.close() {
                    part.refuse(message);
                }
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Rest<P>> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Part> Child for ActorSlot<P> {
    fn status(&self) -> ActorStatus {
        let rest = self.lock();
        ActorStatus {
            actor: self.name.clone(),
            state: rest.state,
            restarts: rest.restarts,
            last_failure: rest.last_failure.clone(),
        }
    }

    fn judge(&self, limits: &RestartLimits, now: Time) -> Option<Duration> {
        if self.restart_policy == RestartPolicy::Temporary {
            return None;
        }
        let mut rest = self.lock();
        let due = rest.part.as_ref().and_then(|part| part.deadline());
        let after = rest.budget.spend(limits, now)?;
        Some(due.map_or(after, |due| after.min(now.until(due))))
    }

    fn restart(self: Arc<Self>) {
        let mut rest = self.lock();
        if rest.ended || rest.part.is_none() {
            return;
        }
        rest.restarts += 1;
        drop(rest);
        self.failed.store(false, Ordering::SeqCst);
        self.inbox.admit_requests();
        self.begin_life();
    }

    fn give_up(&self) {
        let mut rest = self.lock();
        let why = rest.last_failure.clone().unwrap_or_default();
        let part = rest.part.take();
        drop(rest);
        self.failed.store(true, Ordering::SeqCst);
        self.inbox.refuse_requests();
        let kept = part.and_then(|part| self.fail(part, &why));
        // Both at once: an operator that sees that it has failed starts it again with its part.
        let mut rest = self.lock();
        rest.state = ActorState::Failed;
        rest.part = kept.or_else(|| rest.part.take());
    }

    fn renew(self: Arc<Self>) -> bool {
        let mut rest = self.lock();
        if rest.state != ActorState::Failed || self.restart_policy == RestartPolicy::Temporary {
            return false;
        }
        rest.budget.renew();
        drop(rest);
        self.restart();
        true
    }

    fn end(&self) {
        let mut rest = self.lock();
        rest.ended = true;
        let part = rest.part.take();
        drop(rest);
        let Some(mut part) = part else {
            drop(self.inbox.close());
            return;
        };
        for message in self.inbox.close() {
            part.refuse(message);
        }
    }

    #[cfg(feature = "testing")]
    fn kill_at(&self, point: u64) {
        self.fault_points.kill_at(point);
        // An actor that has nothing to do dies as well.
        self.inbox.rouse();
    }
}
