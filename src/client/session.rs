//! What everything of one client shares: the way to the keeper, and what runs it. keyward's own threads do,
//! so that a client works in any program and on any thread.

use std::future::Future;
use std::mem;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper::rt::Executor;
use tokio::sync::oneshot;
use tonic::transport::{Channel, Endpoint};

use crate::client::connector::Connector;
use crate::client::trust::Trust;
use crate::guard::events::Events;
use crate::guard::fork::{self, Home};
use crate::guard::plugins::{PluginThreads, Plugins};
use crate::key::keeper_error::KeeperError;

/// What the requests name as their authority: the socket's path is none that HTTP/2 takes.
const AUTHORITY: &str = "http://localhost";

/// The largest message that is sent or taken.
pub(super) const MAX_MESSAGE: usize = 8 * 1024 * 1024;

/// What everything of one client shares.
pub(super) struct ClientSession {
    pub(super) connector: Connector,
    pub(super) plugins: Arc<Plugins>,
    pub(super) events: Events,
    limit: Duration,
    home: Home,
}

/// Runs what belongs to connections on keyward's own runtime.
struct OwnRuntime(Arc<Plugins>);

impl Executor<Pin<Box<dyn Future<Output = ()> + Send>>> for OwnRuntime {
    fn execute(&self, own: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.0.run_own(own);
    }
}

impl ClientSession {
    /// Starts the threads that a client needs.
    ///
    /// # Errors
    /// `no_thread`.
    pub(super) fn start(
        place: &Path,
        trust: Trust,
        limit: Duration,
        threads: PluginThreads,
    ) -> Result<Arc<Self>, KeeperError> {
        let started = || {
            fork::watch()?;
            Ok((Plugins::start(threads)?, Events::start()?))
        };
        let (plugins, events) = started().map_err(|error: std::io::Error| {
            let text = format!(
                "the system refuses what a client needs: {error}; see ulimit -u and -n, and pids.max of its \
                 cgroup"
            );
            KeeperError::new("no_thread", false, text)
        })?;
        Ok(Arc::new(Self {
            connector: Connector::new(place, trust),
            plugins: Arc::new(plugins),
            events,
            limit,
            home: Home::here(),
        }))
    }

    /// A connection, which is made when it is first used, and anew when it has ended.
    pub(super) fn channel(&self) -> Channel {
        let own = OwnRuntime(Arc::clone(&self.plugins));
        let endpoint = Endpoint::from(Uri::from_static(AUTHORITY)).executor(own);
        Channel::new(self.connector.clone(), endpoint)
    }

    /// Looks whether a keeper listens that is trusted.
    ///
    /// # Errors
    /// `keeper_unavailable`, `permission_denied`, `invalid_socket`, `untrusted_keeper`, `timed_out`.
    pub(super) async fn try_to_connect(&self) -> Result<(), KeeperError> {
        let (told, connected) = oneshot::channel();
        let connector = self.connector.clone();
        self.plugins.run_own(async move {
            let connected = connector.connect_ahead().await;
            drop(told.send(connected));
        });
        self.within(async { connected.await.unwrap_or_else(|_| Err(self.ended())) })
            .await
    }

    /// Waits for an answer no longer than requests may take.
    ///
    /// # Errors
    /// `forked`, `timed_out`, and those of the request.
    pub(super) async fn within<T>(
        &self,
        request: impl Future<Output = Result<T, KeeperError>>,
    ) -> Result<T, KeeperError> {
        self.refuse_child()?;
        let answer = self.plugins.within(self.limit, request).await;
        answer.unwrap_or_else(|| {
            let text = format!(
                "the keeper at {}: no answer within {:?}; what was asked may or may not have been done; look \
                 at its status, or ask again",
                self.connector.place().display(),
                self.limit
            );
            Err(KeeperError::new("timed_out", true, text))
        })
    }

    /// Fails in a child of `fork()`, which has the connection of its parent and none of the threads.
    ///
    /// # Errors
    /// `forked`.
    pub(super) fn refuse_child(&self) -> Result<(), KeeperError> {
        if !self.home.is_left() {
            return Ok(());
        }
        let text = format!(
            "this process was forked from one that had connected to the keeper, whose connection is not its \
             own; connect anew in the child, with Client::at(\"{}\")",
            self.connector.place().display()
        );
        Err(KeeperError::new("forked", false, text))
    }

    /// Why the connection has ended before an answer.
    pub(super) fn ended(&self) -> KeeperError {
        let text = format!(
            "the keeper at {}: the connection ended before the answer came, so that what was asked may or may \
             not have been done; ask again",
            self.connector.place().display()
        );
        KeeperError::new("keeper_unavailable", true, text)
    }
}

impl Drop for ClientSession {
    fn drop(&mut self) {
        if self.home.is_left() {
            // The threads are the parent's, and so is what they hold.
            mem::forget(Arc::clone(&self.plugins));
            mem::forget(self.events.clone());
        }
    }
}
