//! Starting a manager: what it needs, and every default.

use std::path::{self, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::actors::clock::Clock;
use crate::actors::coordinator::{CoordinatorMeans, CoordinatorPart};
use crate::actors::coordinator_message::CoordinatorMessage;
use crate::actors::declare::{CoordinatorDoor, Declarer};
use crate::actors::directory::Directory;
use crate::actors::fetch::Fetcher;
use crate::actors::house::House;
use crate::actors::journal_thread::JournalThread;
use crate::actors::keeper::Keeper;
use crate::actors::supervision::name::ActorName;
use crate::actors::supervision::seat::{Seat, Upbringing};
use crate::actors::supervision::supervisor::Supervision;
use crate::crypto::aead::AeadCryptoTool;
use crate::crypto::crypto_tool::CryptoTool;
use crate::guard::events::Events;
use crate::guard::fault::{self, Fault};
use crate::guard::foreign::Foreign;
use crate::guard::fork;
use crate::guard::place;
use crate::guard::plugins::Plugins;
use crate::journal::database::Database;
use crate::journal::load::LoadedJournal;
use crate::journal::opened::Journal;
use crate::key::event::FetchFailure;
use crate::management::error::StartError;
use crate::management::inner::{Ground, Inner};
use crate::management::keys_management::KeysManagement;
use crate::management::settings::Settings;
#[cfg(feature = "testing")]
use crate::management::testing::PluginPanics;
use crate::repo::folder::FolderOptions;
use crate::repo::rocks::RocksDbRepo;
use crate::repo::state_repo::StateRepo;
use crate::rotation::engine::RotationEngine;
use crate::rotation::machine::RotationMachine;
use crate::secret::scrub::Scrubber;
use crate::secret::value::SecretKeyValue;
use crate::store::closure::IntoStore;
use crate::store::keys_store::{KeysStore, StoreRequest};

/// How long the store of the master key may take.
const MASTER_KEY_TIME_LIMIT: Duration = Duration::from_secs(10);

/// What a manager needs, and how it is set. See [`KeysManagement::builder`].
#[must_use = "a builder does nothing until `start`"]
#[derive(Default)]
pub struct KeysManagementBuilder {
    folder: Option<PathBuf>,
    allow_shared_folder: bool,
    repo: Option<Foreign<Arc<dyn StateRepo>>>,
    master_key: Option<Foreign<Arc<dyn KeysStore>>>,
    crypto: Option<Foreign<Arc<dyn CryptoTool>>>,
    pub(super) settings: Settings,
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

    /// How long after its end a rotation is remembered; none for ever. Default: 2,557 days, which is
    /// seven years. Only what has ended is ever forgotten, a whole rotation at a time; with it the id
    /// that its caller chose, which is a new one then. What a clock says once is no ground to forget:
    /// the wall clock must have gone steadily for 24 h of this life of the program, or for this age if
    /// that is shorter.
    pub fn history_age(mut self, age: Option<Duration>) -> Self {
        self.settings.history.max_age = age;
        self
    }

    /// How many rotations that have ended are remembered; none for all. Beyond that the one that was
    /// declared first is forgotten first. Default: 10,000,000.
    pub fn history_count(mut self, count: Option<u64>) -> Self {
        self.settings.history.max_count = count;
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

    /// How often an actor that died is started again within a time. One that dies once more has
    /// failed and says so to each request, until an operator restarts it with
    /// [`KeysManagement::restart`]; the others go on. Default: 5 in 10 s. With 0, none is.
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

    /// How long running callbacks may go on at shutdown. Default: 10 s.
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

    /// Starts the manager: opens the database, checks the master key, and takes up what an earlier
    /// life left.
    ///
    /// # Errors
    /// [`StartError`]; then nothing that was there was changed, and the data folder is free. A folder
    /// that was missing may have been made.
    pub async fn start(mut self) -> Result<KeysManagement, StartError> {
        fork::refuse_child()?;
        fork::watch()?;
        let bounds = [
            ("max_crashes", self.settings.rotation.max_crashes == 0),
            ("max_callbacks", self.settings.rotation.max_callbacks == 0),
            (
                "max_worker_requests",
                self.settings.max_worker_requests == 0,
            ),
            ("store_threads", self.settings.threads.stores == 0),
            ("commands_at_once", self.settings.threads.commands == 0),
            ("async_threads", self.settings.threads.asyncs == 0),
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
        let events = Events::start()?;
        let plugins = Arc::new(Plugins::start(self.settings.threads)?);
        let master = match (&self.crypto, self.master_key.take()) {
            (None, Some(store)) => {
                let (plugins, events) = (Arc::clone(&plugins), events.clone());
                Some(master_key(plugins, events, store).await?)
            }
            (Some(_), _) | (None, None) => None,
        };
        let settings = self.settings.clone();
        let opened = open_off_thread(self, master).await?;
        live(plugins, events, settings, opened).await
    }

    /// [`start`](Self::start) for a program without an async runtime.
    ///
    /// # Errors
    /// As there, and `must_not_block` on a thread that must not block.
    pub fn start_blocking(self) -> Result<KeysManagement, StartError> {
        place::wait(self.start()).unwrap_or(Err(StartError::MustNotBlock))
    }

    fn open(self, master: Option<SecretKeyValue>) -> Result<Opened, StartError> {
        let repo = match (self.repo.and_then(Foreign::take), self.folder) {
            (Some(repo), _) => repo,
            (None, Some(folder)) => {
                let options =
                    FolderOptions::new(folder).allow_shared_folder(self.allow_shared_folder);
                Arc::new(RocksDbRepo::open(&options)?) as Arc<dyn StateRepo>
            }
            (None, None) => return Err(StartError::NoDataFolder),
        };
        #[cfg(feature = "testing")]
        let repo = self.settings.panics.repo(repo);
        let crypto = self.crypto.and_then(Foreign::take);
        let opened = unlock(Arc::clone(&repo), crypto, master, &self.settings);
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
    #[cfg_attr(not(feature = "testing"), expect(unused_variables))] settings: &Settings,
) -> Result<Opened, StartError> {
    let database = Database::open(repo)?;
    let crypto = match (crypto, master) {
        (Some(crypto), _) => crypto,
        (None, Some(master)) => Arc::new(AeadCryptoTool::derive(&master, &database.id())?),
        (None, None) => return Err(StartError::NoMasterKey),
    };
    #[cfg(feature = "testing")]
    let crypto = settings.panics.crypto(crypto);
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
    let (told, opened) = oneshot::channel();
    std::thread::Builder::new()
        .name("keyward-open".to_owned())
        .spawn(move || {
            let opened = fault::catch(|| builder.open(master));
            drop(told.send(opened));
        })?;
    opened.await.map_err(|_| Fault::Gone)??
}

async fn master_key(
    plugins: Arc<Plugins>,
    events: Events,
    store: Foreign<Arc<dyn KeysStore>>,
) -> Result<SecretKeyValue, StartError> {
    let request = StoreRequest::new("keyward.master");
    let (told, ended) = oneshot::channel();
    let fetcher = Fetcher::new(plugins, store, request, MASTER_KEY_TIME_LIMIT, events);
    fetcher.fetch(Scrubber::default(), |end| drop(told.send(end.answer)));
    let keys = ended.await.map_err(|_| Fault::Gone)??;
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
    events: Events,
    settings: Settings,
    opened: Opened,
) -> Result<KeysManagement, StartError> {
    let Opened {
        database,
        journal,
        loaded,
    } = opened;
    let fingerprints = journal.fingerprints();
    let unreadable = journal.unreadable().clone();
    unreadable.keep_replaced(true);
    let journal = JournalThread::start(journal, events.clone())?;
    let house = House::open()?;
    let clock = Clock::start();
    let machine = RotationMachine::replay(settings.rotation.clone(), loaded.facts);
    let engine = RotationEngine::new(machine);
    let arbiter = house.supervisor().clone();
    let supervision = Supervision::new(arbiter, settings.restarts, clock, events.clone());
    let keeper = Keeper::start(journal.clone(), settings.history, clock, events.clone())?;
    let means = CoordinatorMeans {
        journal: journal.clone(),
        keeper: keeper.clone(),
        events: events.clone(),
        plugins: Arc::clone(&plugins),
        clock,
        arbiter: house.coordinator().clone(),
        supervision: supervision.clone(),
        database,
    };
    let directory = Arc::new(Directory::default());
    let secrets = loaded.secrets;
    let (of_callbacks, prints) = (Arc::clone(&directory), fingerprints.clone());
    let coordinator = Seat::take(
        ActorName::Coordinator,
        Upbringing::Permanent,
        house.coordinator().clone(),
        supervision.clone(),
        move |seat| {
            // What callbacks declare has places of its own.
            let declarer = Declarer {
                coordinator: CoordinatorDoor::new(Arc::clone(seat), Arc::clone(&of_callbacks)),
                directory: of_callbacks,
                fingerprints: prints,
                clock,
            };
            CoordinatorPart::new(engine, secrets, means, declarer, Arc::clone(seat))
        },
    );
    coordinator.make_known();
    let of_keeper = Arc::downgrade(&coordinator);
    keeper.tell_doubts(move |why| {
        if let Some(coordinator) = of_keeper.upgrade() {
            coordinator.post(CoordinatorMessage::InDoubt(why));
        }
    });
    let declarer = Declarer {
        coordinator: CoordinatorDoor::new(coordinator, Arc::clone(&directory)),
        directory,
        fingerprints,
        clock,
    };
    let ground = Ground {
        house,
        plugins,
        journal,
        keeper,
        events,
        clock,
        supervision,
    };
    let inner = Inner::new(ground, declarer, settings, unreadable);
    KeysManagement::begin(inner).await
}
