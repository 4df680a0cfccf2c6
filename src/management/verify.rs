//! Looking at a data folder that no manager runs on, and changing nothing in it.

use std::sync::Arc;
use std::thread;

use tokio::sync::oneshot;

use crate::guard::events::Events;
use crate::guard::fault::{self, Fault};
use crate::guard::fork;
use crate::guard::plugins::Plugins;
use crate::guard::this_thread;
use crate::management::builder::KeysManagementBuilder;
use crate::management::error::StartError;
use crate::management::opening;
use crate::operator::verified::Verified;
use crate::repo::folder::FolderOptions;
use crate::repo::rocks_reader::RocksDbReader;
use crate::secret::value::SecretKeyValue;

impl KeysManagementBuilder {
    /// Opens every record of the data folder and says which cannot be read. Nothing in the folder is changed, and
    /// no manager may run on it meanwhile; a backup is such a folder. That a record cannot be read is no error
    /// here, but [`Verified::is_whole`] is false then.
    ///
    /// # Errors
    /// As [`start`](Self::start), where the folder cannot be opened, has no database, or its master key is another
    /// one.
    pub async fn verify(self) -> Result<Verified, StartError> {
        fork::refuse_child()?;
        let events = Events::start()?;
        let (told, verified) = oneshot::channel();
        thread::Builder::new()
            .name("keyward-verify".to_owned())
            .spawn(move || {
                let verified = fault::catch(|| verify(self, events));
                drop(told.send(verified.map_err(StartError::from).flatten()));
            })?;
        verified.await.unwrap_or(Err(Fault::Gone.into()))
    }
}

fn verify(mut builder: KeysManagementBuilder, events: Events) -> Result<Verified, StartError> {
    let Some(folder) = builder.folder.take() else {
        return Err(StartError::NoDataFolder);
    };
    let master = master_key(&mut builder, events)?;
    let folder = FolderOptions::new(folder).allow_shared_folder(builder.allow_shared_folder);
    let repo = Arc::new(RocksDbReader::open(&folder)?);
    let (_, journal) = opening::unlock(repo, builder.crypto, master, &builder.settings)?;
    Ok(journal.verify()?)
}

fn master_key(
    builder: &mut KeysManagementBuilder,
    events: Events,
) -> Result<Option<SecretKeyValue>, StartError> {
    let Some(store) = builder
        .master_key
        .take()
        .filter(|_| builder.crypto.is_none())
    else {
        return Ok(None);
    };
    let plugins = Arc::new(Plugins::start(builder.settings.threads)?);
    let fetched = this_thread::wait(opening::master_key(Arc::clone(&plugins), events, store));
    plugins.end();
    fetched.unwrap_or(Err(StartError::MustNotBlock)).map(Some)
}
