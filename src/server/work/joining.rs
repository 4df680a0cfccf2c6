//! The beginning of a stream: a process joins as a worker's instance, or takes up its instance again.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tonic::Status;

use crate::key::flow::SecretKeyUseCase;
use crate::key::name::WorkerName;
use crate::key::state::Snapshot;
use crate::management::instances::InstanceRef;
use crate::rotation::error::RotationError;
use crate::rotation::instance::Process;
use crate::secret::visible::Visible;
use crate::server::grants::right::Right;
use crate::server::peer::PeerProcess;
use crate::server::refusal::SocketRefusal;
use crate::server::replies::{invalid, of_rotation};
use crate::server::work::calls::{CallId, OpenCall};
use crate::server::work::link::StreamLink;
use crate::server::work::registry::KnownInstance;
use crate::server::work::session::{InstanceStream, JoinedInstance, Session};
use crate::wire::generated::{self, Join, ToKeeper, to_keeper};
use crate::wire::instances::sharing;
use crate::wire::invalid::InvalidMessage;
use crate::worker::call::Call;
use crate::worker::link::WorkerRequest;
use crate::worker::names;

/// So often it is looked whether an earlier connection of the same process ends, and after such pauses.
const EXEC_LOOKS: u32 = 10;
const EXEC_PAUSE: Duration = Duration::from_millis(10);

/// So many messages may come before the worker has its name.
const MOST_EARLY: usize = 64;

/// The way to an instance, and its queue.
type LinkWithQueue = (Arc<StreamLink>, UnboundedReceiver<WorkerRequest>);

impl InstanceStream {
    /// The whole life of the stream.
    pub(super) async fn run(mut self) {
        let Some(place) = self.keeper.counts.instance() else {
            let bound = self.keeper.bounds.instances;
            return self.to.refuse(SocketRefusal::Instances { bound });
        };
        let joined = match self.first().await {
            Ok(join) => self.join(join).await,
            Err(refusal) => Err(refusal),
        };
        match joined {
            Ok(instance) => {
                let connection = Arc::clone(&self.connection);
                connection.joined_as(instance.known.of.worker.clone());
                Session::new(self, instance).run().await;
                connection.leave();
            }
            Err(refusal) => self.to.refuse(refusal),
        }
        drop(place);
    }

    async fn first(&mut self) -> Result<Join, Status> {
        let first = self.from.message().await?;
        match first.and_then(|first| first.said) {
            Some(to_keeper::Said::Join(join)) => Ok(join),
            Some(_) | None => {
                let why = "has to be the first message";
                Err(invalid(InvalidMessage::new("join", why)))
            }
        }
    }

    async fn join(&mut self, join: Join) -> Result<JoinedInstance, Status> {
        let asked = || format!("join of worker {}", Visible(join.worker.as_str()));
        self.keeper
            .demand(&self.connection, &[Right::Work], asked, |grants, asker| {
                grants.allow_join(asker, &join.worker)
            })?;
        let worker = WorkerName::new(&join.worker).map_err(|error| of_rotation(error.into()))?;
        let process = self.connection.peer.process.clone();
        let process = process.ok_or_else(|| Status::unavailable("the process has ended"))?;
        if !self.connection.join() {
            return Err(SocketRefusal::AlreadyJoined.into());
        }
        let joined = match join.instance {
            0 => self.join_anew(worker, &join, &process).await,
            number => {
                let of = InstanceRef { worker, number };
                self.take_up(of, &join, &process).await
            }
        };
        if joined.is_err() {
            self.connection.leave();
        }
        joined
    }

    fn link(&self) -> LinkWithQueue {
        let (queue, asked) = unbounded_channel();
        let link = StreamLink {
            queue,
            of: OnceLock::new(),
            keeper: Arc::downgrade(&self.keeper),
        };
        (Arc::new(link), asked)
    }

    async fn join_anew(
        &mut self,
        worker: WorkerName,
        join: &Join,
        process: &PeerProcess,
    ) -> Result<JoinedInstance, Status> {
        let shared = sharing("join.sharing", join.sharing).map_err(invalid)?;
        let own = Process {
            id: process.identity.pid(),
            user: self.connection.peer.user,
            is_known_again: !process.identity.is_named_by_connection(),
            identity: process.identity.to_bytes(),
        };
        self.let_exec_end(&worker, process).await;
        let mut early = VecDeque::new();
        let (number, (link, asked)) = loop {
            let freed = names::freed();
            let (link, asked) = self.link();
            let joins = self.keeper.keys.join_instance(
                worker.clone(),
                shared,
                own.clone(),
                Arc::clone(&link) as Arc<_>,
            );
            match joins.await {
                Ok(number) => break (number, (link, asked)),
                Err(RotationError::WorkerNameTaken { .. } | RotationError::StillRuns { .. })
                    if join.wait_for_name =>
                {
                    self.wait_for_name(&mut early, freed).await?;
                }
                Err(error) => return Err(of_rotation(error)),
            }
        };
        let known = self.registry.add(InstanceRef { worker, number }, own);
        Ok(self.connected(known, (link, asked), process, early, Vec::new()))
    }

    /// A process that has called exec joins anew, over a new connection: the end of the one before may come
    /// in behind it.
    async fn let_exec_end(&self, worker: &WorkerName, process: &PeerProcess) {
        for _ in 0..EXEC_LOOKS {
            if !self.registry.has_connected(worker, process) {
                return;
            }
            tokio::time::sleep(EXEC_PAUSE).await;
        }
    }

    /// Waits until the name may be free. A peer that is gone waits no more.
    async fn wait_for_name(
        &mut self,
        early: &mut VecDeque<ToKeeper>,
        freed: impl Future<Output = ()>,
    ) -> Result<(), Status> {
        let message = tokio::select! {
            message = self.from.message() => message,
            () = freed => return Ok(()),
            () = self.keeper.phases.closing() => return Err(SocketRefusal::ShutDown.into()),
        };
        match message? {
            Some(message) if early.len() < MOST_EARLY => {
                early.push_back(message);
                Ok(())
            }
            Some(_) => {
                let why = "has not been answered: too much was sent before";
                Err(invalid(InvalidMessage::new("join", why)))
            }
            None => Err(Status::cancelled("the peer has gone")),
        }
    }

    async fn take_up(
        &mut self,
        of: InstanceRef,
        join: &Join,
        process: &PeerProcess,
    ) -> Result<JoinedInstance, Status> {
        let named = join.calls.iter().map(generated::CallRef::named);
        let has = named
            .collect::<Result<BTreeSet<CallId>, _>>()
            .map_err(invalid)?;
        let unknown = || {
            of_rotation(RotationError::UnknownInstance {
                worker: of.worker.clone(),
                number: of.number,
            })
        };
        let known = self.find(&of).await.map_err(of_rotation)?;
        let known = known.filter(|known| known.is_of(process) && known.of == of);
        let known = known.ok_or_else(unknown)?;
        self.claim(&known, &has).await;
        let catch_up = known.calls.return_with(&has);
        let (link, asked) = self.link();
        let _is_new = link.of.set(Arc::clone(&known)).is_ok();
        let steps = has.into_iter().filter(|(_, attempt)| *attempt > 0);
        // From here on the end of an earlier stream is no absence.
        let instance = self.connected(known, (link, asked), process, VecDeque::new(), catch_up);
        let known = &instance.known;
        let returned = self.keeper.keys.return_instance(
            &of,
            known.process.clone(),
            steps.collect(),
            Arc::clone(&instance.link) as Arc<_>,
        );
        match returned.await {
            Ok(()) => Ok(instance),
            Err(error) => {
                let keeper = Arc::downgrade(&self.keeper);
                self.registry.disconnect(&keeper, known, instance.stream);
                if let RotationError::UnknownInstance { number, .. } = error {
                    self.registry.forget(number);
                }
                Err(of_rotation(error))
            }
        }
    }

    /// The instance of a number, which an earlier service of the socket may have left.
    async fn find(&self, of: &InstanceRef) -> Result<Option<Arc<KnownInstance>>, RotationError> {
        if let Some(known) = self.registry.get(of.number) {
            return Ok(Some(known));
        }
        let all = self.keeper.keys.instances().await?;
        let found = all.into_iter().find(|one| one.number == of.number);
        let found = found.filter(|one| one.worker == of.worker);
        Ok(found.map(|one| self.registry.add(of.clone(), one.process)))
    }

    /// What it was given by an earlier keeper is known of it, with the keys that its texts may quote.
    async fn claim(&self, known: &KnownInstance, has: &BTreeSet<CallId>) {
        let new = has.iter().filter(|id| id.1 > 0 && !known.calls.has(**id));
        let new: Vec<CallId> = new.copied().collect();
        if new.is_empty() {
            return;
        }
        let keys = &self.keeper.keys;
        let all = keys.instances().await.unwrap_or_default();
        let one = all.into_iter().find(|one| one.number == known.of.number);
        let Some(one) = one else {
            return;
        };
        for (step, attempt) in new {
            let Some(given) = one.calls.get(&step).filter(|call| call.attempt == attempt) else {
                continue;
            };
            let behaviour = keys.behaviour_of(&given.key);
            let use_case = behaviour.map_or(SecretKeyUseCase::RoundTrip, |known| known.use_case);
            let secrets = keys.keys_that_may_be_quoted(step.rotation).await;
            let secrets = secrets.unwrap_or_default();
            let previous = match secrets.snapshot {
                Some(Snapshot::Known { previous, .. }) => previous,
                Some(Snapshot::Unreadable { .. }) | None => None,
            };
            let quoted = [secrets.old, secrets.new, previous].into_iter().flatten();
            let call = OpenCall::new(given.key.clone(), use_case, quoted);
            known.calls.claim((step, attempt), call);
        }
    }

    fn connected(
        &self,
        known: Arc<KnownInstance>,
        (link, asked): LinkWithQueue,
        process: &PeerProcess,
        early: VecDeque<ToKeeper>,
        catch_up: Vec<Call>,
    ) -> JoinedInstance {
        let _is_new = link.of.set(Arc::clone(&known)).is_ok();
        let stream = self.registry.connect(&known);
        let keeper = Arc::downgrade(&self.keeper);
        self.registry.wait_for_end(&keeper, &known, process);
        JoinedInstance {
            known,
            stream,
            link,
            asked,
            early,
            catch_up,
        }
    }
}
