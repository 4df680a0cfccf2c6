//! What programs read: each command's `--json`, in which everything stands that a program may rely on.
//!
//! Members may be added to an object, and the schema has them; none is taken away, so each golden object must
//! be found in what is printed.

use keyward::{
    ActorName, ActorState, Client, Join, KeyName, MemoryRepo, Reloaded, SecretKeyDefinition,
    ServeOptions, Space,
};
use serde_json::{Value, json};

use crate::command_line::ground::{Ground, NEW, OLD, spoil_first};
use crate::command_line::program::{keyward, ran};
use crate::command_line::schema::assert_documented;
use crate::support::{builder, until, within};

/// A value without what differs each time: ids, times, processes, users, folders.
fn plain(value: &Value, folder: &str) -> Value {
    match value {
        Value::String(text) => plain_text(&text.replace(folder, "FOLDER")).into(),
        Value::Array(items) => items.iter().map(|item| plain(item, folder)).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let differs = name.ends_with("_ms") && !name.ends_with("_limit_ms");
                let differs = differs || ["process", "user", "seed"].contains(&name.as_str());
                let value = match value {
                    Value::Number(_) if differs => json!(0),
                    other => plain(other, folder),
                };
                (name.clone(), value)
            });
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

/// A text with `ID` for each id of a rotation.
fn plain_text(text: &str) -> String {
    let is_id = |word: &str| word.len() == 36 && word.matches('-').count() == 4;
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let plain = words.map(|word| {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        match is_id(bare) {
            true => word.replace(bare, "ID"),
            false => word.to_owned(),
        }
    });
    plain.collect()
}

/// Where something of the golden value is not in what was seen.
fn lacks(golden: &Value, seen: &Value, at: &str) -> Option<String> {
    match (golden, seen) {
        (Value::Object(golden), Value::Object(seen)) => {
            golden
                .iter()
                .find_map(|(name, value)| match seen.get(name) {
                    Some(seen) => lacks(value, seen, &format!("{at}.{name}")),
                    None => Some(format!("{at}.{name}")),
                })
        }
        (Value::Array(golden), Value::Array(seen)) if golden.len() == seen.len() => {
            let pairs = golden.iter().zip(seen).enumerate();
            let lacks = |(no, (golden, seen))| lacks(golden, seen, &format!("{at}[{no}]"));
            pairs.map(lacks).find_map(|lack| lack)
        }
        (golden, seen) => (golden != seen).then(|| at.to_owned()),
    }
}

/// Panics unless these lines have all that the golden file of this name has.
#[track_caller]
pub fn assert_golden(name: &str, folder: &str, lines: &[Value]) {
    let seen: Value = lines.iter().map(|line| plain(line, folder)).collect();
    let root = env!("CARGO_MANIFEST_DIR");
    let path = format!("{root}/tests/socket/command_line/golden/json/{name}.json");
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|_| "\"missing\"".to_owned());
    let golden: Value = serde_json::from_str(&golden).unwrap();
    if let Some(at) = lacks(&golden, &seen, name) {
        panic!("{at} is not as golden/json/{name}.json has it; seen:\n{seen:#}\n");
    }
}

impl Ground {
    /// Runs a command; its lines are documented, and have what the golden file has.
    async fn golden(&self, name: &str, arguments: &[&str], code: i32) -> Vec<Value> {
        let lines = self.lines(arguments, code).await;
        assert_golden(name, self.folder.path().to_str().unwrap(), &lines);
        lines
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_status_workers_and_plan_are_as_documented() {
    let ground = Ground::new().await;
    let _anna = ground.worker("anna", || Ok(())).await;
    let client = Client::at(ground.folder.path().join("s")).await.unwrap();
    let web = client.join(Join::shared("web")).await.unwrap();
    let loads = |_: keyward::KeyChange| async {};
    web.register_in_memory("documents", "load", loads)
        .await
        .unwrap();
    web.ready().await.unwrap();
    ground.golden("status", &["status"], 0).await;
    ground.golden("workers", &["workers"], 0).await;
    let plan = ["rotate", "documents", "--plan"];
    ground.golden("rotate-plan", &plan, 0).await;
    ground.golden("rotations", &["rotations"], 0).await;
    ground.golden("healthcheck", &["healthcheck"], 0).await;
    let workers = ground.object(&["workers"]).await;
    let instance = workers["workers"][2]["instances"][0]["instance"].to_string();
    let remove = ["remove", "instance", "web", &instance];
    ground.golden("remove-instance", &remove, 0).await;
    drop(web);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_listed_read_by_id_made_by_the_keeper_and_given_again() {
    let ground = Ground::new().await;
    let letters = SecretKeyDefinition::round_trip("letters", || OLD).versions(true);
    let letters = letters.drain(std::time::Duration::ZERO);
    ground.manager.define_key(letters).await.unwrap();
    let first = ground
        .manager
        .get_forward_path_key("letters")
        .await
        .unwrap();
    let first = first.version.unwrap().id.to_string();
    let rotate = ["rotate", "letters", "--generate", "32"];
    ground.golden("rotate-generate", &rotate, 0).await;
    ground.golden("versions", &["versions", "letters"], 0).await;
    let get = ["get", "letters", "--version", &first];
    ground.golden("get-version", &get, 0).await;
    assert_eq!(ground.run(&get).await.out, OLD);
    let old = ground.key_file("again.key", OLD);
    let known = ["rotate", "letters", "--new-file", old.to_str().unwrap()];
    let lines = ground.lines(&known, 1).await;
    assert_eq!(lines[1]["error"]["code"], "known_version", "{lines:?}");
    let again = ground.lines(&[&known[..], &["--again"]].concat(), 0).await;
    assert_eq!(again[1]["report"]["state"], "completed", "{again:?}");
    let table = ground.run(&["versions", "letters"]).await.out;
    for shown in ["MAY BE HELD BY", "current", "deactivated", "main", &first] {
        assert!(table.contains(shown), "{shown} is not in\n{table}");
    }
    let plain = ground.lines(&["versions", "documents"], 1).await;
    assert_eq!(plain[0]["error"]["code"], "not_versioned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_in_base64_and_its_file_is_named() {
    let ground = Ground::new().await;
    ground.golden("get", &["get", "documents"], 0).await;
    let back = ["get", "documents", "--back"];
    ground.golden("get-back", &back, 0).await;
    let out = ground.folder.path().join("out");
    let out = ["get", "documents", "--out", out.to_str().unwrap()];
    ground.golden("get-out", &out, 0).await;
    ground.golden("error", &["get", "nothing"], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_is_told_from_its_declaration_to_its_place_in_the_history() {
    let ground = Ground::new().await;
    let anna = ground.worker("anna", || Err("the disk is full")).await;
    let _ben = ground.worker("ben", || Ok(())).await;
    let file = ground.key_file("next.key", NEW);
    let file = file.to_str().unwrap();
    let rotate = ["rotate", "documents", "--new-file", file];
    let lines = ground.golden("rotate", &rotate, 3).await;
    let id = lines[0]["id"].as_str().unwrap().to_owned();
    ground.golden("wait", &["wait", &id], 3).await;
    ground.golden("show", &["show", &id], 0).await;
    ground.golden("status-needed", &["status"], 0).await;
    ground.golden("recover", &["recover", &id], 0).await;
    let new = ["recover", &id, "--keys", "new", "--half", "forward"];
    ground.golden("recover-new", &new, 0).await;
    drop(anna);
    let _anna = ground.worker("anna", || Ok(())).await;
    ground.golden("resume", &["resume", &id], 0).await;
    let waited = ground.lines(&["wait", &id], 0).await;
    assert_eq!(waited[0]["report"]["state"], "completed");
    ground.golden("history", &["history"], 0).await;

    // Another one waits for a worker that is not there, whose callback is removed.
    drop(ground.worker("cleo", || Ok(())).await);
    let other = ground.key_file("other.key", "another");
    let other = [
        "rotate",
        "documents",
        "--new-file",
        other.to_str().unwrap(),
        "--no-wait",
    ];
    let lines = ground.golden("rotate-no-wait", &other, 0).await;
    let id = lines[0]["id"].as_str().unwrap().to_owned();
    let remove = ["remove", "callback", "cleo", "documents", "reencrypt"];
    ground.golden("remove-callback", &remove, 0).await;
    let remove = ["remove", "worker", "cleo"];
    ground.golden("remove-worker", &remove, 0).await;
    assert_eq!(ground.run(&["wait", &id]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_given_up_names_whom_it_leaves_behind() {
    let ground = Ground::new().await;
    let _anna = ground.worker("anna", || Err("no")).await;
    let (id, _) = ground.rotate().await;
    let abort = ["abort", &id, "--yes", "anna"];
    ground.golden("abort", &abort, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_names_its_folder() {
    let ground = Ground::new().await;
    let mut lines = ground.lines(&["backup"], 0).await;
    let backup = lines[0]["backup"].as_str().unwrap().to_owned();
    let (place, name) = backup.rsplit_once('/').unwrap();
    assert!(!name.is_empty(), "{backup}");
    lines[0]["backup"] = place.into();
    assert_golden("backup", ground.folder.path().to_str().unwrap(), &lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_cannot_be_read_is_dismissed() {
    let repo = MemoryRepo::new();
    let life = || builder().state_repo(repo.clone());
    let ground = Ground::of(life(), |socket| ServeOptions::at(socket)).await;
    let _anna = ground.worker("anna", || Err("no")).await;
    let (id, _) = ground.rotate().await;
    within(ground.manager.shutdown()).await.unwrap();
    drop(ground);
    spoil_first(&repo, Space::Rotations);
    let ground = Ground::of(life(), |socket| ServeOptions::at(socket)).await;
    let status = ground.golden("status-unreadable", &["status"], 0).await;
    let command = &status[0]["needs"][0]["remedies"][0]["command"];
    assert_eq!(command, &json!(format!("keyward dismiss {id}")));
    ground.golden("dismiss", &["dismiss", &id], 0).await;
    let status = ground.object(&["status"]).await;
    assert_eq!(status["person_needed"], false, "{status:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_stays_down_is_started_again() {
    let ground = Ground::new().await;
    let key = ActorName::Key(KeyName::new("documents").unwrap());
    for (actor, arguments) in [
        (key, &["restart", "key", "documents"][..]),
        (ActorName::Coordinator, &["restart", "coordinator"]),
    ] {
        until("it stays down", async || {
            ground.manager.kill_actor(&actor, 1);
            let status = ground.manager.status().await.unwrap();
            let found = status.actors.iter().find(|found| found.actor == actor);
            found.unwrap().state == ActorState::Failed
        })
        .await;
        ground.manager.kill_actor(&actor, 0);
        // The command is the one that the status names.
        let status = ground.object(&["status"]).await;
        let command = status["needs"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|need| need["remedies"][0]["command"].as_str())
            .find(|command| *command == format!("keyward {}", arguments.join(" ")));
        assert!(command.is_some(), "{status:#}");
        let name = arguments[1];
        ground
            .golden(&format!("restart-{name}"), arguments, 0)
            .await;
    }
    assert_eq!(ground.rotate().await.1.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_tells_what_was_changed_and_what_needs_a_restart() {
    let reload = || {
        let mut reloaded = Reloaded::default();
        reloaded.changed = vec!["the key `token` was added".to_owned()];
        reloaded.needs_restart = vec!["`socket` differs".to_owned()];
        Ok(reloaded)
    };
    let ground = Ground::with(|socket| ServeOptions::at(socket).on_reload(reload)).await;
    ground.golden("reload", &["reload"], 0).await;
}

/// A command that asks no keeper.
async fn alone(schema: &str, golden: &str, arguments: &[&str], code: i32) {
    let folder = tempfile::tempdir().unwrap();
    alone_in(folder.path(), schema, golden, arguments, code).await;
}

async fn alone_in(
    folder: &std::path::Path,
    schema: &str,
    golden: &str,
    arguments: &[&str],
    code: i32,
) {
    let mut command = keyward(&[arguments, &["--json"]].concat());
    command.current_dir(folder).env("TMPDIR", folder);
    command.env_remove("KEYWARD_CONFIG");
    let ran = ran(command).await;
    assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.out, ran.err);
    let lines = ran.out.lines();
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for line in &lines {
        let failed = line.get("error").is_some();
        assert_documented(if failed { "error" } else { schema }, line);
    }
    let folder = folder.canonicalize().unwrap();
    assert_golden(golden, folder.to_str().unwrap(), &lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_no_keeper_is_as_documented_too() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    alone_in(folder, "init", "init", &["init", "k"], 0).await;
    alone_in(folder, "init", "init-again", &["init", "k"], 2).await;
    let check = ["check-config", "-c", "k"];
    alone_in(folder, "check-config", "check-config", &check, 0).await;
    // A database with nothing in it but what makes it one.
    let manager = builder().data_folder(folder.join("k/data"));
    let master = std::fs::read(folder.join("k/master.key")).unwrap();
    let manager = manager.master_key(move || String::from_utf8_lossy(&master).trim().to_owned());
    let manager = within(manager.start()).await.unwrap();
    within(manager.shutdown()).await.unwrap();
    alone_in(folder, "verify", "verify", &["verify", "-c", "k"], 0).await;
    std::fs::write(folder.join("bad.toml"), "data_folder = 1\nsokcet = \"s\"\n").unwrap();
    let check = ["check-config", "-c", "bad.toml"];
    alone_in(folder, "check-config", "check-config-faults", &check, 2).await;
    let check = ["check-config", "-c", "none.toml"];
    alone_in(folder, "check-config", "check-config-unreadable", &check, 2).await;
    let verify = ["verify", "-c", "bad.toml"];
    alone_in(folder, "verify", "verify-faults", &verify, 2).await;
    let completions = ["completions", "bash"];
    alone("completions", "completions", &completions, 0).await;
    let demo = ["demo", "--workers", "2", "--documents", "2"];
    alone("demo", "demo", &demo, 0).await;
}

/// Every command that the help lists.
async fn commands() -> Vec<String> {
    let help = ran(keyward(&["--help"])).await.out;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let commands = commands.split("\n\n").next().unwrap();
    let lines = commands.lines().filter(|line| !line.starts_with("   "));
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_that_prints_has_its_schema_its_golden_object_and_its_line_in_the_docs() {
    // These print nothing of their own on standard output.
    const SILENT: [&str; 3] = ["run", "serve", "worker"];
    let commands = commands().await;
    assert!(commands.len() > 25, "{commands:?}");
    let root = env!("CARGO_MANIFEST_DIR");
    let page = std::fs::read_to_string(format!("{root}/src/docs/command_line.md")).unwrap();
    for command in &commands {
        let row = |line: &str| line.starts_with("| `") && line.contains(&format!("`{command}"));
        assert!(page.lines().any(row), "{command} is not on the page");
        if SILENT.contains(&command.as_str()) {
            continue;
        }
        let schema = crate::command_line::schema::documented();
        assert!(schema["$defs"][command].is_object(), "{command}");
        let help = ran(keyward(&[command, "--help"])).await.out;
        assert!(help.contains("--json"), "{command}: {help}");
        let golden = format!("{root}/tests/socket/command_line/golden/json");
        let golden = std::fs::read_dir(golden).unwrap();
        let mut names = golden.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let of_command = |name: String| {
            let name = name.strip_suffix(".json").unwrap();
            name == command || name.starts_with(&format!("{command}-"))
        };
        assert!(names.any(of_command), "{command} has no golden object");
    }
}
