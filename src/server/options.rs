//! How a manager is to be served.

use std::path::{Path, PathBuf};

use crate::server::bounds::ServeBounds;
use crate::server::grants::Grants;
use crate::server::reload::{Reload, Reloaded};

/// How a manager is to be served: where, to whom, and how much at a time.
#[derive(Debug, Clone)]
#[must_use = "options serve nothing until KeysManagement::serve has them"]
pub struct ServeOptions {
    pub(super) path: PathBuf,
    pub(super) grants: Grants,
    pub(super) bounds: ServeBounds,
    pub(super) takes_passed: bool,
    pub(super) backups: Option<PathBuf>,
    pub(super) reload: Option<Reload>,
}

impl ServeOptions {
    /// On the Unix socket at this path. Only the user of this process is let in.
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            grants: Grants::own_user(),
            bounds: ServeBounds::default(),
            takes_passed: false,
            backups: None,
            reload: None,
        }
    }

    /// To whom these grants let in. Where they name others than the user of this process, all may connect
    /// to the socket (mode 0666), and the grants say what they may.
    pub fn grants(mut self, grants: Grants) -> Self {
        self.grants = grants;
        self
    }

    /// Within these bounds.
    pub fn bounds(mut self, bounds: ServeBounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// On the socket that systemd passes, if it passes one (socket activation), else on that at the path.
    pub fn or_passed_by_systemd(mut self) -> Self {
        self.takes_passed = true;
        self
    }

    /// An operator's backups go into this folder. Without one there are none over the socket.
    pub fn backups(mut self, folder: impl AsRef<Path>) -> Self {
        self.backups = Some(folder.as_ref().to_owned());
        self
    }

    /// Has an operator's reload call this, on a thread of its own: it reads the configuration again and
    /// defines new keys, or changes nothing and says why. The grants that it answers hold from then on.
    pub fn on_reload(
        mut self,
        read: impl Fn() -> Result<Reloaded, String> + Send + Sync + 'static,
    ) -> Self {
        self.reload = Some(Reload::new(read));
        self
    }
}
