//! Where a client looks for the keeper, and whose listener it trusts.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use keyward::Client;
use rustix::process::{Gid, Uid};

use crate::ground::{Ground, OTHER, is_root};
use crate::support::alone::alone_async;

/// The code and text of what is answered at this place.
async fn refused(socket: impl Into<PathBuf>) -> (&'static str, String) {
    let error = Client::at(socket)
        .await
        .expect_err("nothing to trust is there");
    (error.code(), error.to_string())
}

#[tokio::test]
async fn a_place_where_no_keeper_listens_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.sock");
    let file = folder.path().join("file");
    fs::write(&file, "no socket").unwrap();
    let stale = folder.path().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    for (place, wanted) in [
        (missing.as_path(), "keeper_unavailable"),
        (stale.as_path(), "keeper_unavailable"),
        (file.as_path(), "invalid_socket"),
        (folder.path(), "invalid_socket"),
    ] {
        let (code, text) = refused(place).await;
        assert_eq!(code, wanted, "{text}");
        assert!(text.contains(place.to_str().unwrap()), "{text}");
    }
    let (code, text) = refused("n".repeat(200)).await;
    assert_eq!(code, "invalid_socket", "{text}");
}

#[test]
fn the_variable_says_where_the_keeper_is() {
    alone_async(the_variable_says_where_the_keeper_is, async {
        let ground = Ground::new().await;
        let path = ground.path().to_str().unwrap().to_owned();
        for place in [
            path.clone(),
            format!("unix:{path}"),
            format!("unix://{path}"),
        ] {
            set("KEYWARD_SOCKET", &place);
            let client = Client::connect().await.unwrap();
            client.get_key("documents").await.unwrap();
        }
        for (place, wanted) in [
            ("", "invalid_socket"),
            ("unix://host/a.sock", "invalid_socket"),
            ("/nowhere/keyward.sock", "keeper_unavailable"),
        ] {
            set("KEYWARD_SOCKET", place);
            let error = Client::connect().await.unwrap_err();
            assert_eq!(error.code(), wanted, "{error}");
        }
        // What the program says goes before the variable.
        Client::at(ground.path()).await.unwrap();
    });
}

#[expect(unsafe_code, reason = "the test is alone in its process")]
fn set(variable: &str, value: &str) {
    // SAFETY: no other thread reads the environment now.
    unsafe { std::env::set_var(variable, value) }
}

/// Listens at a path as another user: the kernel keeps who called `listen`.
fn listen_as(user: u32, path: &Path) -> UnixListener {
    let path = path.to_owned();
    let listening = std::thread::spawn(move || {
        let (user, group) = (Uid::from_raw(user), Gid::from_raw(user));
        rustix::thread::set_thread_res_gid(group, group, group).unwrap();
        rustix::thread::set_thread_res_uid(user, user, user).unwrap();
        UnixListener::bind(path).unwrap()
    });
    listening.join().unwrap()
}

fn folder(below: &Path, name: &str, mode: u32, owner: u32) -> PathBuf {
    let folder = below.join(name);
    fs::create_dir(&folder).unwrap();
    chown(&folder, Some(owner), Some(owner)).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    folder
}

#[tokio::test]
async fn a_listener_is_trusted_by_its_user_or_by_the_folder_that_only_its_user_can_have_filled() {
    if !is_root() {
        return;
    }
    // Everything above is root's alone; the system's folder for temporary files is everybody's.
    let below_root = tempfile::tempdir_in("/var/lib").unwrap();
    fs::set_permissions(below_root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let own = folder(below_root.path(), "own", 0o755, OTHER);
    let listener = listen_as(OTHER, &own.join("s"));
    Client::at(own.join("s"))
        .await
        .expect("its folder's owner listens");

    let open = folder(below_root.path(), "open", 0o777, 0);
    let in_open = listen_as(OTHER, &open.join("s"));
    let (code, text) = refused(open.join("s")).await;
    assert_eq!(code, "untrusted_keeper");
    assert!(text.contains(&OTHER.to_string()), "{text}");
    let named = Client::builder().socket(open.join("s")).trust_user(OTHER);
    named.connect().await.expect("the program names its user");

    // The folder is its owner's, but everybody may write to the one above: another user may replace the folder.
    let deep = folder(&open, "deep", 0o755, OTHER);
    let in_deep = listen_as(OTHER, &deep.join("s"));
    assert_eq!(refused(deep.join("s")).await.0, "untrusted_keeper");
    // A link that everybody could have made leads to a good folder.
    std::os::unix::fs::symlink(&own, open.join("link")).unwrap();
    assert_eq!(refused(open.join("link/s")).await.0, "untrusted_keeper");
    // One that only root can have made.
    std::os::unix::fs::symlink(&own, below_root.path().join("link")).unwrap();
    Client::at(below_root.path().join("link/s"))
        .await
        .expect("root's link");
    drop((listener, in_open, in_deep));
}

#[tokio::test]
async fn a_user_that_may_not_open_the_socket_is_told_so() {
    if !is_root() {
        return;
    }
    let ground = Ground::new().await;
    let path = ground.path();
    let answered = std::thread::spawn(move || {
        let user = Uid::from_raw(OTHER);
        rustix::thread::set_thread_res_uid(user, user, user).unwrap();
        std::os::unix::net::UnixStream::connect(path)
    });
    assert!(
        answered.join().unwrap().is_err(),
        "the socket is its user's only"
    );
}
