//! `keyward rotate` and `keyward wait`.

use std::io::Write;
use std::process::Stdio;

use crate::command_line::ground::{Ground, NEW};
use crate::command_line::program::Ran;

#[tokio::test(flavor = "multi_thread")]
async fn the_id_is_printed_first_and_repeats_the_change_safely() {
    let ground = Ground::new().await;
    let _anna = ground.worker("anna", || Ok(())).await;
    let (id, ran) = ground.rotate().await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert_eq!(ran.out.lines().next(), Some(id.as_str()));
    assert!(id.parse::<keyward::Uuid>().is_ok(), "{id}");
    assert!(
        ran.out.contains("completed, 1 of 1 steps succeeded"),
        "{}",
        ran.out
    );
    let file = ground.folder.path().join("next.key");
    let again = [
        "rotate",
        "documents",
        "--new-file",
        file.to_str().unwrap(),
        "--id",
        &id,
    ];
    let ran = ground.run(&again).await;
    assert_eq!(
        (ran.code, ran.out.lines().next()),
        (0, Some(id.as_str())),
        "{}",
        ran.err
    );
    // Also when the store has switched, as it does last.
    ground.switch_store(NEW);
    let ran = ground.run(&again).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ground.manager.history(10).await.unwrap().rotations.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_key_may_come_on_standard_input() {
    let ground = Ground::new().await;
    let mut command = ground.command(&["rotate", "documents"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut rotate = command.spawn().unwrap();
    writeln!(rotate.stdin.take().unwrap(), "{NEW}").unwrap();
    let ran = tokio::task::spawn_blocking(|| Ran::of(rotate.wait_with_output().unwrap()))
        .await
        .unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    // The final line end is no part of it, as with the store.
    ground.switch_store(&format!("{NEW}\n"));
    assert_eq!(ground.run(&["get", "documents"]).await.code, 0);
    let status = ground.object(&["status"]).await;
    assert_eq!(status["status"]["keys"][0]["facts"]["store_answers"], "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_old_file_the_old_keys_are_what_the_store_answers() {
    let ground = Ground::new().await;
    ground.switch_store(NEW);
    let same = ground.rotate().await.1;
    assert_eq!(same.code, 1);
    assert!(same.err.contains("(same_keys)"), "{}", same.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_callback_ends_with_3_and_says_what_to_do() {
    let ground = Ground::new().await;
    let _anna = ground.worker("anna", || Err("the disk is full")).await;
    let (id, ran) = ground.rotate().await;
    assert_eq!(ran.code, 3, "{}", ran.err);
    for said in [
        "stopped",
        "the disk is full",
        &format!("keyward resume {id}"),
        "worker anna may hold data",
    ] {
        assert!(ran.out.contains(said), "{said:?} is not in {}", ran.out);
    }
    assert_eq!(ground.run(&["wait", &id]).await.code, 3);
    let lines = ground.lines(&["wait", &id], 3).await;
    assert_eq!(lines[0]["report"]["state"], "stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_and_no_wait_leave_the_rotation_going_on() {
    let ground = Ground::new().await;
    // A member that is not there keeps the rotation waiting.
    drop(ground.worker("anna", || Ok(())).await);
    let file = ground.key_file("next.key", NEW);
    let rotate = ["rotate", "documents", "--new-file", file.to_str().unwrap()];
    let limited = ground
        .run(&[&rotate[..], &["--time-limit", "100ms"]].concat())
        .await;
    assert_eq!(limited.code, 6, "{}", limited.err);
    let id = limited.out.lines().next().unwrap().to_owned();
    for said in [
        "goes on",
        &format!("keyward show {id}"),
        &format!("keyward wait {id}"),
    ] {
        assert!(
            limited.out.contains(said),
            "{said:?} is not in {}",
            limited.out
        );
    }
    assert_eq!(
        ground
            .run(&["wait", &id, "--time-limit", "100ms"])
            .await
            .code,
        6
    );
    let lines = ground.lines(&["wait", &id, "--time-limit", "1ms"], 6).await;
    assert_eq!(lines[0]["goes_on"]["because"], "time_limit");
    let other = ground.key_file("other.key", "another");
    let unwaited = [
        "rotate",
        "documents",
        "--new-file",
        other.to_str().unwrap(),
        "--no-wait",
    ];
    let lines = ground.lines(&unwaited, 0).await;
    assert_eq!(lines[0]["id"], lines[1]["goes_on"]["id"]);
    assert_eq!(ground.manager.rotations().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_who_would_do_what_and_who_is_missing_and_changes_nothing() {
    let ground = Ground::new().await;
    let _anna = ground.worker("anna", || Ok(())).await;
    drop(ground.worker("ben", || Ok(())).await);
    let plan = ground.run(&["rotate", "documents", "--plan"]).await;
    assert_eq!(plan.code, 0, "{}", plan.err);
    for said in [
        "anna",
        "reencrypt",
        "Worker ben is missing",
        "keyward remove callback ben documents reencrypt",
    ] {
        assert!(plan.out.contains(said), "{said:?} is not in {}", plan.out);
    }
    let object = ground.object(&["rotate", "documents", "--plan"]).await;
    let steps = object["plan"]["steps"].as_array().unwrap();
    let workers: Vec<_> = steps
        .iter()
        .map(|step| (&step["worker"], &step["instances"]))
        .collect();
    assert_eq!(
        workers,
        [(&"anna".into(), &1.into()), (&"ben".into(), &0.into())]
    );
    assert!(ground.manager.rotations().await.unwrap().is_empty());
}
