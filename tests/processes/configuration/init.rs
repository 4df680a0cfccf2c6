//! `keyward init`: a folder with which a keeper starts, and nothing overwritten.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use super::{keyward, said};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_folder_is_made_with_keys_and_a_configuration_for_its_user_only() {
    let place = tempdir().unwrap();
    let (code, out, errors) = said(&keyward(place.path(), &["init", "deeper/a folder"]));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let folder = place.path().canonicalize().unwrap().join("deeper/a folder");
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(
        names(&folder),
        ["example.key", "keyward.toml", "master.key"]
    );
    for name in names(&folder) {
        assert_eq!(mode(&folder.join(name)), 0o600);
    }
    let key = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert_ne!(key("master.key"), key("example.key"));
    assert!(!out.contains(key("master.key").trim()) && !out.contains(key("example.key").trim()));
    assert_eq!(key("master.key").trim().len(), 64);
    let folder = folder.display();
    for line in [
        format!("  keyward serve --config '{folder}/keyward.toml'"),
        format!("  export KEYWARD_SOCKET='{folder}/keyward.sock'"),
        "  keyward status".to_owned(),
    ] {
        assert!(
            out.lines().any(|told| told == line),
            "{line} is not in {out}"
        );
    }
    let checked = keyward(
        place.path(),
        &["check-config", "--config", "deeper/a folder"],
    );
    let (code, _, errors) = said(&checked);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
}

#[test]
fn nothing_that_is_there_is_overwritten_and_nothing_is_made_beside_it() {
    for there in [
        "keyward.toml",
        "master.key",
        "example.key",
        "data",
        "keyward.sock",
    ] {
        let place = tempdir().unwrap();
        let folder = place.path().join("keeper");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        fs::write(folder.join(there), "mine").unwrap();
        let (code, out, errors) = said(&keyward(place.path(), &["init", "keeper"]));
        assert_eq!((code, out.as_str()), (Some(2), ""));
        assert!(errors.contains(there), "{errors}");
        assert_eq!(names(&folder), [there]);
        assert_eq!(fs::read_to_string(folder.join(there)).unwrap(), "mine");
    }
}

#[test]
fn a_second_init_of_a_folder_changes_nothing() {
    let place = tempdir().unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o700)).unwrap();
    let (code, _, errors) = said(&keyward(place.path(), &["init", "."]));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let read = || {
        names(place.path())
            .into_iter()
            .map(|name| fs::read(place.path().join(name)).unwrap())
    };
    let before: Vec<_> = read().collect();
    let (code, _, errors) = said(&keyward(place.path(), &["init", "."]));
    assert_eq!(code, Some(2), "{errors}");
    assert_eq!(read().collect::<Vec<_>>(), before);
}

#[test]
fn a_folder_that_others_may_enter_or_that_is_a_file_is_refused() {
    let place = tempdir().unwrap();
    let loose = place.path().join("loose");
    fs::create_dir(&loose).unwrap();
    fs::set_permissions(&loose, Permissions::from_mode(0o755)).unwrap();
    let (code, _, errors) = said(&keyward(place.path(), &["init", "loose"]));
    assert_eq!(code, Some(2));
    assert!(errors.contains("chmod 700"), "{errors}");
    assert_eq!(names(&loose), [""; 0]);
    assert_eq!(mode(&loose), 0o755);
    fs::write(place.path().join("file"), "mine").unwrap();
    assert_ne!(said(&keyward(place.path(), &["init", "file"])).0, Some(0));
    assert_ne!(
        said(&keyward(place.path(), &["init", "file/below"])).0,
        Some(0)
    );
    assert_eq!(
        fs::read_to_string(place.path().join("file")).unwrap(),
        "mine"
    );
}

#[test]
fn a_folder_in_which_the_socket_would_have_too_long_a_path_is_refused_before_anything_is_made() {
    let place = tempdir().unwrap();
    let name = "n".repeat(100);
    let (code, _, errors) = said(&keyward(place.path(), &["init", &name]));
    assert_eq!(code, Some(2));
    assert!(errors.contains("shorter"), "{errors}");
    assert_eq!(names(place.path()), [""; 0]);
}

#[test]
fn where_there_is_no_room_nothing_is_left() {
    let place = tempdir().unwrap();
    // No file may grow.
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" init keeper";
    let ran = std::process::Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_keyward")])
        .current_dir(place.path())
        .output()
        .unwrap();
    let (code, _, errors) = said(&ran);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("keeper"), "{errors}");
    assert_eq!(names(place.path()), [""; 0]);
}

#[test]
fn for_programs_the_paths_are_one_object() {
    let place = tempdir().unwrap();
    let (code, out, _) = said(&keyward(place.path(), &["init", "keeper", "--json"]));
    let object: Value = serde_json::from_str(&out).unwrap();
    let folder = place.path().canonicalize().unwrap().join("keeper");
    assert_eq!(code, Some(0));
    assert_eq!(
        object["socket"],
        folder.join("keyward.sock").to_str().unwrap()
    );
    assert_eq!(
        object["config"],
        folder.join("keyward.toml").to_str().unwrap()
    );
}
