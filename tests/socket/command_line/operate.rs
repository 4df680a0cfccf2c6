//! The operator's commands: what stopped goes on or ends, and what is gone is removed.

use crate::command_line::ground::{Ground, NEW};
use crate::command_line::terminal::Terminal;

/// A rotation that anna's callback has stopped, before ben's was called.
async fn stopped(ground: &Ground) -> (String, [keyward::Worker; 2]) {
    let anna = ground.worker("anna", || Err("the disk is full")).await;
    let ben = ground.worker("ben", || Ok(())).await;
    let (id, ran) = ground.rotate().await;
    assert_eq!(ran.code, 3, "{}", ran.err);
    (id, [anna, ben])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_line_of_status_says_whether_a_person_is_needed_and_its_commands_work() {
    let ground = Ground::new().await;
    let status = ground.run(&["status"]).await;
    assert_eq!(
        (status.code, status.out.lines().next()),
        (0, Some("No person is needed."))
    );
    let (id, [anna, _ben]) = stopped(&ground).await;
    let status = ground.run(&["status"]).await;
    assert_eq!(
        status.out.lines().next(),
        Some("A person is needed, for 1 thing:")
    );
    assert!(status.out.contains("the disk is full"), "{}", status.out);
    let object = ground.object(&["status"]).await;
    assert_eq!(object["person_needed"], true);
    let remedies = object["needs"][0]["remedies"].as_array().unwrap();
    let commands: Vec<&str> = remedies
        .iter()
        .map(|r| r["command"].as_str().unwrap())
        .collect();
    assert_eq!(
        commands,
        [
            format!("keyward resume {id}"),
            format!("keyward abort {id}")
        ]
    );

    // The cause is mended, and the command is what the status said.
    drop(anna);
    let _anna = ground.worker("anna", || Ok(())).await;
    let words: Vec<&str> = commands[0].split(' ').skip(1).collect();
    let resumed = ground.run(&words).await;
    assert_eq!(resumed.code, 0, "{}", resumed.err);
    let ended = ground.run(&["wait", &id]).await;
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    // The store has not switched yet, which is all that is left to do.
    ground.run(&["get", "documents"]).await;
    let status = ground.run(&["status"]).await.out;
    assert!(status.contains("still answers the old keys"), "{status}");
    ground.switch_store(NEW);
    ground.run(&["get", "documents"]).await;
    let status = ground.run(&["status"]).await.out;
    assert_eq!(
        status.lines().next(),
        Some("No person is needed."),
        "{status}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_needs_the_workers_to_be_confirmed() {
    let ground = Ground::new().await;
    let (id, _workers) = stopped(&ground).await;
    let unasked = ground.run(&["abort", &id]).await;
    assert_eq!(unasked.code, 2);
    assert!(
        unasked
            .err
            .contains(&format!("keyward abort {id} --yes anna ben")),
        "{}",
        unasked.err
    );
    let half = ground.run(&["abort", &id, "--yes", "anna"]).await;
    assert_eq!(half.code, 1);
    assert!(
        half.err.contains("(not_confirmed)") && half.err.contains("ben"),
        "{}",
        half.err
    );
    let aborted = ground
        .run(&["abort", &id, "--yes", "anna", "ben", "--reason", "a drill"])
        .await;
    assert_eq!(aborted.code, 0, "{}", aborted.err);
    assert_eq!(ground.run(&["wait", &id]).await.code, 1);
    assert_eq!(
        ground.object(&["show", &id]).await["report"]["state"],
        "aborted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_an_abort_asks_and_only_yes_confirms() {
    let ground = Ground::new().await;
    let (id, _workers) = stopped(&ground).await;
    for (answer, code) in [("no\r", 1), ("\r", 1), ("yes\r", 0)] {
        let mut terminal = Terminal::start(ground.command(&["abort", &id]));
        let asked = terminal.wait_for("Type yes");
        assert!(asked.contains("anna, ben"), "{asked}");
        terminal.type_keys(answer);
        let (ended, screen, _) = terminal.end();
        assert_eq!(ended.code(), Some(code), "{screen}");
    }
    assert!(ground.manager.rotations().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_and_a_callback_are_removed() {
    let ground = Ground::new().await;
    drop(ground.worker("anna", || Ok(())).await);
    drop(ground.worker("-ben $(id)", || Ok(())).await);
    let status = ground.object(&["status"]).await;
    let notes = status["notes"].as_array().unwrap();
    let command = |no: usize| {
        notes[no]["remedies"][0]["command"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        command(0),
        "keyward remove callback anna documents reencrypt"
    );
    // The command that the status names is pasted into a shell.
    let keyward = env!("CARGO_BIN_EXE_keyward");
    let shell = command(1).replacen("keyward", keyward, 1);
    let mut bash = std::process::Command::new("bash");
    bash.args(["-c", &shell])
        .env("KEYWARD_SOCKET", ground.folder.path().join("s"));
    let ran = crate::command_line::program::ran(bash).await;
    assert_eq!(ran.code, 0, "{shell}: {}", ran.err);
    ground
        .object(&["remove", "callback", "anna", "documents", "reencrypt"])
        .await;
    assert_eq!(ground.run(&["remove", "worker", "anna"]).await.code, 0);
    let workers = ground.object(&["workers"]).await;
    let names = workers["workers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w["worker"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["main", "-ben $(id)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_and_its_place_is_told() {
    let ground = Ground::new().await;
    let folder = ground.object(&["backup"]).await["backup"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        std::path::Path::new(&folder).join("CURRENT").exists(),
        "{folder}"
    );
    assert!(ground.run(&["backup"]).await.out.contains("The backup is "));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_paged() {
    let ground = Ground::new().await;
    for no in 0..3 {
        let file = ground.key_file("next.key", &format!("key {no}"));
        let ran = ground
            .run(&["rotate", "documents", "--new-file", file.to_str().unwrap()])
            .await;
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    let page = ground.object(&["history", "--limit", "2"]).await;
    assert_eq!(page["rotations"].as_array().unwrap().len(), 2);
    let next = page["next"].to_string();
    let last = ground
        .object(&["history", "--limit", "2", "--before", &next])
        .await;
    assert_eq!(last["rotations"].as_array().unwrap().len(), 1);
    let text = ground.run(&["history", "--limit", "2"]).await.out;
    assert!(
        text.contains(&format!("keyward history --before {next}")),
        "{text}"
    );
    assert!(
        ground.object(&["rotations"]).await["rotations"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_did_what_and_why_stands_in_show_and_history() {
    let ground = Ground::new().await;
    let _anna = ground.worker("anna", || Err("the disk is full")).await;
    let file = ground.key_file("next.key", NEW);
    let rotate = ["rotate", "documents", "--new-file", file.to_str().unwrap()];
    let too_long = "x".repeat(1_025);
    for bad in [too_long.as_str(), "a\nb"] {
        let refused = ground
            .run(&[&rotate[..], &["--reason", bad]].concat())
            .await;
        assert_eq!(refused.code, 2, "{}", refused.err);
    }
    let ran = ground
        .run(&[&rotate[..], &["--reason", "it is due"]].concat())
        .await;
    assert_eq!(ran.code, 3, "{}", ran.err);
    let id = ran.out.lines().next().unwrap().to_owned();
    let resumed = ["resume", &id, "--reason", "the disk has been replaced"];
    assert_eq!(ground.run(&resumed).await.code, 0);
    assert_eq!(ground.run(&["wait", &id]).await.code, 3);
    let user = rustix::process::geteuid().as_raw();
    let object = ground.object(&["show", &id]).await;
    let acts = object["report"]["acts"].as_array().unwrap();
    let told: Vec<_> = acts
        .iter()
        .map(|act| (&act["deed"], &act["by"]["reason"]))
        .collect();
    let declared = (&"declared".into(), &"it is due".into());
    let resumed = (&"resumed".into(), &"the disk has been replaced".into());
    assert_eq!(told, [declared, resumed]);
    let process = acts[0]["by"]["process"].as_u64().unwrap();
    assert_ne!(
        process,
        u64::from(std::process::id()),
        "it is the command's"
    );
    let shown = ground.run(&["show", &id]).await.out;
    let line = format!("declared by user {user}, process {process}: it is due");
    assert!(shown.lines().any(|shown| shown.ends_with(&line)), "{shown}");
    let listed = ground.run(&["rotations"]).await.out;
    assert!(
        listed.contains(&format!("resumed, user {user}")),
        "{listed}"
    );

    let abort = ["abort", &id, "--yes", "anna", "--reason", "a drill"];
    assert_eq!(ground.run(&abort).await.code, 0);
    let remove = [
        "remove",
        "callback",
        "anna",
        "documents",
        "reencrypt",
        "--reason",
        "gone",
    ];
    assert_eq!(ground.run(&remove).await.code, 0);
    let history = ground.run(&["history"]).await.out;
    let line =
        format!("callback reencrypt of worker anna for key documents removed by user {user}");
    assert!(
        history.contains(&line) && history.trim_end().ends_with(": gone"),
        "{history}"
    );
    let object = ground.object(&["history"]).await;
    assert_eq!(object["rotations"][0]["acts"][2]["by"]["reason"], "a drill");
    assert_eq!(object["acts"][0]["about"]["callback"]["worker"], "anna");
}
