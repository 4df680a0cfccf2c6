//! What systemd hands to a service as a credential: a file of root's that only a list of access opens
//! to the service's user.
//!
//! Its mode is 0400, but where there is such a list, the bits of the group show the most that the list
//! gives to anyone, which is 0440. So these files look as if they were open to their group. Only
//! below [`FOLDER`] they are taken, where only root can have put them.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::fgetxattr;

/// Where systemd mounts the credentials of services.
const FOLDER: &str = "/run/credentials";

/// The bits of the group and of others that a credential's mode has: the group may read, it seems.
const SEEMS_OPEN: u32 = 0o040;

/// The bits by which anyone but the owner may change what is in a folder.
const OTHERS_WRITE: u32 = 0o022;

/// The list of access as the system keeps it beside the file.
const LIST: &str = "system.posix_acl_access";

/// A list of that many entries is taken as a whole; no list of systemd's is longer.
const LONGEST_LIST: usize = 4 + 64 * 8;

/// Whether this open file is a credential that systemd made. The folder's path must have no links.
pub(super) fn is_credential(folder: &Path, file: &File, facts: &Metadata) -> bool {
    let below = folder.strip_prefix(FOLDER);
    below.is_ok_and(|unit| unit.components().next().is_some())
        && folder.ancestors().all(only_root_changes)
        && facts.uid() == 0
        && facts.mode() & 0o077 == SEEMS_OPEN
        && list(file).is_some_and(|list| opens_to_users_only(&list))
}

fn only_root_changes(folder: &Path) -> bool {
    fs::symlink_metadata(folder)
        .is_ok_and(|facts| facts.is_dir() && facts.uid() == 0 && facts.mode() & OTHERS_WRITE == 0)
}

fn list(file: &File) -> Option<Vec<u8>> {
    let mut list = vec![0; LONGEST_LIST];
    let length = fgetxattr(file, LIST, list.as_mut_slice()).ok()?;
    list.truncate(length);
    Some(list)
}

/// Whether a list gives something to users that it names, and nothing to any group nor to others.
///
/// It is a version, 2, and entries of a kind, rights and an id, all in little-endian numbers.
fn opens_to_users_only(list: &[u8]) -> bool {
    const OWNER: u16 = 0x01;
    const USER: u16 = 0x02;
    const MASK: u16 = 0x10;
    let Some((2, entries)) = list
        .split_first_chunk()
        .map(|(version, entries)| (u32::from_le_bytes(*version), entries))
    else {
        return false;
    };
    let (entries, rest) = entries.as_chunks::<8>();
    let mut entries = entries.iter().map(|[a, b, c, d, ..]| {
        let number = |a: &u8, b: &u8| u16::from_le_bytes([*a, *b]);
        (number(a, b), number(c, d))
    });
    let names_a_user = entries.clone().any(|(kind, _)| kind == USER);
    let closed = entries.all(|(kind, rights)| matches!(kind, OWNER | USER | MASK) || rights == 0);
    names_a_user && closed && rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (kind, rights, id) in entries {
            list.extend(kind.to_le_bytes());
            list.extend(rights.to_le_bytes());
            list.extend(id.to_le_bytes());
        }
        list
    }

    const NOBODY: u32 = u32::MAX;

    #[test]
    fn a_list_that_opens_a_file_to_named_users_only_is_a_credentials() {
        let systemd = [
            (1, 4, NOBODY),
            (2, 4, 990),
            (4, 0, NOBODY),
            (16, 4, NOBODY),
            (32, 0, NOBODY),
        ];
        assert!(opens_to_users_only(&of(&systemd)));
        for (at, rights) in [(2, 4), (4, 4)] {
            let mut open = systemd;
            open[at].1 = rights;
            assert!(!opens_to_users_only(&of(&open)), "{open:?}");
        }
        let mut group = systemd.to_vec();
        group.insert(3, (8, 4, 100));
        assert!(!opens_to_users_only(&of(&group)));
        let plain = [systemd[0], systemd[2], systemd[4]];
        assert!(!opens_to_users_only(&of(&plain)));
    }

    #[test]
    fn any_bytes_are_a_list_or_none() {
        for bytes in [
            &[][..],
            &[2],
            &[2, 0, 0, 0],
            &[1, 0, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0],
        ] {
            assert!(!opens_to_users_only(bytes));
        }
        let mut cut = of(&[(2, 4, 990)]);
        assert!(opens_to_users_only(&cut));
        cut.pop();
        assert!(!opens_to_users_only(&cut));
    }
}
