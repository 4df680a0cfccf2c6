//! Supervision: actors that died are started again, one for one.
//!
//! Nothing supervises the supervisor, because there is none that could die: each death is attended to
//! by a task of its own. If that task panics, or the thread of the tasks has ended, the dead child is
//! given up, by which its askers are told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::actors::clock::Clock;
use crate::actors::supervision::actor::ActorThread;
use crate::actors::supervision::budget::RestartLimits;
use crate::guard::events::Events;
use crate::guard::fault::catch;
use crate::key::time::Time;
use crate::operator::actor::{ActorName, ActorState, ActorStatus};

/// An actor as its supervision sees it.
pub trait Child: Send + Sync + 'static {
    /// How it is.
    fn status(&self) -> ActorStatus;
    /// It died: how long its restart waits; none if it is not started again.
    fn judge(&self, limits: &RestartLimits, now: Time) -> Option<Duration>;
    /// Starts it again, if it is dead.
    fn restart(self: Arc<Self>);
    /// Leaves it dead; its askers are told.
    fn give_up(&self);
    /// An operator starts it again; false if it has not failed, or never lives again.
    fn renew(self: Arc<Self>) -> bool;
    /// It never lives again.
    fn end(&self);
    /// Lets it die at a fault point.
    #[cfg(feature = "testing")]
    fn kill_at(&self, point: u64);
}

struct SupervisorState {
    thread: ActorThread,
    limits: RestartLimits,
    clock: Clock,
    events: Events,
    children: Mutex<BTreeMap<ActorName, Arc<dyn Child>>>,
    closed: AtomicBool,
}

/// The supervision of all actors. A clone is the same one.
#[derive(Clone)]
pub struct Supervision {
    shared: Arc<SupervisorState>,
}

impl Supervision {
    /// The supervision of actors that are not there yet. What it does about deaths is done on this
    /// thread, which must not be one of theirs.
    pub fn new(thread: ActorThread, limits: RestartLimits, clock: Clock, events: Events) -> Self {
        let shared = Arc::new(SupervisorState {
            thread,
            limits,
            clock,
            events,
            children: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        Self { shared }
    }

    /// Adds a child, in place of an earlier one of its name.
    pub fn add(&self, child: Arc<dyn Child>) {
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

    /// A child died: it is started again, or given up.
    pub fn died(&self, child: Arc<dyn Child>) {
        let death = Death { child: Some(child) };
        let shared = Arc::clone(&self.shared);
        // Where the thread has ended the task is dropped, and with it the death.
        self.shared
            .thread
            .spawn(async move { death.attend(&shared).await });
    }

    /// An operator starts a failed actor again. None if no such actor is known; false if it has not
    /// failed, or is none that is started again.
    pub fn renew(&self, name: &ActorName) -> Option<bool> {
        let child = self.children().get(name).cloned()?;
        Some(child.renew())
    }

    /// From now on no actor is started again.
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

    /// Whether no actor is started again.
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

impl SupervisorState {
    /// How long the restart of a child waits; none if it is given up.
    fn judge(&self, child: &Arc<dyn Child>) -> Option<Duration> {
        let after = child.judge(&self.limits, self.clock.now());
        let ActorStatus {
            actor,
            restarts,
            last_failure,
            ..
        } = child.status();
        let reason = last_failure.unwrap_or_default();
        match after {
            Some(after) => {
                let count = restarts + 1;
                self.events.tell(move || {
                    tracing::warn!(%actor, %reason, count, ?after, "an actor died and is restarted");
                });
            }
            None => {
                self.events.tell(move || {
                    tracing::error!(%actor, %reason, restarts, "an actor died and is not restarted");
                });
            }
        }
        after
    }
}

/// A child that died. Dropped before the child is started again, it gives the child up.
struct Death {
    child: Option<Arc<dyn Child>>,
}

impl Death {
    async fn attend(mut self, shared: &SupervisorState) {
        let Some(child) = self.child.clone() else {
            return;
        };
        if let Ok(Some(after)) = catch(|| shared.judge(&child)) {
            tokio::time::sleep(after).await;
            if catch(|| child.restart()).is_ok() {
                self.child = None;
            }
        }
    }
}

impl Drop for Death {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            // What it panics with is in no place to be told.
            drop(catch(|| child.give_up()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::supervision::actor::ActorThreads;
    use std::panic::panic_any;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// What a child is asked to do, and whether it panics there.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Asked {
        Judge,
        Restart,
        GiveUp,
    }

    struct Orphan {
        panics_at: Option<Asked>,
        told: Sender<Asked>,
    }

    impl Orphan {
        fn asked(&self, asked: Asked) {
            self.told.send(asked).expect("heard");
            if self.panics_at == Some(asked) {
                panic_any("the supervisor panics");
            }
        }
    }

    impl Child for Orphan {
        fn status(&self) -> ActorStatus {
            ActorStatus {
                actor: ActorName::Coordinator,
                state: ActorState::Restarting,
                restarts: 0,
                last_failure: None,
            }
        }

        fn judge(&self, _: &RestartLimits, _: Time) -> Option<Duration> {
            self.asked(Asked::Judge);
            Some(Duration::ZERO)
        }

        fn restart(self: Arc<Self>) {
            self.asked(Asked::Restart);
        }

        fn give_up(&self) {
            self.asked(Asked::GiveUp);
        }

        fn renew(self: Arc<Self>) -> bool {
            false
        }

        fn end(&self) {}

        #[cfg(feature = "testing")]
        fn kill_at(&self, _: u64) {}
    }

    /// A supervision, and deaths in it.
    fn die_in(supervision: &Supervision, panics_at: Option<Asked>) -> Receiver<Asked> {
        let (told, asked) = channel();
        supervision.died(Arc::new(Orphan { panics_at, told }));
        asked
    }

    fn supervision() -> (ActorThreads, Supervision) {
        let threads = ActorThreads::start().expect("threads");
        let limits = RestartLimits {
            most: 5,
            within: Duration::from_secs(10),
            backoff: Duration::ZERO,
        };
        let events = Events::start().expect("a thread");
        let supervision = Supervision::new(threads.supervisor(), limits, Clock::start(), events);
        (threads, supervision)
    }

    #[test]
    fn a_panic_while_a_death_is_attended_to_gives_that_child_up_and_the_next_is_attended_to() {
        let (threads, supervision) = supervision();
        let whole = |asked: Receiver<Asked>| asked.iter().collect::<Vec<_>>();
        use Asked::{GiveUp, Judge, Restart};
        let judged = die_in(&supervision, Some(Judge));
        assert_eq!(whole(judged), [Judge, GiveUp]);
        let restarted = die_in(&supervision, Some(Restart));
        assert_eq!(whole(restarted), [Judge, Restart, GiveUp]);
        let well = die_in(&supervision, Some(GiveUp));
        assert_eq!(whole(well), [Judge, Restart]);
        threads.close();
    }

    #[test]
    fn an_actor_that_dies_when_the_thread_that_attends_to_deaths_has_ended_is_given_up() {
        let (threads, supervision) = supervision();
        threads.close();
        let asked: Vec<Asked> = die_in(&supervision, None).iter().collect();
        assert_eq!(asked, [Asked::GiveUp]);
    }
}
