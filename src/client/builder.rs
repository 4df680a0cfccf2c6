//! How a client is made: where it looks, whom it trusts, how long it waits.

use std::path::PathBuf;
use std::time::Duration;

use crate::client::trust::Trust;
use crate::guard::plugins::PluginThreads;

/// What a client is made with; each has a default.
///
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use keyward::Client;
/// let client = Client::builder().socket("/srv/app/keyward.sock").connect().await?;
/// let key = client.get_key("documents").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a client is there when `connect` has answered it"]
pub struct ClientBuilder {
    pub(super) place: Option<PathBuf>,
    pub(super) trust: Trust,
    pub(super) request_time_limit: Duration,
    pub(super) threads: PluginThreads,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            place: None,
            trust: Trust::default(),
            request_time_limit: REQUEST_TIME_LIMIT,
            threads: PluginThreads::default(),
        }
    }
}

/// Longer than a keeper takes by itself: the default of its own limit, and 5 seconds.
const REQUEST_TIME_LIMIT: Duration = Duration::from_secs(20);

impl ClientBuilder {
    /// The keeper's socket: a path or a `unix:` address. Without it, the variable `KEYWARD_SOCKET` says it, and
    /// without that it is `/run/keyward/keyward.sock`.
    pub fn socket(mut self, place: impl Into<PathBuf>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Trusts a keeper that runs as this user, by number. Trusted anyway are root, this process's own user, and
    /// the owner of the socket's folder where everything above that is root's alone.
    pub fn trust_user(mut self, user: u32) -> Self {
        self.trust.add(user);
        self
    }

    /// How long a request is waited for that has a limit of its own in the keeper: 20 s unless it is
    /// set. The keeper answers its own limit before that, unless the keeper is stopped. Waits for rotations,
    /// registrations and streams have no limit but the caller's.
    pub fn request_time_limit(mut self, limit: Duration) -> Self {
        self.request_time_limit = limit;
        self
    }

    /// How many blocking callbacks may run at once: 256 unless it is set.
    pub fn callback_threads(mut self, threads: usize) -> Self {
        self.threads.callbacks = threads;
        self
    }

    /// On how many threads async callbacks run: 8 unless it is set.
    pub fn async_threads(mut self, threads: usize) -> Self {
        self.threads.asyncs = threads;
        self
    }
}
