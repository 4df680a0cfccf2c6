//! `keyward get`: a look that changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::command_line::ground::{Ground, NEW, OLD};
use crate::command_line::terminal::Terminal;

#[tokio::test(flavor = "multi_thread")]
async fn a_value_goes_raw_to_a_pipe_and_nothing_changes() {
    let ground = Ground::new().await;
    let before = ground.manager.status().await.unwrap().keys[0].facts;
    for _ in 0..3 {
        let got = ground.run(&["get", "documents"]).await;
        assert_eq!((got.code, got.out.as_str(), got.err.as_str()), (0, OLD, ""));
    }
    let after = ground.manager.status().await.unwrap().keys[0].facts;
    assert_eq!(
        (after.last_flow, after.holds),
        (before.last_flow, before.holds)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_back_it_answers_the_candidates_the_likeliest_first() {
    let ground = Ground::new().await;
    let _anna = ground.worker("anna", || Err("no")).await;
    assert_eq!(ground.run(&["get", "documents", "--back"]).await.out, OLD);
    let (_, rotated) = ground.rotate().await;
    assert_eq!(rotated.code, 3, "{}", rotated.err);
    let got = ground.run(&["get", "documents", "--back"]).await.out;
    let mut candidates: Vec<&str> = got.lines().collect();
    candidates.sort_unstable();
    assert_eq!(candidates, [NEW, OLD]);
    let second = ground
        .run(&["get", "documents", "--back", "--nth", "2"])
        .await
        .out;
    assert_eq!(got.lines().nth(1), Some(second.as_str()));
    assert_eq!(
        ground
            .run(&["get", "documents", "--back", "--nth", "3"])
            .await
            .code,
        2
    );
    let values = ground.object(&["get", "documents", "--back"]).await;
    assert_eq!(values["values"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_made_for_its_user_only_and_none_is_overwritten() {
    let ground = Ground::new().await;
    let out = ground.folder.path().join("out");
    let name = out.to_str().unwrap();
    let got = ground.run(&["get", "documents", "--out", name]).await;
    assert_eq!((got.code, got.out.as_str()), (0, ""), "{}", got.err);
    assert_eq!(fs::read_to_string(&out).unwrap(), OLD);
    assert_eq!(
        fs::metadata(&out).unwrap().permissions().mode() & 0o777,
        0o600
    );
    fs::write(&out, "mine").unwrap();
    let link = ground.folder.path().join("link");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    for taken in [
        name,
        link.to_str().unwrap(),
        ground.folder.path().to_str().unwrap(),
    ] {
        let refused = ground.run(&["get", "documents", "--out", taken]).await;
        assert_eq!((refused.code, refused.out.as_str()), (1, ""));
        assert!(
            refused.err.contains(taken) && refused.err.contains("never overwritten"),
            "{}",
            refused.err
        );
    }
    assert_eq!(fs::read_to_string(&out).unwrap(), "mine");
    assert!(!ground.folder.path().join("nowhere").exists());
    let nowhere = ground
        .run(&["get", "documents", "--out", "/nonexistent/out"])
        .await;
    assert_eq!(nowhere.code, 1);
    assert!(nowhere.err.contains("/nonexistent"), "{}", nowhere.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_gets_a_value_only_with_show() {
    let ground = Ground::new().await;
    let (ended, screen, _) = Terminal::start(ground.command(&["get", "documents"])).end();
    assert_eq!(ended.code(), Some(2), "{screen}");
    assert!(
        !screen.contains(OLD) && screen.contains("--show"),
        "{screen}"
    );
    let (ended, screen, _) = Terminal::start(ground.command(&["get", "documents", "--show"])).end();
    assert_eq!((ended.code(), screen.trim()), (Some(0), OLD));
    ground.switch_store("line\u{1b}[31m\u{7}");
    let (ended, screen, _) = Terminal::start(ground.command(&["get", "documents", "--show"])).end();
    assert_eq!(ended.code(), Some(0));
    assert!(
        screen.contains("base64") && screen.contains("bGluZRtbMzFtBw=="),
        "{screen}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn json_has_the_values_in_base64() {
    let ground = Ground::new().await;
    let got = ground.object(&["get", "documents"]).await;
    let encoded = data_encoding::BASE64.encode(OLD.as_bytes());
    assert_eq!(got["values"][0]["base64"], encoded);
    let out = ground.folder.path().join("out");
    let got = ground
        .object(&["get", "documents", "--out", out.to_str().unwrap()])
        .await;
    assert_eq!(got["count"], 1);
}
