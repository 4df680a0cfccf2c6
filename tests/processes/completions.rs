//! `keyward completions`, run as a program.

use std::process::{Command, Output, Stdio};

fn keyward(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn each_shell_gets_completions_that_name_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = keyward(&["completions", shell]);
        assert_eq!(ran.status.code(), Some(0), "{shell}");
        let script = String::from_utf8(ran.stdout).unwrap();
        assert!(script.contains("completions") && script.contains("demo"));
        assert!(
            !script.contains("demo-server"),
            "{shell} names a hidden command"
        );
    }
    assert_eq!(keyward(&["completions", "cmd"]).status.code(), Some(2));
}

#[test]
fn the_completions_of_bash_are_a_script_that_bash_reads() {
    let script = keyward(&["completions", "bash"]).stdout;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keyward");
    std::fs::write(&file, script).unwrap();
    let asked = "source \"$0\"; COMP_WORDS=(keyward com); COMP_CWORD=1; _keyward keyward com keyward; echo \"${COMPREPLY[@]}\"";
    let ran = Command::new("bash")
        .args(["-c", asked])
        .arg(&file)
        .output()
        .unwrap();
    let answer = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(
        answer.trim(),
        "completions",
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}
