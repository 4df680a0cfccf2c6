//! The shell scripts under `examples/shell`, with real documents and real ciphers.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::programs::keeper::{Keeper, eventually};

const DOCUMENTS: [&str; 2] = ["the first letter\n", "the second letter\n"];

/// A shell that finds keyward, the examples and the keeper.
fn shell(keeper: &Keeper, script: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_keyward")).parent().unwrap();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shell");
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{}:{path}", program.display(), scripts.display());
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", script])
        .env("PATH", path);
    shell.env("KEYWARD_SOCKET", keeper.socket());
    shell.current_dir(keeper.path("")).stdin(Stdio::null());
    shell
}

/// Runs it, and answers what it printed.
#[track_caller]
fn ran(keeper: &Keeper, script: &str) -> String {
    let output = shell(keeper, script).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{script}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn private(keeper: &Keeper, name: &str, text: &str) {
    fs::write(keeper.path(name), text).unwrap();
    fs::set_permissions(keeper.path(name), fs::Permissions::from_mode(0o600)).unwrap();
}

/// Documents that are re-encrypted by a worker at a change, and read after it.
fn story(keeper: &Keeper, encrypt: &str, decrypt: &str, on_change: &str, rotate: &str) {
    let first = keeper.path("letters/first");
    fs::create_dir_all(&first).unwrap();
    symlink("first", keeper.path("letters/current")).unwrap();
    for (no, document) in DOCUMENTS.iter().enumerate() {
        ran(
            keeper,
            &format!("printf '{document}' | {encrypt} > letters/current/{no}"),
        );
        assert!(
            !fs::read(first.join(no.to_string()))
                .unwrap()
                .starts_with(b"the")
        );
    }
    let mut worker = shell(
        keeper,
        &format!("exec keyward worker cleo --on-change {on_change}"),
    );
    let mut worker = worker.spawn().unwrap();
    keeper.knows("letters", "cleo");
    ran(keeper, rotate);
    for (no, document) in DOCUMENTS.iter().enumerate() {
        let read = ran(keeper, &format!("{decrypt} < letters/current/{no}"));
        assert_eq!(read, *document);
    }
    let moved = fs::read_link(keeper.path("letters/current")).unwrap();
    assert_ne!(moved, Path::new("first"));
    worker.kill().unwrap();
    worker.wait().unwrap();
}

#[test]
fn documents_are_reencrypted_by_a_script_with_openssl() {
    let keeper = Keeper::start();
    private(&keeper, "letters.key", "the first key of the letters");
    private(&keeper, "next.key", "the second key of the letters");
    let configuration =
        keeper.read("keyward.toml") + "[keys.letters]\nstore.file = \"letters.key\"\n";
    private(&keeper, "keyward.toml", &configuration);
    ran(&keeper, "keyward reload");
    let cipher = "openssl enc -aes-256-cbc -pbkdf2 -pass fd:3";
    let with_key = "3< <(keyward get letters | base64 -w 0)";
    story(
        &keeper,
        &format!("{cipher} {with_key}"),
        &format!("{cipher} -d {with_key}"),
        "letters=\"reencrypt $PWD/letters\"",
        "keyward rotate letters --new-file next.key && mv next.key letters.key",
    );
}

#[test]
fn documents_are_reencrypted_by_a_script_with_age_whose_key_is_a_pair() {
    if Command::new("age").arg("--version").output().is_err() {
        eprintln!("skipped: age is not installed; `apt-get install age` does it");
        return;
    }
    let keeper = Keeper::start();
    let store = "[keys.letters]\nstore.file = [\"letters.recipient\", \"letters.identity\"]\n";
    let configuration = keeper.read("keyward.toml") + store;
    private(&keeper, "keyward.toml", &configuration);
    let new_pair = "umask 077; new_pair() { age-keygen -o $1.identity; \
                    age-keygen -y $1.identity > $1.recipient; }";
    ran(
        &keeper,
        &format!("{new_pair}; new_pair letters; new_pair next; keyward reload"),
    );
    eventually("the key is defined", || {
        keeper.ran(&["get", "letters"]).code == 0
    });
    story(
        &keeper,
        "age-encrypt letters",
        "age-encrypt -d letters",
        "letters=\"reencrypt $PWD/letters age\"",
        "keyward rotate letters --new-file next.recipient --new-back-file next.identity\n\
         mv next.recipient letters.recipient; mv next.identity letters.identity",
    );
}
