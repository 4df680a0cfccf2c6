//! The supervisor: it starts actors that died again, one for one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message};

use crate::actors::clock::Clock;
use crate::actors::supervision::budget::RestartLimits;
use crate::actors::supervision::name::{ActorName, ActorState, ActorStatus};
use crate::actors::supervision::seat::Verdict;
use crate::key::time::Time;

/// An actor as its supervisor sees it.
pub trait Child: Send + Sync + 'static {
    /// How it is.
    fn status(&self) -> ActorStatus;
    /// Whether it is started again after a death.
    fn judge(&self, limits: &RestartLimits, now: Time) -> Verdict;
    /// Starts it again, if it is dead.
    fn restart(self: Arc<Self>);
    /// Leaves it dead; whoever waits is told.
    fn give_up(&self);
    /// An operator starts it again; false if it has not failed, or never lives again.
    fn renew(self: Arc<Self>) -> bool;
    /// It never lives again.
    fn end(&self);
    /// Lets it die at a fault point.
    #[cfg(feature = "testing")]
    fn kill_at(&self, point: u64);
}

/// What a supervisor and everybody who speaks to it share.
struct Shared {
    children: Mutex<BTreeMap<ActorName, Arc<dyn Child>>>,
    closed: AtomicBool,
}

/// The way to the supervisor. A clone is the same one.
#[derive(Clone)]
pub struct Supervision {
    supervisor: Addr<Supervisor>,
    shared: Arc<Shared>,
}

impl Supervision {
    /// Starts a supervisor.
    pub fn start(arbiter: &ArbiterHandle, limits: RestartLimits, clock: Clock) -> Self {
        let shared = Arc::new(Shared {
            children: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let supervisor =
            Supervisor::start_in_arbiter(arbiter, move |_| Supervisor { limits, clock });
        Self { supervisor, shared }
    }

    /// Takes a child in. An earlier one of its name is none any more.
    pub fn adopt(&self, child: Arc<dyn Child>) {
        let name = child.status().actor;
        let earlier = self.children().insert(name, child);
        drop(earlier);
    }

    /// Forgets a child that has ended for good.
    pub fn forget(&self, name: &ActorName) {
        let forgotten = self.children().remove(name);
        drop(forgotten);
    }

    /// Every child, in the order of their names.
    pub fn statuses(&self) -> Vec<ActorStatus> {
        let children: Vec<_> = self.children().values().cloned().collect();
        children.iter().map(|child| child.status()).collect()
    }

    /// A child died; false if nobody is there to start it again.
    pub fn died(&self, child: Arc<dyn Child>) -> bool {
        let connected = self.supervisor.connected();
        if connected {
            self.supervisor.do_send(Died(child));
        }
        connected
    }

    /// An operator starts a failed actor again. None if no such actor is known; false if it has not
    /// failed, or is none that is started again.
    pub fn renew(&self, name: &ActorName) -> Option<bool> {
        let child = self.children().get(name).cloned()?;
        Some(child.renew())
    }

    /// From now on nobody is started again.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        let children = std::mem::take(&mut *self.children());
        for child in children.values() {
            // One that waits for its restart, or has failed, has no life to end by itself.
            if child.status().state != ActorState::Running {
                child.end();
            }
        }
    }

    /// Whether nobody is started again.
    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::SeqCst)
    }

    /// Lets an actor die at a fault point; false if no such actor is known.
    #[cfg(feature = "testing")]
    pub fn kill_at(&self, name: &ActorName, point: u64) -> bool {
        let child = self.children().get(name).cloned();
        child.map(|child| child.kill_at(point)).is_some()
    }

    fn children(&self) -> MutexGuard<'_, BTreeMap<ActorName, Arc<dyn Child>>> {
        let children = &self.shared.children;
        children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Supervision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Supervision")
    }
}

/// A child died.
struct Died(Arc<dyn Child>);

impl Message for Died {
    type Result = ();
}

/// The supervisor's actor.
struct Supervisor {
    limits: RestartLimits,
    clock: Clock,
}

impl Actor for Supervisor {
    type Context = Context<Self>;
}

impl Handler<Died> for Supervisor {
    type Result = ();

    fn handle(&mut self, Died(child): Died, ctx: &mut Context<Self>) {
        let verdict = child.judge(&self.limits, self.clock.now());
        let ActorStatus {
            actor,
            restarts,
            last_failure,
            ..
        } = child.status();
        let reason = last_failure.unwrap_or_default();
        match verdict {
            Verdict::Restart(after) => {
                let count = restarts + 1;
                tracing::warn!(%actor, %reason, count, ?after, "an actor died and is restarted");
                ctx.run_later(after, |_, _| child.restart());
            }
            Verdict::GiveUp => {
                tracing::error!(%actor, %reason, restarts, "an actor died and is not restarted");
                child.give_up();
            }
        }
    }
}
