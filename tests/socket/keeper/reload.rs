//! The configuration is read anew: keys are added and grants changed, all or nothing.

use rustix::process::Signal;
use serde_json::Value;

use super::process::{Folder, START, said};

const DOCUMENTS: &str = "[keys.documents]\nstore.file = \"documents.key\"\n";

#[test]
fn keys_are_added_grants_changed_and_the_rest_is_named_and_changes_nothing() {
    let folder = Folder::new("");
    let keeper = folder.serve();
    let (code, out, _) = said(&folder.run(&["reload"]));
    assert_eq!((code, out.as_str()), (Some(0), "nothing differs\n"));
    folder.key("token.key", "a token");
    folder.write(&format!(
        "data_folder = \"elsewhere\"\nsocket = \"t\"\nbackups = \"copies\"\nlog = \"info\"\n\
         allow_shared_folder = true\nmaster_key.file = \"other.key\"\n{DOCUMENTS}stateless = false\n\
         [keys.token]\nuse_case = \"one_way_trip\"\nstore.file = \"token.key\"\n\
         [manager]\nworker_wait = \"1 min\"\nmax_crashes = 7\n[bounds]\nconnections = 5\n\
         [[grants]]\nusers = [{}]\nkeys = [\"*\"]\nworkers = [\"*\"]\n\
         may = [\"forward\", \"back\", \"operate\"]\n",
        rustix::process::geteuid().as_raw()
    ));
    let (code, out, errors) = said(&folder.run(&["reload", "--json"]));
    assert_eq!(code, Some(0), "{errors}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        told["changed"],
        serde_json::json!(["the key `token` was added", "the grants were changed"])
    );
    let restart = told["needs_restart"].to_string();
    for name in [
        "allow_shared_folder",
        "backups",
        "bounds.connections",
        "data_folder",
        "keys.documents.stateless",
        "log",
        "manager.max_crashes",
        "master_key.file",
        "socket",
    ] {
        assert!(
            restart.contains(&format!("`{name}`")),
            "{name} is not in {restart}"
        );
    }
    // "1 min" is what "60 s" was.
    assert_eq!(
        told["needs_restart"].as_array().unwrap().len(),
        9,
        "{restart}"
    );
    let (code, out, _) = said(&folder.run(&["get", "token"]));
    assert_eq!((code, out.as_str()), (Some(0), "a token"));
    // `declare` is not granted any more.
    folder.key("new.key", "value_2");
    let rotate = folder.run(&["rotate", "documents", "--new-file", "new.key"]);
    assert_eq!(said(&rotate).0, Some(5), "{}", said(&rotate).2);
    assert!(folder.socket().exists() && !folder.path().join("t").exists());
    // What differs is named until the restart.
    let (_, again, _) = said(&folder.run(&["reload"]));
    assert_eq!(again.lines().count(), 9, "{again}");
    // A key that is gone stays.
    folder.write(&format!("{START}{DOCUMENTS}"));
    let (_, out, _) = said(&folder.run(&["reload"]));
    assert!(
        out.contains("`token`") && out.contains("the grants were changed"),
        "{out}"
    );
    assert_eq!(said(&folder.run(&["get", "token"])).0, Some(0));
    keeper.stop();
}

#[test]
fn with_a_fault_nothing_is_changed_and_the_faults_are_told_to_who_asked() {
    let folder = Folder::new("");
    let keeper = folder.serve();
    folder.key("token.key", "a token");
    folder.write(&format!(
        "{START}{DOCUMENTS}[keys.token]\nstore.file = \"token.key\"\n[manager]\nworker_wait = 3\n"
    ));
    let (code, out, errors) = said(&folder.run(&["reload"]));
    assert_eq!((code, out.as_str()), (Some(2), ""), "{errors}");
    assert!(errors.contains("keyward.toml:9:15: "), "{errors}");
    assert_ne!(said(&folder.run(&["get", "token"])).0, Some(0));
    keeper.says("nothing was changed");
    std::fs::remove_file(folder.path().join("keyward.toml")).unwrap();
    let (code, _, errors) = said(&folder.run(&["reload"]));
    assert_eq!(code, Some(2), "{errors}");
    folder.configure("");
    assert_eq!(said(&folder.run(&["get", "documents"])).0, Some(0));
    keeper.stop();
}

#[tokio::test]
async fn where_one_key_cannot_be_defined_none_is_and_the_grants_stay() {
    let folder = Folder::new("");
    folder.leave_stopped().await;
    folder.write(START);
    let keeper = folder.serve();
    folder.write(&format!(
        "{START}{DOCUMENTS}use_case = \"one_way_trip\"\n[keys.aaa]\nstore.file = \"new.key\"\n\
         [keys.zzz]\nstore.file = \"new.key\"\n[[grants]]\nusers = [4711]\nkeys = [\"*\"]\nmay = [\"back\"]\n"
    ));
    let (code, _, errors) = said(&folder.run(&["reload"]));
    assert_ne!(code, Some(0));
    assert!(
        errors.contains("documents") && errors.contains("use case"),
        "{errors}"
    );
    for key in ["aaa", "zzz", "documents"] {
        let (code, _, errors) = said(&folder.run(&["get", key]));
        assert_eq!(code, Some(1), "still let in, and not defined: {errors}");
    }
    keeper.stop();
}

#[test]
fn sighup_is_a_reload() {
    let folder = Folder::new("");
    let keeper = folder.serve();
    folder.configure("[keys.more]\nstore.file = \"documents.key\"");
    keeper.signal(Signal::HUP);
    keeper.says("reload: the key `more` was added");
    assert_eq!(said(&folder.run(&["get", "more"])).1, "value_1");
    folder.write("data_folder = 1");
    keeper.signal(Signal::HUP);
    keeper.says("reload: nothing was changed");
    keeper.says("keyward.toml:1:15: ");
    let said = keeper.stop();
    assert!(said.contains("ready; keys: 1,"), "{said}");
}
