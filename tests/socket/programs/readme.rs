//! The lines of the README that start a keeper and two workers, run as they stand there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const README: &str = include_str!("../../../README.md");

/// The second block of commands of the section: the first one builds the program.
fn lines() -> &'static str {
    let (_, section) = README
        .split_once("## A keeper, shell workers and a web server")
        .expect("the section");
    let mut blocks = section.split("```sh\n").skip(1);
    let (build, story) = (blocks.next().unwrap(), blocks.next().unwrap());
    assert!(build.starts_with("cargo build"), "{build}");
    story.split("```").next().unwrap()
}

#[test]
fn the_lines_of_the_readme_end_with_a_completed_rotation_though_the_keeper_was_killed() {
    let program = Path::new(env!("CARGO_BIN_EXE_keyward")).parent().unwrap();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shell");
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{}:{path}", program.display(), scripts.display());
    let folder = tempfile::tempdir().unwrap();
    // What is left of it ends with the script, and the folder with the test.
    let script = format!(
        "trap 'kill $(jobs -p); wait' EXIT\n{}\npwd > \"$TMPDIR/where\"\n\
         for w in anna ben; do for n in 1 2 3; do encrypt -d < $w/current/$n; done; done > documents\n",
        lines()
    );
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "110", "bash", "-e", "-c", &script]);
    command.env("PATH", path).env("TMPDIR", folder.path());
    command.env_remove("KEYWARD_SOCKET").stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{}: {said}", output.status);
    let place = fs::read_to_string(folder.path().join("where")).unwrap();
    let documents = fs::read_to_string(Path::new(place.trim()).join("documents")).unwrap();
    let expected: String = ["anna", "ben"]
        .iter()
        .flat_map(|worker| (1..=3).map(move |no| format!("document {no} of {worker}\n")))
        .collect();
    assert_eq!(documents, expected, "{said}");
    assert!(said.contains("completed"), "{said}");
}
