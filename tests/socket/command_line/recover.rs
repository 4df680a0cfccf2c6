//! `keyward recover`: a key that only a rotation still has.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use keyward::{Grant, Grants, Right, ServeOptions};
use rustix::process::geteuid;

use crate::command_line::ground::{Ground, NEW, OLD};
use crate::command_line::terminal::Terminal;

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_a_rotation_go_where_a_value_goes_and_the_rotation_goes_on() {
    let ground = Ground::new().await;
    let anna = ground.worker("anna", || Err("no")).await;
    let (id, _) = ground.rotate().await;
    // The store has lost the old key; the rotation has it.
    ground.switch_store("something else");
    let old = ground.run(&["recover", &id]).await;
    assert_eq!((old.code, old.out.as_str(), old.err.as_str()), (0, OLD, ""));
    let new = ground.run(&["recover", &id, "--keys", "new"]).await;
    assert_eq!((new.code, new.out.as_str()), (0, NEW));
    let out = ground.folder.path().join("old.key");
    let to_file = ["recover", &id, "--out", out.to_str().unwrap()];
    assert_eq!(ground.run(&to_file).await.code, 0);
    assert_eq!(fs::read_to_string(&out).unwrap(), OLD);
    let mode = fs::metadata(&out).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(ground.run(&to_file).await.code, 1, "never overwritten");
    let (ended, screen, _) = Terminal::start(ground.command(&["recover", &id])).end();
    assert_eq!(ended.code(), Some(2), "{screen}");
    assert!(!screen.contains("canary"), "{screen}");
    let shown = ground.command(&["recover", &id, "--show"]);
    let (ended, screen, _) = Terminal::start(shown).end();
    assert_eq!((ended.code(), screen.trim()), (Some(0), OLD));
    drop(anna);
    let _anna = ground.worker("anna", || Ok(())).await;
    assert_eq!(ground.run(&["resume", &id]).await.code, 0);
    assert_eq!(ground.run(&["wait", &id]).await.code, 0);
    // Its keys have left the journal with its end.
    let gone = ground.run(&["recover", &id]).await;
    assert_eq!((gone.code, gone.out.as_str()), (1, ""));
    assert!(gone.err.contains("(wrong_state)"), "{}", gone.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_is_recovered_by_its_halves() {
    let ground = Ground::new().await;
    let _anna = ground.worker("anna", || Err("no")).await;
    let file = |name, key| ground.key_file(name, key).to_str().unwrap().to_owned();
    let (forward, back) = (file("forward", "forward half"), file("back", "back half"));
    let new = ["--new-file", &forward, "--new-back-file", &back];
    let rotate = [&["rotate", "documents"][..], &new].concat();
    let rotated = ground.run(&rotate).await;
    let id = rotated.out.lines().next().unwrap();
    for (half, value) in [("forward", "forward half"), ("back", "back half")] {
        let recover = ["recover", id, "--keys", "new", "--half", half];
        assert_eq!(ground.run(&recover).await.out, value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_grant_recover_gives_the_keys_of_a_rotation() {
    let all_but_recover = [
        Right::Forward,
        Right::Back,
        Right::Work,
        Right::Declare,
        Right::Operate,
    ];
    let own = |rights: &[Right]| {
        let grant = Grant::of(rights.to_vec());
        let grant = grant.user(&geteuid().as_raw().to_string()).unwrap();
        grant.key("*").unwrap().worker("*").unwrap()
    };
    let grants = Grants::table([own(&all_but_recover)]);
    let ground = Ground::with(|path| ServeOptions::at(path).grants(grants)).await;
    let _anna = ground.worker("anna", || Err("no")).await;
    let (id, rotated) = ground.rotate().await;
    assert_eq!(rotated.code, 3, "{}", rotated.err);
    let refused = ground.run(&["recover", &id]).await;
    assert_eq!((refused.code, refused.out.as_str()), (5, ""));
    ground
        .serving()
        .set_grants(Grants::table([own(&[Right::Recover])]))
        .unwrap();
    let given = ground.run(&["recover", &id]).await;
    assert_eq!((given.code, given.out.as_str()), (0, OLD), "{}", given.err);
}
