//! What systemd is told and passes, and the units in the repository.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use keyward::Client;
use rustix::process::Signal;

use super::process::{Folder, Keeper, START, said};
use crate::support::within;

fn told(socket: &UnixDatagram) -> Vec<String> {
    let mut room = [0; 4096];
    let length = socket.recv(&mut room).expect("it is told in time");
    let text = String::from_utf8(room[..length].to_vec()).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn systemd_is_told_of_the_start_a_reload_and_the_end_with_a_line_of_status() {
    let folder = Folder::new("");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut serve = folder.keyward(&["serve"]);
    serve.env("NOTIFY_SOCKET", &path);
    let keeper = Keeper::start(serve);
    let status =
        |keys: usize| format!("STATUS=keys: {keys}, socket: {}", folder.socket().display());
    assert_eq!(told(&socket), ["READY=1".to_owned(), status(1)]);
    assert_eq!(
        said(&folder.run(&["get", "documents"])).0,
        Some(0),
        "ready is ready"
    );
    folder.configure("[keys.more]\nstore.file = \"documents.key\"");
    keeper.signal(Signal::HUP);
    let reloading = told(&socket);
    assert_eq!(reloading[0], "RELOADING=1");
    let moment = reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap();
    assert!(moment.parse::<u64>().unwrap() > 0);
    assert_eq!(told(&socket), ["READY=1".to_owned(), status(2)]);
    // A reload that is refused is over, too.
    folder.write("no configuration");
    assert_eq!(said(&folder.run(&["reload"])).0, Some(2));
    assert_eq!(told(&socket)[0], "RELOADING=1");
    assert_eq!(told(&socket), ["READY=1".to_owned(), status(2)]);
    keeper.signal(Signal::TERM);
    let stopping = told(&socket);
    assert_eq!(stopping[0], "STOPPING=1");
    assert!(stopping[1].starts_with("STATUS=stopping"));
    assert_eq!(keeper.ends().0.code(), Some(0));
}

#[test]
fn where_systemd_does_not_listen_the_keeper_goes_on() {
    let folder = Folder::new("");
    let mut serve = folder.keyward(&["serve"]);
    serve.env("NOTIFY_SOCKET", folder.path().join("nowhere"));
    let keeper = Keeper::start(serve);
    keeper.says("systemd was not told");
    assert_eq!(said(&folder.run(&["get", "documents"])).0, Some(0));
    keeper.stop();
}

/// A keeper that is passed this descriptor as systemd would.
fn passed(folder: &Folder, descriptor: OwnedFd, count: usize) -> Keeper {
    let script = "LISTEN_PID=$$ exec \"$0\" serve";
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, env!("CARGO_BIN_EXE_keyward")])
        .current_dir(folder.path())
        .env_remove("NOTIFY_SOCKET")
        .env("LISTEN_FDS", count.to_string());
    let number = descriptor.as_raw_fd();
    // SAFETY: dup2 may be called between fork and exec.
    unsafe {
        shell.pre_exec(move || match libc::dup2(number, 3) {
            3 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    let keeper = Keeper::start(shell);
    drop(descriptor);
    keeper
}

#[tokio::test]
async fn a_socket_that_systemd_passes_is_used_and_left_there() {
    let folder = Folder::new("");
    let path = folder.path().join("passed");
    let listener = UnixListener::bind(&path).unwrap();
    let keeper = passed(&folder, listener.try_clone().unwrap().into(), 1);
    keeper.says("ready");
    let client = within(Client::at(&path)).await.unwrap();
    assert_eq!(
        within(client.get_key("documents")).await.unwrap().expose(),
        b"value_1"
    );
    assert!(!folder.socket().exists());
    drop(client);
    tokio::task::spawn_blocking(move || keeper.stop())
        .await
        .unwrap();
    assert!(path.exists(), "it is systemd's");
    // The next one takes over those that wait.
    let keeper = passed(&folder, listener.into(), 1);
    let client = within(Client::at(&path)).await.unwrap();
    within(client.get_key("documents")).await.unwrap();
    drop(keeper);
}

#[test]
fn what_is_passed_and_is_no_listening_socket_is_refused() {
    let folder = Folder::new("");
    let file = fs::File::open(folder.path().join("keyward.toml")).unwrap();
    let (status, told) = passed(&folder, file.into(), 1).ends();
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("(socket_passed_unusable)"), "{told}");
    let listener = UnixListener::bind(folder.path().join("passed")).unwrap();
    let (status, told) = passed(&folder, listener.into(), 2).ends();
    assert_eq!(status.code(), Some(1), "{told}");
}

#[test]
fn the_master_key_may_be_a_credential_of_systemd() {
    let folder = Folder::new("");
    folder.write(&format!(
        "{}[keys.documents]\nstore.file = \"documents.key\"\n",
        START.replace("master_key.file", "master_key.credential")
    ));
    let (code, _, errors) = said(&folder.run(&["serve"]));
    assert_eq!(code, Some(2));
    for part in ["CREDENTIALS_DIRECTORY", "LoadCredential=master.key"] {
        assert!(errors.contains(part), "{errors}");
    }
    let credentials = folder.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::rename(
        folder.path().join("master.key"),
        credentials.join("master.key"),
    )
    .unwrap();
    let serve = |credentials: &Path| {
        let mut serve = folder.keyward(&["serve"]);
        serve.env("CREDENTIALS_DIRECTORY", credentials);
        serve
    };
    let keeper = Keeper::start(serve(&credentials));
    keeper.says("ready");
    keeper.stop();
    // One that looks as systemd's do is taken below its folder only.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o440);
    fs::set_permissions(credentials.join("master.key"), mode).unwrap();
    let (code, _, errors) = said(&serve(&credentials).output().unwrap());
    assert_eq!(code, Some(1));
    assert!(errors.contains("440"), "{errors}");
}

fn unit(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("systemd")
        .join(name)
}

#[test]
fn the_units_are_such_as_systemd_knows() {
    let service = fs::read_to_string(unit("keyward.service")).unwrap();
    let page = include_str!("../../../src/docs/configuration.md");
    assert!(
        page.contains(&format!("```text\n{service}```")),
        "it is in the docs"
    );
    for option in ["PrivateUsers=", "ProtectProc=invisible"] {
        let set = service.lines().any(|line| line.starts_with(option));
        assert!(!set, "{option} hides who the peers are");
    }
    assert!(
        service.contains("\nExecStart=/usr/bin/keyward serve --config /etc/keyward/keyward.toml\n")
    );
    let place = tempfile::tempdir().unwrap();
    let program = format!("ExecStart={} ", env!("CARGO_BIN_EXE_keyward"));
    let here = service.replace("ExecStart=/usr/bin/keyward ", &program);
    fs::write(place.path().join("keyward.service"), here).unwrap();
    fs::copy(unit("keyward.socket"), place.path().join("keyward.socket")).unwrap();
    let verify = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "keyward.service", "keyward.socket"])
        .current_dir(place.path())
        .output();
    let Ok(verified) = verify else {
        return eprintln!("not shown: systemd-analyze is not installed");
    };
    let (code, out, errors) = said(&verified);
    assert_eq!((code, out.as_str(), errors.as_str()), (Some(0), "", ""));
}
