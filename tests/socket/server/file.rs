//! The socket's file while it is served.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use keyward::ServeOptions;

use crate::ground::Ground;
use crate::support::{in_memory, until, within};

#[tokio::test]
async fn a_second_keeper_on_the_same_socket_is_told_the_process() {
    let ground = Ground::new().await;
    let other = in_memory().await;
    let error = other
        .serve(ServeOptions::at(ground.path()))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "socket_in_use");
    let process = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&process), "{error}");
    ground.client().await.get("documents").await.unwrap();
}

#[tokio::test]
async fn a_socket_that_was_left_by_a_killed_keeper_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let keys = in_memory().await;
    let serving = keys.serve(ServeOptions::at(&path)).await.unwrap();
    std::os::unix::net::UnixStream::connect(&path).unwrap();
    serving.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn each_path_that_cannot_be_is_refused_clearly() {
    let folder = tempfile::tempdir().unwrap();
    let keys = in_memory().await;
    fs::write(folder.path().join("file"), "").unwrap();
    for (path, code) in [
        (folder.path().to_owned(), "socket_path_is_folder"),
        (folder.path().join("file"), "socket_path_taken"),
        (folder.path().join("none/s"), "socket_folder_missing"),
        (folder.path().join("s".repeat(108)), "socket_path_too_long"),
        ("/proc/s".into(), "socket_folder_missing"),
    ] {
        let error = keys.serve(ServeOptions::at(&path)).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(&*path.to_string_lossy()));
    }
}

#[tokio::test]
async fn a_folder_that_is_not_permitted_is_told_with_the_user() {
    if !crate::ground::is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = folder.path().join("s");
    let keys = in_memory().await;
    let refused = std::thread::spawn(move || {
        let user = rustix::process::Uid::from_raw(crate::ground::OTHER);
        rustix::thread::set_thread_res_uid(user, user, user).unwrap();
        keyward::block_on(keys.serve(ServeOptions::at(path))).unwrap_err()
    });
    let error = refused.join().unwrap();
    assert_eq!(error.code(), "socket_not_permitted");
    assert!(error.to_string().contains("user 4711"), "{error}");
}

#[tokio::test]
async fn the_sockets_file_is_made_again_where_it_was_removed_while_it_is_served() {
    let ground = Ground::new().await;
    let mut before = ground.client().await;
    fs::remove_file(ground.path()).unwrap();
    until("the file is there again", async || ground.path().exists()).await;
    ground.client().await.get("documents").await.unwrap();
    before.get("documents").await.unwrap();
}

#[tokio::test]
async fn another_file_in_the_sockets_place_is_not_removed_at_the_end() {
    let ground = Ground::new().await;
    fs::remove_file(ground.path()).unwrap();
    fs::write(ground.path(), "another").unwrap();
    within(ground.serving.stop()).await;
    assert_eq!(fs::read(ground.path()).unwrap(), b"another");
}
