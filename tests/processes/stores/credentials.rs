//! Credentials of systemd: real files of root's with a real list of access, where systemd has them.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use keyward::store::error::StoreError;
use keyward::store::file::FileStore;
use rustix::fs::{XattrFlags, fsetxattr};

use crate::stores::{error, value};
use crate::support::alone::again_by;

const FOLDER: &str = "/run/credentials";

/// Gives a file a list of access in which `user` may read it, and its group what `group` says.
fn give_list(path: &Path, user: u32, group: u16) {
    const NOBODY: u32 = u32::MAX;
    let entries = [
        (0x01, 4, NOBODY),
        (0x02, 4, user),
        (0x04, group, NOBODY),
        (0x10, 4, NOBODY),
        (0x20, 0, NOBODY),
    ];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (kind, rights, id) in entries {
        list.extend(u16::to_le_bytes(kind));
        list.extend(u16::to_le_bytes(rights));
        list.extend(u32::to_le_bytes(id));
    }
    let file = File::open(path).unwrap();
    fsetxattr(file, "system.posix_acl_access", &list, XattrFlags::empty()).unwrap();
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o440, "a list shows itself in the mode");
}

fn file(path: &Path, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "canary").unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A folder as systemd makes it for a service.
fn unit(name: &str) -> PathBuf {
    let folder = Path::new(FOLDER).join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    folder
}

fn refused(path: &Path) {
    let error = error(&FileStore::new(path));
    assert!(matches!(error, StoreError::SharedFile { .. }), "{error}");
    assert_eq!(value(&FileStore::new(path).allow_shared_file()), b"canary");
}

/// Runs one of the tests below with a `/run` of its own. Where nothing may be mounted, as in some
/// containers, it cannot be shown.
fn with_its_own_run<T: Copy>(test: T) {
    let mount = "mount -t tmpfs -o mode=755 tmpfs /run && echo mounted && exec \"$0\" \"$@\"";
    for namespaces in ["-m", "-rm"] {
        let mut unshare = Command::new("unshare");
        unshare.args([namespaces, "sh", "-c", mount]);
        let Ok(run) = again_by(unshare, test).output() else {
            continue;
        };
        let said = String::from_utf8_lossy(&run.stdout);
        if said.contains("mounted") {
            return assert!(run.status.success() && said.contains("1 passed"), "{said}");
        }
    }
    eprintln!("not shown: this process may not mount anything");
}

#[test]
fn a_systemd_credential_is_taken_where_systemd_has_it_and_nowhere_else() {
    with_its_own_run(below_the_folder_of_systemd);
}

#[test]
#[ignore = "needs a /run of its own, which the test above mounts"]
fn below_the_folder_of_systemd() {
    let unit = unit("keyward.service");
    // One that is known in a user namespace of one user, too.
    let user = 0;
    let (key, other) = (unit.join("key"), unit.join("deeper/other"));
    file(&key, 0o400);
    give_list(&key, user, 0);
    assert_eq!(value(&FileStore::new(&key)), b"canary");
    file(&other, 0o400);
    give_list(&other, user, 0);
    assert_eq!(value(&FileStore::new(&other)), b"canary");
    // However the path is written.
    let there = Path::new(FOLDER).join("../credentials/keyward.service/./key");
    assert_eq!(value(&FileStore::new(there)), b"canary");

    // The same file elsewhere, and paths that only look as if they led there.
    let elsewhere = Path::new("/run/elsewhere/key");
    file(elsewhere, 0o400);
    give_list(elsewhere, user, 0);
    refused(elsewhere);
    refused(&Path::new(FOLDER).join("../elsewhere/key"));
    let link = unit.join("link");
    symlink(elsewhere, &link).unwrap();
    refused(&link);
    let beside = Path::new("/run/credentials-of-others/key");
    file(beside, 0o400);
    give_list(beside, user, 0);
    refused(beside);
    let directly = Path::new(FOLDER).join("key");
    file(&directly, 0o400);
    give_list(&directly, user, 0);
    refused(&directly);
}

#[test]
fn what_is_open_in_another_way_is_no_credential() {
    with_its_own_run(open_below_the_folder_of_systemd);
}

#[test]
#[ignore = "needs a /run of its own, which the test above mounts"]
fn open_below_the_folder_of_systemd() {
    let unit = unit("keyward.service");
    let named = |name: &str| unit.join(name);
    let plain = named("plain");
    file(&plain, 0o440);
    refused(&plain);
    for mode in [0o444, 0o404, 0o460] {
        let open = named(&format!("{mode:o}"));
        file(&open, mode);
        refused(&open);
    }
    let to_group = named("group");
    file(&to_group, 0o400);
    give_list(&to_group, 0, 4);
    refused(&to_group);
    let key = named("key");
    file(&key, 0o400);
    give_list(&key, 0, 0);
    assert_eq!(value(&FileStore::new(&key)), b"canary");
    // Anyone who may change the folder may have put the file there.
    fs::set_permissions(&unit, Permissions::from_mode(0o770)).unwrap();
    refused(&key);
    fs::set_permissions(&unit, Permissions::from_mode(0o700)).unwrap();
    // Only where another user is known can it be given to one.
    if chown(&unit, Some(1), None).is_ok() {
        refused(&key);
    }
}
