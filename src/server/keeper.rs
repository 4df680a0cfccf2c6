//! What all connections of a socket share.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tonic::Status;

use crate::guard::events::Events;
use crate::management::keys_management::KeysManagement;
use crate::management::phase::PhaseWatch;
use crate::rotation::id::RotationId;
use crate::secret::visible::Visible;
use crate::server::bounds::ServeBounds;
use crate::server::connection::Connection;
use crate::server::counts::Counts;
use crate::server::grants::right::Right;
use crate::server::grants::{Asker, Grants};
use crate::server::peer::Peer;
use crate::server::refusal::SocketRefusal;
use crate::server::reload::{Reload, ReloadError, Reloaded};
use crate::server::replies::of_rotation;
use crate::server::socket::file::SocketFile;

/// What all connections of a socket share.
pub(super) struct Keeper {
    pub(super) keys: KeysManagement,
    pub(super) bounds: ServeBounds,
    pub(super) counts: Counts,
    pub(super) phases: PhaseWatch,
    /// Where an operator's backups go.
    pub(super) backups: Option<PathBuf>,
    /// What reads the program's configuration again.
    pub(super) reload: Option<Reload>,
    grants: RwLock<Arc<Grants>>,
    file: Mutex<Option<SocketFile>>,
}

impl Keeper {
    pub(super) fn new(
        keys: KeysManagement,
        grants: Grants,
        bounds: ServeBounds,
        phases: PhaseWatch,
        file: Option<SocketFile>,
    ) -> Self {
        Self {
            keys,
            counts: Counts::new(bounds.clone()),
            bounds,
            phases,
            backups: None,
            reload: None,
            grants: RwLock::new(Arc::new(grants)),
            file: Mutex::new(file),
        }
    }

    /// The grants as they are now.
    pub(super) fn grants(&self) -> Arc<Grants> {
        Arc::clone(&self.grants.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has these grants hold from now on, for connections that are there too; the mode of the socket's file
    /// follows them.
    ///
    /// # Errors
    /// The mode could not be changed.
    pub(super) fn set_grants(&self, grants: Grants) -> io::Result<()> {
        let mode = grants.mode();
        *self.grants.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(grants);
        let mut file = self.file();
        file.as_mut().map_or(Ok(()), |file| file.set_mode(mode))
    }

    /// The socket's file, unless systemd passed the socket or the service has ended.
    pub(super) fn file(&self) -> MutexGuard<'_, Option<SocketFile>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where events are told.
    pub(super) fn events(&self) -> &Events {
        &self.keys.inner.events
    }

    /// Refuses what the grants do not give, which is an event.
    ///
    /// # Errors
    /// `permission_denied`, the same whether or not what was asked for is there.
    pub(super) fn demand(
        &self,
        connection: &Connection,
        rights: &[Right],
        asked: impl FnOnce() -> String,
        give: impl FnOnce(&Grants, Asker<'_>) -> bool,
    ) -> Result<(), SocketRefusal> {
        if give(&self.grants(), connection.asker()) {
            return Ok(());
        }
        let Peer { user, pid, .. } = connection.peer;
        let asked = asked();
        self.events().tell(move || {
            tracing::warn!(user, process = pid, asked, "not permitted");
        });
        let right = rights.to_vec();
        Err(SocketRefusal::NotPermitted { right })
    }

    /// Refuses what the grants do not give on a key.
    ///
    /// # Errors
    /// `permission_denied`.
    pub(super) fn demand_on(
        &self,
        connection: &Connection,
        rights: &[Right],
        key: &str,
        call: &'static str,
    ) -> Result<(), SocketRefusal> {
        self.demand(
            connection,
            rights,
            || format!("{call} of key {}", Visible(key)),
            |grants, asker| rights.iter().all(|right| grants.allow(asker, *right, key)),
        )
    }

    /// Refuses what the grants do not give on the key of a rotation. Of one that is not known it is what only
    /// a grant on every key gives to hear.
    pub(super) async fn demand_of_rotation(
        &self,
        connection: &Connection,
        right: Right,
        id: RotationId,
        call: &'static str,
    ) -> Result<(), Status> {
        let found = match self.grants().allow_all(connection.asker(), right) {
            true => return Ok(()),
            false => self.keys.key_of_rotation(id).await,
        };
        let key = match found {
            Ok(key) => key,
            Err(error) if error.is_retriable() => return Err(of_rotation(error)),
            Err(_) => None,
        };
        let asked = || format!("{call} of rotation {id}");
        let demanded = self.demand(connection, &[right], asked, |grants, asker| {
            let key = key.as_ref();
            key.is_some_and(|key| grants.allow(asker, right, key.as_str()))
        });
        Ok(demanded?)
    }

    /// Refuses what touches several keys, unless the grants give it on every key.
    ///
    /// # Errors
    /// `permission_denied`.
    pub(super) fn demand_on_all(
        &self,
        connection: &Connection,
        asked: impl FnOnce() -> String,
    ) -> Result<(), SocketRefusal> {
        let right = Right::Operate;
        self.demand(connection, &[right], asked, |grants, asker| {
            grants.allow_all(asker, right)
        })
    }

    /// Has the program read its configuration again; the grants that it answers hold from then on.
    ///
    /// # Errors
    /// `nothing_to_reload`, `configuration_refused`, `reload_failed`.
    pub(super) async fn read_again(&self) -> Result<Reloaded, ReloadError> {
        let reload = self.reload.as_ref().ok_or(ReloadError::None)?;
        let mut read = reload.read().await?;
        if let Some(grants) = read.grants.take()
            && let Err(error) = self.set_grants(grants)
        {
            let what = "the grants hold, but the mode of the socket's file does not fit them";
            read.needs_restart.push(format!("{what}: {error}"));
        }
        Ok(read)
    }

    /// Tells that a connection was cut, or was not let in.
    pub(super) fn tell_cut(&self, peer: &Peer, why: String) {
        let (user, process) = (peer.user, peer.pid);
        self.events().tell(move || {
            tracing::warn!(user, process, why, "a connection was cut");
        });
    }
}
