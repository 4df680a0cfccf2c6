//! Opening what an earlier life left: the master key, the database under it, and its journal.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::actors::fetch::Fetcher;
use crate::crypto::aead::AeadCryptoTool;
use crate::crypto::crypto_tool::CryptoTool;
use crate::guard::events::Events;
use crate::guard::fault::Fault;
use crate::guard::foreign::Foreign;
use crate::guard::plugins::Plugins;
use crate::journal::database::Database;
use crate::journal::load::LoadedJournal;
use crate::journal::opened::Journal;
use crate::management::builder::KeysManagementBuilder;
use crate::management::error::StartError;
use crate::management::kept::Kept;
use crate::management::settings::Settings;
use crate::repo::folder::FolderOptions;
use crate::repo::rocks::RocksDbRepo;
use crate::repo::state_repo::StateRepo;
use crate::secret::scrub::Scrubber;
use crate::secret::value::SecretKeyValue;
use crate::store::keys_store::{KeysStore, StoreRequest};

/// How long the store of the master key may take.
const MASTER_KEY_TIME_LIMIT: Duration = Duration::from_secs(10);

/// What is told where the folder that was opened cannot be followed.
const NOT_FOLLOWED: &str = "/proc is not mounted: if the data folder is moved away while it is open and \
    another one is put in its place, files of this database may land in that one; mount /proc, or never \
    move the folder of a running program";

/// A journal that is open, and what it has.
pub(super) struct Opened {
    pub(super) database: [u8; 16],
    pub(super) journal: Journal,
    pub(super) loaded: LoadedJournal,
}

/// Opens the database and its journal. It takes as long as the disk does.
pub(super) fn open(
    builder: KeysManagementBuilder,
    master: Option<SecretKeyValue>,
    events: &Events,
) -> Result<Opened, StartError> {
    let repo: Foreign<Arc<dyn StateRepo>> = match (builder.repo, builder.folder) {
        (Some(repo), _) => repo,
        (None, Some(folder)) => {
            let options =
                FolderOptions::new(folder).allow_shared_folder(builder.allow_shared_folder);
            let repo = RocksDbRepo::open(&options)?;
            if let Some(folder) = repo.cannot_follow() {
                let folder = folder.to_owned();
                events.tell(move || tracing::warn!(folder = %folder.display(), "{NOT_FOLLOWED}"));
            }
            Foreign::new(Arc::new(repo))
        }
        (None, None) => return Err(StartError::NoDataFolder),
    };
    let repo: Arc<dyn StateRepo> = Arc::new(Kept::new(repo, &builder.settings));
    let unlocked = unlock(Arc::clone(&repo), builder.crypto, master, &builder.settings);
    let opened = unlocked.and_then(|(database, journal)| {
        let loaded = journal.load_without_keys()?;
        Ok(Opened {
            database,
            journal,
            loaded,
        })
    });
    if opened.is_err() {
        drop(repo.close());
    }
    opened
}

/// The journal under the crypto tool, or the master key, that it was made with, and the database's id.
pub(super) fn unlock(
    repo: Arc<dyn StateRepo>,
    crypto: Option<Foreign<Arc<dyn CryptoTool>>>,
    master: Option<SecretKeyValue>,
    settings: &Settings,
) -> Result<([u8; 16], Journal), StartError> {
    let database = Database::open(repo)?;
    let crypto: Foreign<Arc<dyn CryptoTool>> = match (crypto, master) {
        (Some(crypto), _) => crypto,
        (None, Some(master)) => {
            let tool = AeadCryptoTool::derive(&master, &database.id())?;
            Foreign::new(Arc::new(tool))
        }
        (None, None) => return Err(StartError::NoMasterKey),
    };
    let id = database.id();
    let journal = database.unlock(Arc::new(Kept::new(crypto, settings)))?;
    Ok((id, journal))
}

/// The master key, as its store answers it.
pub(super) async fn master_key(
    plugins: Arc<Plugins>,
    events: Events,
    store: Foreign<Arc<dyn KeysStore>>,
) -> Result<SecretKeyValue, StartError> {
    let request = StoreRequest::new("keyward.master");
    let (told, ended) = oneshot::channel();
    let fetcher = Fetcher::new(plugins, store, request, MASTER_KEY_TIME_LIMIT, events);
    fetcher.fetch(Scrubber::default(), |end| drop(told.send(end)));
    let end = ended.await.map_err(|_| Fault::Gone)?;
    if let Some(why) = end.refused {
        return Err(io::Error::other(why).into());
    }
    let keys = end.answer.map_err(StartError::of_master_key)?.keys;
    if keys.is_pair() {
        let why = "it answered a pair; a master key is one value".to_owned();
        return Err(StartError::MasterKeyStore { why });
    }
    keys.check()
        .map_err(|why| StartError::InvalidMasterKey { why })?;
    let master = keys.to_pair().forward().clone();
    // One that is too short is refused before the data folder is touched.
    AeadCryptoTool::derive(&master, b"any database")?;
    Ok(master)
}
