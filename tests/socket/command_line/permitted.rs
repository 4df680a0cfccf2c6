//! What the grants do not give: the command says so, with an exit status of its own.

use keyward::{Grant, Grants, Right, ServeOptions};
use rustix::process::geteuid;

use crate::command_line::ground::{Ground, OTHER_USER};
use crate::command_line::program::ran;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_permitted_ends_with_5_and_the_same_text_whether_or_not_the_key_exists() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can be another user");
        return;
    }
    let own = Grant::of([Right::Forward, Right::Back, Right::Declare, Right::Operate]);
    let own = own.user("0").unwrap().key("*").unwrap();
    let other = Grant::of([Right::Forward])
        .user(&OTHER_USER.to_string())
        .unwrap();
    let other = other.key("documents").unwrap();
    let grants = Grants::table([own, other]);
    let ground = Ground::with(|path| ServeOptions::at(path).grants(grants)).await;
    let as_other = ground.as_other_user();
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
        let ran = ran(as_other(arguments)).await;
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
