//! Connecting to the keeper's socket, each time anew, and looking each time which process listens there.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tower::Service;

use crate::client::trust::Trust;
use crate::key::keeper_error::KeeperError;

/// Connects to one socket.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    place: Arc<Path>,
    trust: Trust,
    first: Arc<Mutex<Option<(UnixStream, Instant)>>>,
}

/// A keeper cuts a connection that asks nothing for 10 seconds after its beginning.
const IS_FRESH: Duration = Duration::from_secs(5);

impl Connector {
    pub(super) fn new(place: &Path, trust: Trust) -> Self {
        Self {
            place: Arc::from(place),
            trust,
            first: Arc::default(),
        }
    }

    /// The socket's path.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// Connects ahead, so that the next request finds a connection.
    ///
    /// # Errors
    /// `keeper_unavailable`, `permission_denied`, `invalid_socket`, `untrusted_keeper`.
    pub(super) async fn connect_ahead(&self) -> Result<(), KeeperError> {
        let stream = self.connect().await?;
        *self.first() = Some((stream, Instant::now()));
        Ok(())
    }

    fn first(&self) -> MutexGuard<'_, Option<(UnixStream, Instant)>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<UnixStream, KeeperError> {
        let first = self.first().take();
        if let Some((stream, made)) = first
            && made.elapsed() < IS_FRESH
        {
            return Ok(stream);
        }
        let stream = UnixStream::connect(&self.place).await;
        let stream = stream.map_err(|error| refused(&self.place, &error))?;
        self.trust.check(&stream, &self.place)?;
        Ok(stream)
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<UnixStream>;
    type Error = KeeperError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, KeeperError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), KeeperError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect().await.map(TokioIo::new) })
    }
}

/// What the system refused, with what to do.
fn refused(place: &Path, error: &io::Error) -> KeeperError {
    let shown = place.display();
    match error.kind() {
        ErrorKind::PermissionDenied => KeeperError::new(
            "permission_denied",
            false,
            format!(
                "the socket {shown}: this user may not open it: {error}; ask whoever runs the keeper for a grant, \
                 or for the folder's permissions"
            ),
        ),
        _ if place.is_dir() => KeeperError::new(
            "invalid_socket",
            false,
            format!("the socket {shown} is a folder; name the socket in it"),
        ),
        ErrorKind::ConnectionRefused if place.is_file() => KeeperError::new(
            "invalid_socket",
            false,
            format!("the socket {shown} is a file and no socket; name the keeper's socket"),
        ),
        _ => KeeperError::new(
            "keeper_unavailable",
            true,
            format!(
                "no keeper answers at the socket {shown}: {error}; start it (`keyward serve`), or name its \
                 socket with KEYWARD_SOCKET"
            ),
        ),
    }
}
