//! Each exit status, by real commands.

use keyward::{Grant, Grants, MemoryRepo, Right, ServeOptions, Space};
use rustix::process::geteuid;

use crate::command_line::ground::{Ground, NEW};
use crate::command_line::program::{keyward, ran};
use crate::support::faulty::{Fault, FaultyRepo};
use crate::support::{builder, until};

#[tokio::test(flavor = "multi_thread")]
async fn each_exit_status_has_its_meaning() {
    let ground = Ground::new().await;
    let unknown = "018f3a5e-1111-7222-8333-123456789abc";
    for done in [&["status"][..], &["get", "documents"], &["healthcheck"]] {
        assert_eq!(ground.run(done).await.code, 0, "{done:?}");
    }
    for failed in [&["show", unknown][..], &["get", "nothing"]] {
        assert_eq!(ground.run(failed).await.code, 1, "{failed:?}");
    }
    let none = ["check-config", "--config", "/nonexistent/keyward.toml"];
    for wrong in [&["show", "no-id"][..], &["no-such-command"], &none] {
        assert_eq!(ground.run(wrong).await.code, 2, "{wrong:?}");
    }
    let anna = ground.worker("anna", || Err("no")).await;
    let (id, rotated) = ground.rotate().await;
    assert_eq!(rotated.code, 3, "{}", rotated.err);
    assert_eq!(ground.run(&["wait", &id]).await.code, 3);
    drop(anna);
    // Resumed, it waits for a worker that is not there.
    assert_eq!(ground.run(&["resume", &id]).await.code, 0);
    let waited = ground.run(&["wait", &id, "--time-limit", "50ms"]).await;
    assert_eq!(waited.code, 6, "{}", waited.err);
    let mut nowhere = keyward(&["status"]);
    nowhere.env("KEYWARD_SOCKET", ground.folder.path().join("none"));
    assert_eq!(ran(nowhere).await.code, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_grants_do_not_give_ends_with_5() {
    let own = Grant::of([Right::Forward]);
    let own = own.user(&geteuid().as_raw().to_string()).unwrap();
    let grants = Grants::table([own.key("documents").unwrap()]);
    let ground = Ground::with(|path| ServeOptions::at(path).grants(grants)).await;
    let id = "018f3a5e-1111-7222-8333-123456789abc";
    let file = ground.key_file("next.key", NEW);
    let refused: [&[&str]; 14] = [
        &["get", "documents"],
        &["get", "documents", "--back"],
        &["rotate", "documents", "--new-file", file.to_str().unwrap()],
        &["rotate", "documents", "--plan"],
        &["wait", id],
        &["status"],
        &["show", id],
        &["events"],
        &["resume", id],
        &["abort", id, "--yes"],
        &["recover", id],
        &["remove", "worker", "anna"],
        &["restart", "coordinator"],
        &["backup"],
    ];
    for arguments in refused {
        let ran = ground.run(arguments).await;
        assert_eq!(ran.code, 5, "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains("(permission_denied)"), "{}", ran.err);
    }
    let joined = ground
        .run(&["worker", "anna", "--on-change", "documents=true"])
        .await;
    assert_eq!(joined.code, 5, "{}", joined.err);
    // A user who may not operate may ask whether the keeper is well.
    assert_eq!(ground.run(&["healthcheck"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthcheck_says_whether_rotations_can_run_and_whether_a_keeper_answers() {
    let repo = FaultyRepo::on(MemoryRepo::new());
    let manager = builder().state_repo(repo.clone());
    let ground = Ground::of(manager, |socket| ServeOptions::at(socket)).await;
    let well = ground.run(&["healthcheck"]).await;
    assert_eq!((well.code, well.out.as_str()), (0, "serving\n"));
    repo.reopening_fails(u32::MAX);
    repo.next_write(Space::Rotations, Fault::Full);
    let (_, rotated) = ground.rotate().await;
    assert_eq!(rotated.code, 1, "{}", rotated.err);
    until("it is not well", async || {
        ground.run(&["healthcheck"]).await.code == 1
    })
    .await;
    let unwell = ground.run(&["healthcheck"]).await;
    assert!(unwell.out.contains("keyward status"), "{}", unwell.out);
    assert_eq!(
        ground.lines(&["healthcheck"], 1).await[0]["serving"],
        serde_json::json!(false)
    );
    // The status that it names says why, and keys are handed out.
    let status = ground.run(&["status"]).await;
    assert_eq!(status.code, 0);
    assert!(
        status.out.contains("Rotations are paused"),
        "{}",
        status.out
    );
    assert_eq!(ground.run(&["get", "documents"]).await.code, 0);
    let mut nowhere = keyward(&["healthcheck"]);
    nowhere.env("KEYWARD_SOCKET", ground.folder.path().join("none"));
    let none = ran(nowhere).await;
    assert_eq!((none.code, none.out.as_str()), (4, ""));
}
