//! `keyward check-config`: every fault with its line and column, all in one run.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::tempdir;

use super::{keyward, said};

/// Each with a file of what is said of it.
const GOLDEN: [&str; 7] = [
    "every_kind",
    "folders",
    "master",
    "missing",
    "syntax",
    "tables",
    "wide",
];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/processes/configuration/golden")
}

/// A file of this text in a folder of its own.
fn check(text: impl AsRef<[u8]>, arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("keyward.toml"), text).unwrap();
    let (code, out, errors) = said(&keyward(
        folder.path(),
        &[&["check-config"], arguments].concat(),
    ));
    let place = folder.path().canonicalize().unwrap();
    let relative = |text: String| text.replace(&format!("{}/", place.display()), "");
    (code, relative(out), relative(errors))
}

#[test]
fn every_fault_is_named_with_its_line_and_column_in_one_run() {
    for name in GOLDEN {
        let configuration = fs::read(golden().join(format!("{name}.toml"))).unwrap();
        let wanted = fs::read_to_string(golden().join(format!("{name}.txt"))).unwrap_or_default();
        let (code, out, errors) = check(configuration, &[]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{name}");
        assert_eq!(errors, wanted, "{name}:\n{errors}");
    }
}

#[test]
fn a_configuration_without_a_fault_is_said_to_have_none() {
    let good = fs::read(golden().join("good.toml")).unwrap();
    let (code, out, errors) = check(&good, &[]);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(out, "keyward.toml has no fault; keys: 3, grants: 1\n");
    // What is missing now may be there when it is served.
    for file in ["forward.key", "back.key", "keys/plain"] {
        assert!(errors.contains(file), "{errors}");
    }
}

#[test]
fn for_programs_the_faults_are_one_object() {
    let (code, out, _) = check("data_folder = 1\n", &["--json"]);
    let object: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &object["valid"]), (Some(2), &Value::Bool(false)));
    let faults = object["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 2, "{out}");
    assert_eq!(faults[1]["line"], 1);
    assert_eq!(faults[1]["column"], 15);
    let good = fs::read(golden().join("good.toml")).unwrap();
    let (code, out, _) = check(good, &["--json"]);
    let object: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &object["valid"], &object["keys"]),
        (Some(0), &Value::Bool(true), &Value::from(3))
    );
}

#[test]
fn no_fault_quotes_a_value_for_it_may_be_a_key_in_the_wrong_place() {
    let canary = "canary-4711-of-a-key";
    let faulty = format!(
        "data_folder = [\"{canary}\"]\nmaster_key = \"{canary}\"\nlog = \"{canary}=\"\n\
         [keys.documents]\nstore = \"{canary}\"\nuse_case = \"{canary}\"\nstateless = \"{canary}\"\n\
         [keys.other]\nstore.env = \"TOKEN={canary}\"\n[manager]\nworker_wait = \"{canary}\"\n\
         [[grants]]\nusers = [[\"{canary}\"]]\nkeys = [\"{canary}\\u0007\"]\nmay = [\"{canary}\"]\n"
    );
    let broken = format!(
        "{canary}\n= {canary}\nlog = {canary}\n[{canary}\n[keys.{canary} {canary}]\nx = \"{canary}\ny = '''{canary}"
    );
    for (text, arguments) in [(&faulty, &[][..]), (&faulty, &["--json"]), (&broken, &[])] {
        let (code, out, errors) = check(text, arguments);
        assert_eq!(code, Some(2));
        assert!(
            !out.contains(canary) && !errors.contains(canary),
            "{out}{errors}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_and_a_file_that_is_too_long_are_faults_too() {
    let (code, _, errors) = check(b"data_folder = \"data\"\nsocket = \"\xff\"\n", &[]);
    assert_eq!(
        (code, errors.as_str()),
        (
            Some(2),
            "keyward.toml:2:11: this byte is not UTF-8, which a configuration is written in\n"
        )
    );
    let (code, _, errors) = check("#".repeat(5 << 20), &[]);
    assert_eq!(code, Some(2));
    assert!(
        errors.starts_with("keyward.toml:1:1: the file is longer than"),
        "{errors}"
    );
    let (code, _, errors) = check("\u{feff}data_folder = 1", &[]);
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("keyward.toml:1:15: this must be a text"),
        "{errors}"
    );
    let deep = format!("data_folder = {}", "[".repeat(100_000));
    let (code, _, errors) = check(deep, &[]);
    assert_eq!(code, Some(2));
    assert!(errors.starts_with("keyward.toml:1:"), "{errors}");
}

#[test]
fn a_configuration_that_cannot_be_read_is_named_with_what_to_do() {
    let folder = tempdir().unwrap();
    let (code, out, errors) = said(&keyward(
        folder.path(),
        &["check-config", "--config", "none.toml"],
    ));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    for part in ["none.toml", "No such file", "keyward init"] {
        assert!(errors.contains(part), "{errors}");
    }
    fs::create_dir(folder.path().join("keyward.toml")).unwrap();
    let (code, _, errors) = said(&keyward(folder.path(), &["check-config", "--config", "."]));
    assert_eq!(code, Some(2), "{errors}");
}

#[test]
fn the_configuration_is_the_named_one_else_that_of_the_folder_if_nobody_else_could_put_it_there() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("keyward.toml");
    fs::write(
        &file,
        "data_folder = \"data\"\nmaster_key.file = \"master.key\"\n",
    )
    .unwrap();
    let code = |arguments: &[&str]| said(&keyward(folder.path(), arguments)).0;
    assert_eq!(code(&["check-config"]), Some(0));
    fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    let (refused, _, errors) = said(&keyward(folder.path(), &["check-config"]));
    assert_eq!(refused, Some(2));
    assert!(errors.contains("--config"), "{errors}");
    assert_eq!(code(&["check-config", "--config", "keyward.toml"]), Some(0));
    assert_eq!(code(&["check-config", "-c", "."]), Some(0));
}

#[test]
fn paths_count_from_the_folder_of_the_file_as_it_is_named() {
    let folder = tempdir().unwrap();
    let (real, linked) = (folder.path().join("real"), folder.path().join("linked"));
    fs::create_dir(&real).unwrap();
    fs::create_dir(&linked).unwrap();
    fs::write(
        real.join("it.toml"),
        "data_folder = \"data\"\nmaster_key.file = \"master.key\"\n",
    )
    .unwrap();
    symlink("../real/it.toml", linked.join("keyward.toml")).unwrap();
    fs::write(linked.join("master.key"), "x").unwrap();
    let (code, _, errors) = said(&keyward(
        folder.path(),
        &["check-config", "--config", "linked"],
    ));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let (_, _, errors) = said(&keyward(
        folder.path(),
        &["check-config", "--config", "real/it.toml"],
    ));
    let missing = real.canonicalize().unwrap().join("master.key");
    assert!(errors.contains(missing.to_str().unwrap()), "{errors}");
}

#[test]
fn of_a_user_or_group_that_the_system_does_not_know_the_nearest_is_named() {
    let (code, _, errors) = check(
        "data_folder = \"data\"\nmaster_key.file = \"master.key\"\n[keys.documents]\n[[grants]]\n\
         users = [\"roott\", \"no-such-user-4711\"]\ngroups = [\"rooot\"]\nkeys = [\"*\"]\nmay = [\"back\"]\n",
        &[],
    );
    assert_eq!(code, Some(2));
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), 3, "{errors}");
    for (line, place) in lines.iter().zip(["5:10", "5:19", "6:11"]) {
        assert!(
            line.starts_with(&format!("keyward.toml:{place}: ")),
            "{line}"
        );
    }
    for line in [lines[0], lines[2]] {
        assert!(line.ends_with("did you mean `root`?"), "{line}");
    }
}
