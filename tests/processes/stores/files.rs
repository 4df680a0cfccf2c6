//! Keys from files.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use keyward::store::error::StoreError;
use keyward::store::file::FileStore;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::stores::{MIB, error, fetched, value};

fn file(folder: &Path, name: &str, content: &[u8], mode: u32) -> PathBuf {
    let path = folder.join(name);
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .unwrap();
    file.write_all(content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn one_final_line_end_is_not_part_of_the_key() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content, key) in [
        ("plain", "key", "key"),
        ("unix", "key\n", "key"),
        ("dos", "key\r\n", "key"),
        ("two", "key\n\n", "key\n"),
        ("inside", "a\nb\n", "a\nb"),
    ] {
        let path = file(folder.path(), name, content.as_bytes(), 0o600);
        assert_eq!(value(&FileStore::new(&path)), key.as_bytes());
        assert_eq!(value(&FileStore::new(&path).exact()), content.as_bytes());
    }
}

#[test]
fn two_files_are_a_pair() {
    let folder = tempfile::tempdir().unwrap();
    let forward = file(folder.path(), "forward", b"enc\n", 0o600);
    let back = file(folder.path(), "back", b"dec\n", 0o400);
    let keys = fetched(&FileStore::pair(forward, back)).unwrap();
    assert!(keys.is_pair());
    assert_eq!(keys.to_pair().forward().expose(), b"enc");
    assert_eq!(keys.to_pair().back().expose(), b"dec");
}

#[test]
fn each_fetch_reads_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "key", b"first", 0o600);
    let store = FileStore::new(&path);
    assert_eq!(value(&store), b"first");
    fs::rename(file(folder.path(), "new", b"second", 0o600), &path).unwrap();
    assert_eq!(value(&store), b"second");
}

#[test]
fn an_empty_file_is_an_invalid_key_and_a_missing_one_a_failed_store() {
    let folder = tempfile::tempdir().unwrap();
    for content in ["", "\n"] {
        let name = format!("empty-{}", content.len());
        let path = file(folder.path(), &name, content.as_bytes(), 0o600);
        assert_eq!(error(&FileStore::new(path)).code(), "invalid_key");
    }
    let missing = error(&FileStore::new(folder.path().join("missing")));
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");
    assert_eq!(missing.code(), "store_failed");
    assert!(missing.to_string().contains("missing"));
}

#[test]
fn a_key_may_have_one_mebibyte_and_no_byte_more() {
    let folder = tempfile::tempdir().unwrap();
    let largest = [vec![b'k'; MIB], b"\r\n".to_vec()].concat();
    let path = file(folder.path(), "largest", &largest, 0o600);
    assert_eq!(value(&FileStore::new(&path)).len(), MIB);
    assert_eq!(error(&FileStore::new(&path).exact()).code(), "invalid_key");
    let path = file(folder.path(), "longer", &vec![b'k'; MIB + 1], 0o600);
    assert_eq!(error(&FileStore::new(path)).code(), "invalid_key");
}

#[test]
fn a_huge_file_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "huge", b"k", 0o600);
    let huge = fs::OpenOptions::new().write(true).open(&path).unwrap();
    huge.set_len(1 << 40).unwrap();
    assert_eq!(error(&FileStore::new(path)).code(), "invalid_key");
}

#[test]
fn a_file_that_states_no_length_is_read_to_its_end() {
    let store = FileStore::new("/proc/sys/kernel/ostype").allow_shared_file();
    assert_eq!(value(&store), b"Linux");
}

#[test]
fn a_file_that_others_can_read_is_refused_unless_allowed() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o640, 0o604, 0o644, 0o660] {
        let path = file(folder.path(), &format!("{mode:o}"), b"canary", mode);
        let refused = error(&FileStore::new(&path));
        assert!(
            matches!(refused, StoreError::SharedFile { .. }),
            "{refused}"
        );
        assert_eq!(refused.code(), "store_failed");
        let text = format!("{refused} {refused:?}");
        assert!(text.contains(&format!("mode {mode:o}")), "{text}");
        assert!(!text.contains("canary"));
        let allowed = FileStore::new(&path).allow_shared_file();
        assert_eq!(value(&allowed), b"canary");
    }
}

#[test]
fn a_symlink_is_as_open_as_its_target() {
    let folder = tempfile::tempdir().unwrap();
    for (name, mode) in [("closed", 0o600), ("open", 0o644)] {
        file(folder.path(), name, b"key", mode);
        symlink(name, folder.path().join(format!("to-{name}"))).unwrap();
    }
    assert_eq!(
        value(&FileStore::new(folder.path().join("to-closed"))),
        b"key"
    );
    let refused = error(&FileStore::new(folder.path().join("to-open")));
    assert!(
        matches!(refused, StoreError::SharedFile { .. }),
        "{refused}"
    );
}

#[test]
fn a_pipe_or_a_folder_is_refused_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
        let refused = error(&FileStore::new(path).allow_shared_file());
        assert!(matches!(refused, StoreError::NotAFile { .. }), "{refused}");
    }
}
