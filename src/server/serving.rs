//! Serving a manager over a Unix socket, and the end of that.

use std::fmt;
use std::future::Future;
use std::num::NonZero;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::guard::events::Events;
use crate::guard::runtime::RuntimeThread;
use crate::management::keys_management::KeysManagement;
use crate::management::phase::{Phase, PhaseWatch, Phases};
use crate::server::accept::accept;
use crate::server::descriptors::{self, Fitted};
use crate::server::error::ServeError;
use crate::server::grants::Grants;
use crate::server::keeper::Keeper;
use crate::server::options::ServeOptions;
use crate::server::reload::{ReloadError, Reloaded};
use crate::server::services::{Served, Services};
use crate::server::socket::file::SocketFile;
use crate::server::socket::passed::passed;

/// Connections share so many threads at most.
const MOST_THREADS: usize = 4;

/// A manager that is served. It goes on until [`stop`](Self::stop), until the manager's shutdown, or until
/// the last clone of it is dropped.
#[derive(Clone)]
pub struct Serving {
    handle: Arc<Handle>,
}

struct Handle {
    path: PathBuf,
    keeper: Arc<Keeper>,
    stop: Arc<Notify>,
    ended: watch::Receiver<bool>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.notify_one();
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serving({})", self.path().display())
    }
}

impl KeysManagement {
    /// Serves this manager over a Unix socket, so that other processes and the command line reach it.
    ///
    /// The socket is there when this answers. Its end is that of what this answers: keep it.
    ///
    /// # Errors
    /// `socket_in_use`, `socket_path_too_long`, `socket_path_unnamed`, `socket_path_is_folder`,
    /// `socket_path_taken`, `socket_folder_missing`, `socket_not_permitted`, `socket_failed`,
    /// `socket_passed_unusable`, `no_thread`, `no_descriptor`, `zero_bound`, `shut_down`, `forked`.
    pub async fn serve(&self, options: ServeOptions) -> Result<Serving, ServeError> {
        crate::guard::fork::refuse_child()?;
        let of_manager = self.inner.phases.watch();
        if of_manager.now() > Phase::Open {
            return Err(ServeError::ShutDown);
        }
        let ServeOptions {
            path,
            grants,
            mut bounds,
            takes_passed,
            backups,
            reload,
        } = options;
        bounds.check()?;
        let fitted = descriptors::fit(&mut bounds)?;
        let threads = start_threads()?;
        let (listener, file) = listen(&path, takes_passed, grants.mode())?;
        tell_of_the_limit(&self.inner.events, fitted, bounds.connections);
        let phases = Phases::default();
        let mut keeper = Keeper::new(self.clone(), grants, bounds, phases.watch(), file);
        (keeper.backups, keeper.reload) = (backups, reload);
        let keeper = Arc::new(keeper);
        let served = Arc::new(Served {
            services: Services::new(&keeper),
            keeper: Arc::clone(&keeper),
        });
        let handles: Vec<_> = threads
            .iter()
            .map(|thread| thread.handle().clone())
            .collect();
        let first = handles.first().cloned();
        let instances = Arc::clone(&served.services.instances);
        let finding = instances.find_again(Arc::downgrade(&keeper));
        let accepting = accept(served, listener, handles);
        let (told, ended) = watch::channel(false);
        let stop = Arc::new(Notify::new());
        let (stopped, of_work) = (Arc::clone(&stop), Arc::clone(&keeper));
        let grace = self.inner.settings.shutdown_grace;
        let life = async move {
            let end = end(&phases, &of_manager, &stopped, &of_work, grace);
            let _accepted = futures_util::future::join(accepting, end).await;
            drop(of_manager);
            told.send_replace(true);
            // With the last of them whatever is still on them is dropped.
            drop(threads);
        };
        if let Some(first) = first {
            drop(first.spawn(finding));
            drop(first.spawn(life));
        }
        Ok(Serving {
            handle: Arc::new(Handle {
                path,
                keeper,
                stop,
                ended,
            }),
        })
    }
}

impl Serving {
    /// The path of the socket that was asked for.
    pub fn path(&self) -> &Path {
        &self.handle.path
    }

    /// Ends the service; the manager goes on. Every stream is told, running callbacks have the manager's
    /// time for them, then all streams end: a client that does nothing holds up nothing.
    pub async fn stop(&self) {
        self.handle.stop.notify_one();
        self.ended().await;
    }

    /// Waits for the end of the service, which the manager's shutdown brings about too.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.handle.ended.clone();
        async move {
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }

    /// Has these grants hold from now on, for connections that are there too. The mode of the socket's
    /// file follows them.
    ///
    /// # Errors
    /// `socket_failed`: the mode could not be changed. The grants hold all the same.
    pub fn set_grants(&self, grants: Grants) -> Result<(), ServeError> {
        let changed = self.handle.keeper.set_grants(grants);
        changed.map_err(|cause| ServeError::Failed {
            path: self.handle.path.clone(),
            doing: "changing its mode",
            cause,
        })
    }

    /// Reads the configuration again, as an operator's reload does.
    ///
    /// # Errors
    /// `nothing_to_reload`, `configuration_refused`, `reload_failed`.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        self.handle.keeper.read_again().await
    }
}

/// Takes the socket to its end: with its manager, or when it is stopped.
async fn end(
    phases: &Phases,
    of_manager: &PhaseWatch,
    stopped: &Notify,
    keeper: &Keeper,
    grace: Duration,
) {
    tokio::select! {
        () = of_manager.closing() => {
            phases.go_on(Phase::Closing);
            of_manager.ended().await;
        }
        () = stopped.notified() => {
            phases.go_on(Phase::Closing);
            let _ = tokio::time::timeout(grace, keeper.counts.no_instances()).await;
        }
    }
    phases.go_on(Phase::Ended);
}

fn tell_of_the_limit(events: &Events, fitted: Fitted, connections: usize) {
    if let Fitted::Lowered { limit } = fitted {
        events.tell(move || {
            tracing::warn!(
                limit,
                connections,
                "the limit of open files is too low for all connections: fewer are taken; raise it"
            );
        });
    }
}

fn listen(
    path: &Path,
    takes_passed: bool,
    mode: u32,
) -> Result<(UnixListener, Option<SocketFile>), ServeError> {
    if takes_passed && let Some(listener) = passed()? {
        return Ok((listener, None));
    }
    let (file, listener) = SocketFile::make(path, mode)?;
    Ok((listener, Some(file)))
}

fn start_threads() -> Result<Vec<RuntimeThread>, ServeError> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = (0..threads.min(MOST_THREADS)).map(|_| RuntimeThread::start("keyward-socket"));
    threads
        .collect::<Result<_, _>>()
        .map_err(ServeError::Thread)
}
