//! What the grants do not give: the command says so, with an exit status of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use keyward::{Grant, Grants, Right, ServeOptions};
use rustix::process::geteuid;

use crate::command_line::ground::Ground;
use crate::command_line::program::ran;

/// A user that is not the one of this process.
const OTHER: u32 = 4_711;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_permitted_ends_with_5_and_the_same_text_whether_or_not_the_key_exists() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can be another user");
        return;
    }
    let own = Grant::of([Right::Forward, Right::Back, Right::Declare, Right::Operate]);
    let own = own.user("0").unwrap().key("*").unwrap();
    let other = Grant::of([Right::Forward])
        .user(&OTHER.to_string())
        .unwrap();
    let other = other.key("documents").unwrap();
    let grants = Grants::table([own, other]);
    let ground = Ground::with(|path| ServeOptions::at(path).grants(grants)).await;
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(ground.folder.path(), open).unwrap();
    // The binary itself may lie where the other user cannot reach it.
    let binary = ground.folder.path().join("keyward");
    fs::copy(env!("CARGO_BIN_EXE_keyward"), &binary).unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    let refused: [&[&str]; 6] = [
        &["get", "documents"],
        &["get", "no-such-key"],
        &["status"],
        &["resume", "018f3a5e-1111-7222-8333-123456789abc"],
        &["backup"],
        &["remove", "worker", "anna"],
    ];
    let mut said = Vec::new();
    for arguments in refused {
        let mut as_other = Command::new(&binary);
        as_other
            .args(arguments)
            .uid(OTHER)
            .gid(OTHER)
            .stdin(Stdio::null());
        as_other.env("KEYWARD_SOCKET", ground.folder.path().join("s"));
        let ran = ran(as_other).await;
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (5, ""),
            "{arguments:?}: {}",
            ran.err
        );
        assert!(ran.err.contains("(permission_denied)"), "{}", ran.err);
        said.push(ran.err.replace("no-such-key", "documents"));
    }
    assert_eq!(said[0], said[1]);
    assert_eq!(ground.run(&["get", "documents"]).await.code, 0);
}
