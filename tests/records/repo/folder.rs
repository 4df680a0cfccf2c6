//! A data folder is private, locked, of this schema, and no other program's.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::repo::space::Space;
use keyward::repo::state_repo::StateRepo;

use crate::repo::new_folder;

fn open(folder: &Path) -> Result<RocksDbRepo, RepoError> {
    RocksDbRepo::open(&FolderOptions::new(folder))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_missing_folder_is_created_private_with_its_parents() {
    let base = new_folder();
    let folder = base.path().join("a/b/data");
    let repo = open(&folder).unwrap();
    for path in ["a", "a/b", "a/b/data"] {
        assert_eq!(mode(&base.path().join(path)), 0o700, "{path}");
    }
    for own in ["keyward.lock", "KEYWARD"] {
        assert_eq!(mode(&folder.join(own)), 0o600, "{own}");
    }
    repo.close().unwrap();
}

#[test]
fn a_folder_open_to_others_is_refused_unless_it_is_allowed() {
    let folder = new_folder();
    for loose in [0o750, 0o701, 0o777] {
        fs::set_permissions(folder.path(), Permissions::from_mode(loose)).unwrap();
        let error = open(folder.path()).unwrap_err();
        assert!(matches!(error, RepoError::LooseFolder { mode, .. } if mode == loose));
        assert!(error.to_string().contains("chmod 700"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    let allowed = FolderOptions::new(folder.path()).allow_shared_folder(true);
    RocksDbRepo::open(&allowed).unwrap().close().unwrap();
}

#[test]
fn a_folder_of_another_user_is_refused() {
    let folder = new_folder();
    if std::os::unix::fs::chown(folder.path(), Some(12_345), None).is_err() {
        return; // Only root can give a folder away.
    }
    let error = open(folder.path()).unwrap_err();
    assert!(
        matches!(error, RepoError::ForeignOwner { owner: 12_345, .. }),
        "{error}"
    );
}

#[test]
fn a_file_in_the_place_of_the_folder_or_a_parent_is_refused() {
    let base = new_folder();
    let file = base.path().join("file");
    fs::write(&file, "somebody's").unwrap();
    for path in [file.clone(), file.join("data")] {
        assert_eq!(open(&path).unwrap_err().code(), "not_a_folder");
    }
    assert_eq!(fs::read(&file).unwrap(), b"somebody's");
}

#[test]
fn a_folder_that_may_not_be_written_is_refused() {
    // A file system that not even root can write to.
    let error = open(Path::new("/proc/keyward")).unwrap_err();
    assert!(
        ["not_writable", "repo_failed"].contains(&error.code()),
        "{error}"
    );
    if rustix::process::geteuid().is_root() {
        return;
    }
    let folder = new_folder();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o500)).unwrap();
    assert_eq!(open(folder.path()).unwrap_err().code(), "not_writable");
}

#[test]
fn a_folder_with_other_things_is_refused_and_left_as_it_is() {
    for own_lock_file_too in [false, true] {
        let folder = new_folder();
        fs::write(folder.path().join("thesis.txt"), "words").unwrap();
        if own_lock_file_too {
            fs::write(folder.path().join("keyward.lock"), "").unwrap();
        }
        let before = fs::read_dir(folder.path()).unwrap().count();
        let error = open(folder.path()).unwrap_err();
        assert!(matches!(&error, RepoError::ForeignContent { entry, .. } if entry == "thesis.txt"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
    }
}

#[test]
fn a_second_opener_is_told_who_holds_the_folder_until_it_is_closed() {
    let folder = new_folder();
    let repo = open(folder.path()).unwrap();
    for reopened in [false, true] {
        let error = open(folder.path()).unwrap_err();
        let RepoError::AlreadyOpen { holder, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(holder.as_ref().unwrap().pid, std::process::id());
        assert!(
            error.to_string().contains(env!("CARGO_CRATE_NAME")),
            "{error}"
        );
        if !reopened {
            repo.reopen().unwrap();
        }
    }
    repo.close().unwrap();
    drop(open(folder.path()).unwrap());
    open(folder.path()).unwrap().close().unwrap();
}

#[test]
fn a_folder_of_another_schema_is_refused_and_left_as_it_is() {
    // The checksum of this text; a later keyward would write one like it.
    let marker = "keyward database\nschema 2\nhistory 0\ncheck 514bc69f67136d6a\n";
    let folder = new_folder();
    open(folder.path()).unwrap().close().unwrap();
    fs::write(folder.path().join("KEYWARD"), marker).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(
        matches!(
            error,
            RepoError::OtherSchema {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_creation_that_was_interrupted_is_finished_at_the_next_start() {
    // Before RocksDB's first file was named, and just before keyward's marker said so.
    for whole in [false, true] {
        let folder = new_folder();
        if whole {
            open(folder.path()).unwrap().close().unwrap();
        } else {
            fs::write(folder.path().join("MANIFEST-000001"), "cut").unwrap();
            fs::write(folder.path().join("000001.dbtmp"), "MANI").unwrap();
        }
        let marker = "keyward database\nschema 1\ncreating\ncheck 698c3f44047bca42\n";
        fs::write(folder.path().join("KEYWARD"), marker).unwrap();
        let repo = open(folder.path()).unwrap();
        repo.apply(&Batch::new().put(Space::Meta, "k", "v"))
            .unwrap();
        drop(repo);
        let repo = open(folder.path()).unwrap();
        assert_eq!(repo.get(Space::Meta, b"k").unwrap().unwrap(), b"v");
    }
}

#[test]
fn rocksdb_writes_no_log_file_that_could_quote_keys() {
    let folder = new_folder();
    let repo = open(folder.path()).unwrap();
    repo.apply(&Batch::new().put(Space::Meta, "k", "v"))
        .unwrap();
    repo.close().unwrap();
    let names = fs::read_dir(folder.path()).unwrap();
    assert!(names.into_iter().all(|entry| {
        let name = entry.unwrap().file_name();
        name != "LOG" && !name.to_string_lossy().starts_with("LOG.")
    }));
}
