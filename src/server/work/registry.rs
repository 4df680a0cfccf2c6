//! The instances of other processes that this keeper has met: over which stream each is connected, and the
//! end of its process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::key::name::WorkerName;
use crate::management::instances::InstanceRef;
use crate::rotation::instance::{Instance, InstanceEvent, Process};
use crate::server::keeper::Keeper;
use crate::server::peer::PeerProcess;
use crate::server::peer::process::{ProcessIdentity, Reopened};
use crate::server::peer::watch::ProcessWatch;
use crate::server::work::calls::Calls;

/// How long after something that the system or the coordinator did not tell it is asked again.
const LOOKS_AGAIN: Duration = Duration::from_millis(250);

/// How long an instance may be absent whose process cannot be watched.
const UNSEEN: Duration = Duration::from_secs(60);

/// An instance that this keeper has met.
pub(super) struct KnownInstance {
    pub(super) of: InstanceRef,
    /// Its process, as the coordinator has it.
    pub(super) process: Process,
    pub(super) calls: Calls,
    at: Mutex<Whereabouts>,
    /// Whether its process has ended.
    ended: watch::Sender<bool>,
}

#[derive(Default)]
struct Whereabouts {
    /// The stream that it is connected over.
    stream: Option<u64>,
    /// What waits for the end of its process.
    waits: Option<AbortHandle>,
    /// Whether the end of its connection is its end.
    by_connection: bool,
    is_gone: bool,
}

impl Drop for KnownInstance {
    fn drop(&mut self) {
        if let Some(waits) = self.at().waits.take() {
            waits.abort();
        }
    }
}

impl KnownInstance {
    fn new(of: InstanceRef, process: Process) -> Arc<Self> {
        Arc::new(Self {
            of,
            process,
            calls: Calls::default(),
            at: Mutex::default(),
            ended: watch::Sender::new(false),
        })
    }

    fn at(&self) -> MutexGuard<'_, Whereabouts> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is its process.
    pub(super) fn is_of(&self, process: &PeerProcess) -> bool {
        let known = ProcessIdentity::from_bytes(&self.process.identity);
        known.is_some_and(|known| known.is_same(&process.identity))
    }

    /// Tells the end of its process.
    pub(super) fn process_end(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }
}

/// The instances that this keeper has met.
#[derive(Default)]
pub(crate) struct Registry {
    known: Mutex<BTreeMap<u64, Arc<KnownInstance>>>,
    streams: AtomicU64,
}

impl Registry {
    fn known(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<KnownInstance>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The instance of this number.
    pub(super) fn get(&self, number: u64) -> Option<Arc<KnownInstance>> {
        self.known().get(&number).cloned()
    }

    /// Takes an instance in.
    pub(super) fn add(&self, of: InstanceRef, process: Process) -> Arc<KnownInstance> {
        let mut all = self.known();
        let number = of.number;
        let known = all
            .entry(number)
            .or_insert_with(|| KnownInstance::new(of, process));
        Arc::clone(known)
    }

    /// Notes that it is connected over a new stream, and answers that stream's number. The end of an earlier
    /// stream changes nothing any more.
    pub(super) fn connect(&self, known: &KnownInstance) -> u64 {
        let stream = self.streams.fetch_add(1, Ordering::Relaxed);
        known.at().stream = Some(stream);
        stream
    }

    /// Waits for the end of its process; where only its connection names that, for the end of the connection.
    pub(super) fn wait_for_end(
        self: &Arc<Self>,
        keeper: &Weak<Keeper>,
        known: &Arc<KnownInstance>,
        process: &PeerProcess,
    ) {
        match &process.watch {
            Some(watch) => self.wait(keeper, known, Arc::clone(watch)),
            None => known.at().by_connection = true,
        }
    }

    fn wait(
        self: &Arc<Self>,
        keeper: &Weak<Keeper>,
        known: &Arc<KnownInstance>,
        process: Arc<ProcessWatch>,
    ) {
        let mut at = known.at();
        if at.waits.is_some() {
            return;
        }
        let (registry, keeper, of) = (Arc::clone(self), keeper.clone(), Arc::downgrade(known));
        let waits = tokio::spawn(async move {
            if process.ended().await.is_err() {
                // The system has no room to tell it.
                while !process.has_ended() {
                    tokio::time::sleep(LOOKS_AGAIN).await;
                }
            }
            let Some(known) = of.upgrade() else {
                return;
            };
            known.ended.send_replace(true);
            // What it had sent is read first, where it is connected.
            if known.at().stream.is_none() {
                registry.is_gone(&keeper, &known);
            }
        });
        at.waits = Some(waits.abort_handle());
    }

    /// The stream of an instance has ended: it is absent, or gone with its process.
    pub(super) fn disconnect(&self, keeper: &Weak<Keeper>, known: &KnownInstance, stream: u64) {
        let mut at = known.at();
        if at.stream != Some(stream) || at.is_gone {
            return;
        }
        at.stream = None;
        if *known.ended.borrow() || at.by_connection {
            drop(at);
            return self.is_gone(keeper, known);
        }
        tell(keeper, &known.of, InstanceEvent::Absent);
    }

    /// The process of an instance has ended.
    fn is_gone(&self, keeper: &Weak<Keeper>, known: &KnownInstance) {
        if !std::mem::replace(&mut known.at().is_gone, true) {
            tell(keeper, &known.of, InstanceEvent::ProcessEnded);
        }
        self.forget(known.of.number);
    }

    /// An instance is gone otherwise, if it is connected over this stream.
    pub(super) fn forget_over(&self, known: &KnownInstance, stream: u64) {
        if known.at().stream == Some(stream) {
            self.forget(known.of.number);
        }
    }

    /// An instance is gone.
    pub(super) fn forget(&self, number: u64) {
        let gone = self.known().remove(&number);
        if let Some(gone) = gone {
            gone.at().is_gone = true;
        }
    }

    /// Looks for the processes of the instances that an earlier keeper left, or an earlier service of the socket,
    /// and watches them: what one ran that has ended is called again.
    pub(crate) async fn find_again(self: Arc<Self>, keeper: Weak<Keeper>) {
        let left = loop {
            let Some(keys) = keeper.upgrade().map(|keeper| keeper.keys.clone()) else {
                return;
            };
            match keys.instances().await {
                Ok(left) => break left,
                Err(error) if error.is_retriable() => tokio::time::sleep(LOOKS_AGAIN).await,
                // Nothing is called either.
                Err(_) => return,
            }
        };
        self.watch_all(&keeper, left);
    }

    fn watch_all(self: &Arc<Self>, keeper: &Weak<Keeper>, left: Vec<Instance>) {
        for instance in left {
            let of = InstanceRef {
                worker: instance.worker,
                number: instance.number,
            };
            let identity = ProcessIdentity::from_bytes(&instance.process.identity);
            let known = self.add(of, instance.process);
            match identity {
                Some(identity) => {
                    let finding = find_process(Arc::clone(self), keeper.clone(), known, identity);
                    drop(tokio::spawn(finding));
                }
                None => self.is_gone(keeper, &known),
            }
        }
    }

    /// Whether an instance of this worker, in this process, is connected. Where the process has called exec,
    /// that is about to end.
    pub(super) fn has_connected(&self, worker: &WorkerName, process: &PeerProcess) -> bool {
        let all = self.known();
        let mut of_it = all.values().filter(|known| known.of.worker == *worker);
        of_it.any(|known| known.is_of(process) && known.at().stream.is_some())
    }
}

/// Looks for the process of an instance that an earlier keeper left.
async fn find_process(
    registry: Arc<Registry>,
    keeper: Weak<Keeper>,
    known: Arc<KnownInstance>,
    identity: ProcessIdentity,
) {
    let reopened = loop {
        match identity.reopen() {
            Ok(reopened) => break reopened,
            // The system does not tell now: it has no descriptor left, for example.
            Err(_) => tokio::time::sleep(LOOKS_AGAIN).await,
        }
    };
    match reopened {
        Reopened::Lives(watch) => registry.wait(&keeper, &known, Arc::new(watch)),
        Reopened::Ended => registry.is_gone(&keeper, &known),
        // It is gone unless it connects in time.
        Reopened::Elsewhere => {
            tokio::time::sleep(UNSEEN).await;
            let is_unseen = {
                let at = known.at();
                at.stream.is_none() && at.waits.is_none()
            };
            if is_unseen {
                registry.is_gone(&keeper, &known);
            }
        }
    }
}

fn tell(keeper: &Weak<Keeper>, of: &InstanceRef, event: InstanceEvent) {
    if let Some(keeper) = keeper.upgrade() {
        keeper.keys.tell_of_instance(of, event, Vec::new());
    }
}
