//! Starting a manager: what it needs, and every default.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext};

use crate::actors::clock::Clock;
use crate::actors::coordinator::{CoordinatorActor, CoordinatorMeans};
use crate::actors::declare::{CoordinatorDoor, Declarer};
use crate::actors::directory::Directory;
use crate::actors::fetch::fetch;
use crate::actors::house::House;
use crate::actors::journal_thread::JournalThread;
use crate::crypto::aead::AeadCryptoTool;
use crate::crypto::crypto_tool::CryptoTool;
use crate::guard::place;
use crate::guard::plugins::{PluginThreads, Plugins};
use crate::journal::database::Database;
use crate::journal::load::LoadedJournal;
use crate::journal::opened::Journal;
use crate::key::event::FetchFailure;
use crate::management::error::StartError;
use crate::management::inner::Inner;
use crate::management::keys_management::KeysManagement;
use crate::repo::folder::FolderOptions;
use crate::repo::rocks::RocksDbRepo;
use crate::repo::state_repo::StateRepo;
use crate::rotation::machine::{RotationConfig, RotationMachine};
use crate::secret::scrub::Scrubber;
use crate::secret::value::SecretKeyValue;
use crate::store::closure::IntoStore;
use crate::store::keys_store::{KeysStore, StoreRequest};

/// How long a due step waits for its worker and callback by default.
pub const DEFAULT_WORKER_WAIT: Duration = Duration::from_secs(60);
/// After how many crashes in a row a step has Failed by default.
pub const DEFAULT_MAX_CRASHES: u32 = 5;
/// How many callbacks a worker may have by default.
pub const DEFAULT_MAX_CALLBACKS: usize = 1_024;
/// How long after a failed attempt to reopen the repo the next one is made by default.
pub const DEFAULT_REOPEN_EVERY: Duration = Duration::from_secs(5);
/// How many requests for keys a worker may have under way by default.
pub const DEFAULT_MAX_WORKER_REQUESTS: usize = 256;
/// How many blocking stores may run at once by default.
pub const DEFAULT_STORE_THREADS: usize = 64;
/// How many blocking callbacks may run at once by default.
pub const DEFAULT_CALLBACK_THREADS: usize = 256;
/// How long running callbacks may go on at shutdown by default.
pub const DEFAULT_SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// How long the store of the master key may take.
const MASTER_KEY_TIME_LIMIT: Duration = Duration::from_secs(10);

/// What a manager needs, and how it is set. See [`KeysManagement::builder`].
#[derive(Default)]
pub struct KeysManagementBuilder {
    folder: Option<PathBuf>,
    allow_shared_folder: bool,
    repo: Option<Arc<dyn StateRepo>>,
    master_key: Option<Arc<dyn KeysStore>>,
    crypto: Option<Arc<dyn CryptoTool>>,
    settings: Settings,
}

/// What can be set apart from the plug-ins.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) rotation: RotationConfig,
    pub(crate) threads: PluginThreads,
    pub(crate) shutdown_grace: Duration,
    pub(crate) max_worker_requests: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rotation: RotationConfig {
                worker_wait: Some(DEFAULT_WORKER_WAIT),
                max_crashes: DEFAULT_MAX_CRASHES,
                max_callbacks: DEFAULT_MAX_CALLBACKS,
                reopen_every: DEFAULT_REOPEN_EVERY,
            },
            threads: PluginThreads {
                stores: DEFAULT_STORE_THREADS,
                callbacks: DEFAULT_CALLBACK_THREADS,
            },
            shutdown_grace: DEFAULT_SHUTDOWN_GRACE,
            max_worker_requests: DEFAULT_MAX_WORKER_REQUESTS,
        }
    }
}

impl KeysManagementBuilder {
    /// The folder of the RocksDB database. It is made, with mode 0700, if it is missing.
    pub fn data_folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.folder = Some(path.into());
        self
    }

    /// Allows a data folder that others may enter. Default: false, such a folder is refused.
    pub fn allow_shared_folder(mut self, allow: bool) -> Self {
        self.allow_shared_folder = allow;
        self
    }

    /// A state repo in place of RocksDB in a data folder.
    pub fn state_repo(mut self, repo: impl StateRepo) -> Self {
        self.repo = Some(Arc::new(repo));
        self
    }

    /// Where the master key is: a store like any other, that answers one value of at least 32
    /// random bytes. It seals every record and is no password.
    pub fn master_key<M>(mut self, store: impl IntoStore<M>) -> Self {
        self.master_key = Some(store.into_store());
        self
    }

    /// A crypto tool in place of the AEAD under the master key.
    pub fn crypto_tool(mut self, tool: impl CryptoTool) -> Self {
        self.crypto = Some(Arc::new(tool));
        self
    }

    /// How long a due step waits for its worker and callback; none for ever. Default: 60 s.
    pub fn worker_wait(mut self, wait: Option<Duration>) -> Self {
        self.settings.rotation.worker_wait = wait;
        self
    }

    /// After how many crashes in a row a step has Failed. Default: 5.
    pub fn max_crashes(mut self, crashes: u32) -> Self {
        self.settings.rotation.max_crashes = crashes;
        self
    }

    /// How long after one attempt to reopen the repo, or to read the journal anew, that failed the
    /// next one is made. Default: 5 s.
    pub fn reopen_every(mut self, interval: Duration) -> Self {
        self.settings.rotation.reopen_every = interval;
        self
    }

    /// How many callbacks a worker may have. Default: 1,024.
    pub fn max_callbacks(mut self, callbacks: usize) -> Self {
        self.settings.rotation.max_callbacks = callbacks;
        self
    }

    /// How many requests for keys a worker that joined may have under way. Default: 256. What asks
    /// through the manager itself, as worker `main`, is bounded by the keys alone.
    pub fn max_worker_requests(mut self, requests: usize) -> Self {
        self.settings.max_worker_requests = requests;
        self
    }

    /// How many blocking stores may run, or hang, at once. Default: 64.
    pub fn store_threads(mut self, threads: usize) -> Self {
        self.settings.threads.stores = threads;
        self
    }

    /// How many blocking callbacks may run, or hang, at once. Default: 256.
    pub fn callback_threads(mut self, threads: usize) -> Self {
        self.settings.threads.callbacks = threads;
        self
    }

    /// How long running callbacks may go on at shutdown. Default: 10 s.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.settings.shutdown_grace = grace;
        self
    }

    /// Starts the manager: opens the database, checks the master key, and takes up what an earlier
    /// life left.
    ///
    /// # Errors
    /// [`StartError`]; then nothing that was there was changed, and the data folder is free. A folder
    /// that was missing may have been made.
    pub async fn start(self) -> Result<KeysManagement, StartError> {
        let bounds = [
            ("max_crashes", self.settings.rotation.max_crashes == 0),
            ("max_callbacks", self.settings.rotation.max_callbacks == 0),
            (
                "max_worker_requests",
                self.settings.max_worker_requests == 0,
            ),
            ("store_threads", self.settings.threads.stores == 0),
            ("callback_threads", self.settings.threads.callbacks == 0),
        ];
        if let Some((what, _)) = bounds.into_iter().find(|(_, zero)| *zero) {
            return Err(StartError::ZeroBound { what });
        }
        if self.crypto.is_none() && self.master_key.is_none() {
            return Err(StartError::NoMasterKey);
        }
        if self.repo.is_none() && self.folder.is_none() {
            return Err(StartError::NoDataFolder);
        }
        let plugins = Arc::new(Plugins::start(self.settings.threads)?);
        let master = match (&self.crypto, self.master_key.clone()) {
            (None, Some(store)) => Some(master_key(Arc::clone(&plugins), store).await?),
            (Some(_), _) | (None, None) => None,
        };
        let settings = self.settings.clone();
        let opened = open_off_thread(self, master).await?;
        live(plugins, settings, opened).await
    }

    /// [`start`](Self::start) for a program without an async runtime.
    ///
    /// # Errors
    /// As there, and `must_not_block` on a thread that must not block.
    pub fn start_blocking(self) -> Result<KeysManagement, StartError> {
        place::wait(self.start()).unwrap_or(Err(StartError::MustNotBlock))
    }

    fn open(self, master: Option<SecretKeyValue>) -> Result<Opened, StartError> {
        let repo = match (self.repo, self.folder) {
            (Some(repo), _) => repo,
            (None, Some(folder)) => {
                let options =
                    FolderOptions::new(folder).allow_shared_folder(self.allow_shared_folder);
                Arc::new(RocksDbRepo::open(&options)?) as Arc<dyn StateRepo>
            }
            (None, None) => return Err(StartError::NoDataFolder),
        };
        let opened = unlock(Arc::clone(&repo), self.crypto, master);
        if opened.is_err() {
            drop(repo.close());
        }
        opened
    }
}

/// A journal that is open, and what it has.
struct Opened {
    database: [u8; 16],
    journal: Journal,
    loaded: LoadedJournal,
}

fn unlock(
    repo: Arc<dyn StateRepo>,
    crypto: Option<Arc<dyn CryptoTool>>,
    master: Option<SecretKeyValue>,
) -> Result<Opened, StartError> {
    let database = Database::open(repo)?;
    let crypto = match (crypto, master) {
        (Some(crypto), _) => crypto,
        (None, Some(master)) => Arc::new(AeadCryptoTool::derive(&master, &database.id())?),
        (None, None) => return Err(StartError::NoMasterKey),
    };
    let id = database.id();
    let journal = database.unlock(crypto)?;
    let loaded = journal.load()?;
    Ok(Opened {
        database: id,
        journal,
        loaded,
    })
}

/// Opening a database takes as long as its disk: it happens on a thread of its own.
async fn open_off_thread(
    builder: KeysManagementBuilder,
    master: Option<SecretKeyValue>,
) -> Result<Opened, StartError> {
    let (told, opened) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("keyward-open".to_owned())
        .spawn(move || {
            let opened = crate::guard::fault::catch(|| builder.open(master));
            drop(told.send(opened));
        })?;
    let gone = |_| crate::guard::fault::Fault::Gone;
    opened.await.map_err(gone)??
}

async fn master_key(
    plugins: Arc<Plugins>,
    store: Arc<dyn KeysStore>,
) -> Result<SecretKeyValue, StartError> {
    let request = StoreRequest::new("keyward.master");
    let scrubber = Scrubber::new(Vec::new());
    let end = fetch(plugins, store, request, MASTER_KEY_TIME_LIMIT, scrubber).await;
    let keys = end.answer?;
    if keys.is_pair() {
        let why = "it answered a pair; a master key is one value".to_owned();
        return Err(FetchFailure::Failed { why }.into());
    }
    keys.check()
        .map_err(|why| StartError::InvalidMasterKey { why })?;
    let master = keys.to_pair().forward().clone();
    // One that is too short is refused before the data folder is touched.
    AeadCryptoTool::derive(&master, b"any database")?;
    Ok(master)
}

async fn live(
    plugins: Arc<Plugins>,
    settings: Settings,
    opened: Opened,
) -> Result<KeysManagement, StartError> {
    let Opened {
        database,
        journal,
        loaded,
    } = opened;
    let fingerprints = journal.fingerprints();
    let journal = JournalThread::start(journal)?;
    let house = House::open()?;
    let clock = Clock::start();
    let machine = RotationMachine::replay(settings.rotation.clone(), loaded.facts);
    let means = CoordinatorMeans {
        journal: journal.clone(),
        plugins: Arc::clone(&plugins),
        clock,
        arbiter: house.coordinator().clone(),
        database,
    };
    let directory = Arc::new(Directory::default());
    let secrets = loaded.secrets;
    let (of_callbacks, prints) = (Arc::clone(&directory), fingerprints.clone());
    let coordinator = CoordinatorActor::start_in_arbiter(house.coordinator(), move |ctx| {
        // What callbacks declare has places of its own.
        let declarer = Declarer {
            directory: of_callbacks,
            coordinator: CoordinatorDoor::new(ctx.address()),
            fingerprints: prints,
        };
        CoordinatorActor::new(machine, secrets, means, declarer)
    });
    let declarer = Declarer {
        directory,
        coordinator: CoordinatorDoor::new(coordinator),
        fingerprints,
    };
    let unreadable = loaded.unreadable;
    let inner = Inner::new(
        house, plugins, journal, clock, declarer, settings, unreadable,
    );
    KeysManagement::begin(inner).await
}
