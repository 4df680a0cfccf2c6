//! Bad input: each is answered clearly, and nothing is lost.

use std::fs;

use crate::command_line::ground::{Ground, NEW};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_has_no_key_is_named_and_nothing_is_declared() {
    let ground = Ground::new().await;
    let folder = ground.folder.path();
    let empty = ground.key_file("empty", "\n");
    let long = ground.key_file("long", &"k".repeat(1_048_577));
    for (bad, why) in [
        (folder.join("missing"), "No such file"),
        (folder.to_owned(), "directory"),
        (empty, "empty"),
        (long, "1 MiB"),
    ] {
        let name = bad.to_str().unwrap();
        let ran = ground
            .run(&["rotate", "documents", "--new-file", name])
            .await;
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{name}");
        assert!(
            ran.err.contains(name) && ran.err.contains(why),
            "{}",
            ran.err
        );
        let good = ground.key_file("good", NEW);
        let old = [
            "rotate",
            "documents",
            "--new-file",
            good.to_str().unwrap(),
            "--old-file",
            name,
        ];
        assert_eq!(ground.run(&old).await.code, 1);
    }
    let nothing = ground.run(&["rotate", "documents"]).await;
    assert_eq!(nothing.code, 1);
    assert!(nothing.err.contains("standard input"), "{}", nothing.err);
    assert!(ground.manager.rotations().await.unwrap().is_empty());
    assert!(
        ground
            .manager
            .history(1)
            .await
            .unwrap()
            .rotations
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_another_declaration_is_refused() {
    let ground = Ground::new().await;
    let (id, ran) = ground.rotate().await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let other = ground.key_file("other", "another key");
    let again = [
        "rotate",
        "documents",
        "--id",
        &id,
        "--new-file",
        other.to_str().unwrap(),
    ];
    let refused = ground.run(&again).await;
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("other_declaration") && refused.err.contains(&id),
        "{}",
        refused.err
    );
    let error = &ground.lines(&again, 1).await[1]["error"];
    assert_eq!(
        (&error["code"], &error["retriable"]),
        (&"other_declaration".into(), &false.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_one_mebibyte_in_both_halves_pass() {
    let ground = Ground::new().await;
    let big = |letter: &str| letter.repeat(1_048_576);
    let (forward, back) = (
        ground.key_file("forward", &big("f")),
        ground.key_file("back", &big("b")),
    );
    let old = (
        ground.key_file("old-forward", &big("g")),
        ground.key_file("old-back", &big("c")),
    );
    let path = |file: &std::path::Path| file.to_str().unwrap().to_owned();
    let arguments = [
        "rotate",
        "documents",
        "--exact",
        "--new-file",
        &path(&forward),
        "--new-back-file",
        &path(&back),
        "--old-file",
        &path(&old.0),
        "--old-back-file",
        &path(&old.1),
    ];
    let ran = ground.run(&arguments).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let out = ground.folder.path().join("out");
    ground.switch_store(&big("s"));
    let got = ground
        .run(&["get", "documents", "--out", out.to_str().unwrap()])
        .await;
    assert_eq!(got.code, 0, "{}", got.err);
    assert_eq!(fs::metadata(out).unwrap().len(), 1_048_576);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_keeper_refuses_is_told_with_its_code() {
    let ground = Ground::new().await;
    let unknown = "018f3a5e-1111-7222-8333-123456789abc";
    let refused: [(&[&str], &str); 7] = [
        (&["get", "nothing"], "key_not_defined"),
        (&["show", unknown], "unknown_rotation"),
        (&["wait", unknown], "unknown_rotation"),
        (&["resume", unknown], "unknown_rotation"),
        (&["dismiss", unknown], "unknown_rotation"),
        (&["remove", "worker", "nobody"], "unknown_worker"),
        (&["restart", "coordinator"], "not_failed"),
    ];
    for (arguments, code) in refused {
        let ran = ground.run(arguments).await;
        assert_eq!(ran.code, 1, "{arguments:?}");
        assert!(
            ran.err.ends_with(&format!("({code})\n")),
            "{arguments:?}: {}",
            ran.err
        );
        let lines = ground.lines(arguments, 1).await;
        assert_eq!(lines[0]["error"]["code"], code);
    }
}
