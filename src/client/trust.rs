//! Which users' listeners a client trusts with its keys. A user who can put a socket at the client's path
//! could otherwise hand it keys, or take those that it declares.
//!
//! Trusted are root, the client's own user, users that the program names, and the owner of the socket's
//! folder where everything above that folder is root's alone: no other user can have put it there then.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tokio::net::UnixStream;

use crate::key::keeper_error::KeeperError;

/// The user that the kernel names where a user of another namespace has no number in this one.
const OVERFLOW_USER: u32 = 65_534;

/// The users besides root and the own one that a program trusts.
#[derive(Debug, Clone, Default)]
pub(super) struct Trust {
    users: BTreeSet<u32>,
}

impl Trust {
    /// Trusts this user too.
    pub(super) fn add(&mut self, user: u32) {
        self.users.insert(user);
    }

    /// Fails where the listener at the other end of a connection is not trusted.
    ///
    /// # Errors
    /// `untrusted_keeper`.
    pub(super) fn check(&self, stream: &UnixStream, place: &Path) -> Result<(), KeeperError> {
        let shown = place.display();
        let peer = stream.peer_cred().map_err(|error| {
            untrusted(format!(
                "the socket {shown}: the system does not tell who listens there: {error}"
            ))
        })?;
        let user = peer.uid();
        let own = rustix::process::geteuid().as_raw();
        let trusted = user != OVERFLOW_USER
            && (user == 0
                || user == own
                || self.users.contains(&user)
                || owner_below_root(place) == Some(user));
        if trusted {
            return Ok(());
        }
        Err(untrusted(format!(
            "the socket {shown}: user {user} listens there, who is neither root nor user {own} nor the owner \
             of the socket's folder below folders that are root's alone; nothing was sent: look who that is, \
             and trust it if it is the keeper's, by `--trust-user {user}` or `ClientBuilder::trust_user`"
        )))
    }
}

/// The owner of the socket's folder, if everything above the folder is root's alone, by the path as it
/// was given and by the one that its links lead to.
fn owner_below_root(place: &Path) -> Option<u32> {
    let folder = place.parent()?;
    let found = fs::canonicalize(folder).ok()?;
    let roots_alone = |folder: &Path| folder.ancestors().skip(1).all(is_roots_alone);
    let is_whole = roots_alone(folder) && roots_alone(&found);
    let owner = is_whole.then(|| fs::metadata(&found).ok()).flatten()?;
    Some(owner.uid())
}

/// Whether only root can change what this folder has.
fn is_roots_alone(folder: &Path) -> bool {
    let found = fs::metadata(folder);
    found.is_ok_and(|found| found.uid() == 0 && found.mode() & 0o022 == 0)
}

fn untrusted(text: String) -> KeeperError {
    KeeperError::new("untrusted_keeper", false, text)
}
