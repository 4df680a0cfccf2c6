//! A backup of a keeper, and the way back from it, as the operator's page has it.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::process::{Folder, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_in_the_configured_folder_and_restored_as_the_operators_page_says() {
    let folder = Folder::new("backups = \"copies\"");
    folder.leave_stopped().await;
    let keeper = folder.serve();
    let rotations = || -> Value {
        let (code, out, errors) = said(&folder.run(&["rotations", "--json"]));
        assert_eq!(code, Some(0), "{errors}");
        serde_json::from_str(&out).unwrap()
    };
    let before = rotations();
    let (code, out, errors) = said(&folder.run(&["backup", "--json"]));
    assert_eq!(code, Some(0), "{errors}");
    let made: Value = serde_json::from_str(&out).unwrap();
    let backup = made["backup"].as_str().unwrap();
    let copies = folder.path().canonicalize().unwrap().join("copies");
    assert!(backup.starts_with(copies.to_str().unwrap()), "{backup}");
    let (code, again, _) = said(&folder.run(&["backup", "--json"]));
    assert_eq!(code, Some(0));
    assert_ne!(out, again, "each has a folder of its own");

    // What is done after the backup is not in it.
    let id = before["rotations"][0]["id"].as_str().unwrap();
    let (code, _, errors) = said(&folder.run(&["abort", id, "--yes", "main"]));
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(rotations()["rotations"].as_array().unwrap().len(), 0);
    keeper.stop();
    let verify = ["verify", "--folder", backup, "--json"];
    let (code, out, errors) = said(&folder.run(&verify));
    assert_eq!(code, Some(0), "{errors}");
    let verified: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(verified["whole"], true);
    let data = folder.path().join("data");
    fs::rename(&data, folder.path().join("aside")).unwrap();
    let copied = Command::new("cp").args(["-a", backup]).arg(&data).status();
    assert!(copied.unwrap().success());
    let (code, out, errors) = said(&folder.run(&["verify"]));
    assert_eq!(code, Some(0), "{errors}");
    assert!(out.contains("records can be read"), "{out}");
    let keeper = folder.serve();
    assert_eq!(rotations(), before);
    // While it is served, no other process may look.
    let (code, _, errors) = said(&folder.run(&["verify"]));
    assert_eq!(code, Some(1));
    assert!(errors.contains("(already_open)"), "{errors}");
    keeper.stop();
}
