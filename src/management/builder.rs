//! What a manager needs, and how it is set.

use std::fmt;
use std::path::{self, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::crypto::crypto_tool::CryptoTool;
use crate::guard::foreign::Foreign;
use crate::management::settings::Settings;
#[cfg(feature = "testing")]
use crate::management::testing::PluginPanics;
use crate::repo::state_repo::StateRepo;
use crate::store::closure::IntoStore;
use crate::store::keys_store::KeysStore;

/// What a manager needs, and how it is set. See
/// [`KeysManagement::builder`](crate::management::keys_management::KeysManagement::builder).
#[must_use = "a builder does nothing until `start`"]
#[derive(Default)]
pub struct KeysManagementBuilder {
    pub(super) folder: Option<PathBuf>,
    pub(super) allow_shared_folder: bool,
    pub(super) repo: Option<Foreign<Arc<dyn StateRepo>>>,
    pub(super) master_key: Option<Foreign<Arc<dyn KeysStore>>>,
    pub(super) crypto: Option<Foreign<Arc<dyn CryptoTool>>>,
    pub(super) settings: Settings,
}

impl fmt::Debug for KeysManagementBuilder {
    /// Stores and other plug-ins are the program's own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysManagementBuilder")
            .field("folder", &self.folder)
            .field("allow_shared_folder", &self.allow_shared_folder)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl KeysManagementBuilder {
    /// The folder of the RocksDB database. It is made, with mode 0700, if it is missing. A relative
    /// path counts from the folder in which this process is now, whatever it changes to later.
    pub fn data_folder(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.folder = Some(path::absolute(&path).unwrap_or(path));
        self
    }

    /// Allows a data folder that others may enter. Default: false, such a folder is refused.
    pub fn allow_shared_folder(mut self, allow: bool) -> Self {
        self.allow_shared_folder = allow;
        self
    }

    /// A state repo in place of RocksDB in a data folder.
    pub fn state_repo(mut self, repo: impl StateRepo) -> Self {
        self.repo = Some(Foreign::new(Arc::new(repo)));
        self
    }

    /// Where the master key is: a store like any other, that answers one value of at least 32
    /// random bytes. It seals every record and is no password.
    pub fn master_key<M>(mut self, store: impl IntoStore<M>) -> Self {
        self.master_key = Some(Foreign::new(store.into_store()));
        self
    }

    /// A crypto tool in place of the AEAD under the master key.
    pub fn crypto_tool(mut self, tool: impl CryptoTool) -> Self {
        self.crypto = Some(Foreign::new(Arc::new(tool)));
        self
    }

    /// How many blocking stores may run, or hang, at once; a fetch beyond that waits for a thread
    /// within its time limit. Key files have as many threads of their own. 1 at least. Default: 64.
    pub fn store_threads(mut self, threads: usize) -> Self {
        self.settings.threads.stores = threads;
        self
    }

    /// How many commands run at once; the others wait within their time limits. 1 at least. Default: 64.
    pub fn commands_at_once(mut self, commands: usize) -> Self {
        self.settings.threads.commands = commands;
        self
    }

    /// How many threads all async stores and callbacks share. They must not block: one that blocks
    /// its thread beyond its time limit is named in a warning, and the others go on, on the threads
    /// that are left. 1 at least. Default: 8.
    pub fn async_threads(mut self, threads: usize) -> Self {
        self.settings.threads.asyncs = threads;
        self
    }

    /// How many blocking callbacks may run, or hang, at once; the others wait. 1 at least. Default: 256.
    pub fn callback_threads(mut self, threads: usize) -> Self {
        self.settings.threads.callbacks = threads;
        self
    }

    /// How long a due step waits for its worker and callback, counted from the worker's death or, after a
    /// restart, from the definition of the key; then it has Failed. `None`: for ever. Default: 60 s.
    pub fn worker_wait(mut self, wait: Option<Duration>) -> Self {
        self.settings.rotation.worker_wait = wait;
        self
    }

    /// After how many crashes in a row a step has Failed, 1 at least. Default: 5.
    pub fn max_crashes(mut self, crashes: u32) -> Self {
        self.settings.rotation.max_crashes = crashes;
        self
    }

    /// How long after one attempt to reopen the repo, or to read the journal anew, that failed the
    /// next one is made; 1 ms at least. Default: 5 s.
    pub fn reopen_every(mut self, interval: Duration) -> Self {
        self.settings.rotation.reopen_every = interval;
        self
    }

    /// How long after its end a rotation is remembered. `None`: for ever. Default: 2,557 days, which is
    /// seven years. Only what has ended is ever forgotten, a whole rotation at a time; with it the id
    /// that its caller chose, which is a new one then. What a clock says once is no ground to forget:
    /// the wall clock must have gone steadily for 24 h of this life of the program, or for this age if
    /// that is shorter.
    pub fn history_age(mut self, age: Option<Duration>) -> Self {
        self.settings.history.max_age = age;
        self
    }

    /// How many rotations that have ended are remembered. `None`: all. Beyond that the one that was
    /// declared first is forgotten first. Default: 10,000,000.
    pub fn history_count(mut self, count: Option<u64>) -> Self {
        self.settings.history.max_count = count;
        self
    }

    /// How many callbacks a worker may have, 1 at least. Default: 1,024.
    pub fn max_callbacks(mut self, callbacks: usize) -> Self {
        self.settings.rotation.max_callbacks = callbacks;
        self
    }

    /// How many instances of a worker are called at once for a callback of memory, 1 at least. Default: 64.
    pub fn instances_at_once(mut self, instances: usize) -> Self {
        self.settings.rotation.instances_at_once = instances;
        self
    }

    /// How many requests for keys a worker that joined may have under way, 1 at least. Default: 256. What asks
    /// through the manager itself, as worker `main`, is bounded by the keys alone.
    pub fn max_worker_requests(mut self, requests: usize) -> Self {
        self.settings.max_worker_requests = requests;
        self
    }

    /// How often an actor that died is started again within a time. One that dies once more has
    /// failed and says so to each request, until an operator restarts it with
    /// [`restart`](crate::management::keys_management::KeysManagement::restart); the others go on. Default: 5 in 10 s.
    /// With 0, none is.
    pub fn restart_intensity(mut self, restarts: u32, within: Duration) -> Self {
        self.settings.restarts.most = restarts;
        self.settings.restarts.within = within;
        self
    }

    /// How long the first restart of an actor waits; each further one within the time of
    /// [`restart_intensity`](Self::restart_intensity) waits twice as long as the one before, up to
    /// 1 s. Default: 10 ms.
    pub fn restart_backoff(mut self, first: Duration) -> Self {
        self.settings.restarts.backoff = first;
        self
    }

    /// How long a call that asks for no key may take from its arrival: declaring, defining, joining,
    /// registering, the operator's calls. Then it is `timed_out`, and may have been done all the same.
    /// Waiting for a rotation has no limit, nor has what a backup copies or a shutdown still writes.
    /// Default: 15 s.
    pub fn call_time_limit(mut self, limit: Duration) -> Self {
        self.settings.call_time_limit = limit;
        self
    }

    /// How long running callbacks may go on at shutdown; with zero they are left at once. Default: 10 s.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.settings.shutdown_grace = grace;
        self
    }

    /// Which plug-in calls panic, for tests.
    #[cfg(feature = "testing")]
    pub fn plugin_panics(mut self, panics: PluginPanics) -> Self {
        self.settings.panics = panics;
        self
    }
}
