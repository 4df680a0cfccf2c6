//! Completions, in a real shell.

use std::process::Command;

use crate::command_line::program::{keyward, ran};

/// What bash offers for a line that ends with the word that is completed.
async fn offered(script: &str, words: &[&str]) -> Vec<String> {
    let line = words.join(" ");
    let ask = format!(
        "{script}\nCOMP_WORDS=({line}); [ -n '{last}' ] || COMP_WORDS+=(''); COMP_CWORD={at}\n\
         COMP_LINE='{line}'; _keyward keyward '{last}' x\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        last = words.last().unwrap(),
        at = words.len() - 1,
    );
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", &ask]);
    let ran = ran(bash).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{words:?}");
    ran.out.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bash_completes_commands_and_their_options() {
    let script = ran(keyward(&["completions", "bash"])).await.out;
    let commands = offered(&script, &["keyward", "re"]).await;
    for command in ["recover", "reload", "remove", "restart", "resume"] {
        assert!(commands.contains(&command.to_owned()), "{commands:?}");
    }
    assert!(!commands.contains(&"rotate".to_owned()), "{commands:?}");
    let options = offered(&script, &["keyward", "rotate", "--"]).await;
    for option in [
        "--new-file",
        "--old-file",
        "--plan",
        "--id",
        "--json",
        "--socket",
    ] {
        assert!(options.contains(&option.to_owned()), "{options:?}");
    }
    let kinds = offered(&script, &["keyward", "remove", "i"]).await;
    assert_eq!(kinds, ["instance"]);
    let hidden = offered(&script, &["keyward", "demo"]).await;
    assert_eq!(hidden, ["demo"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_shell_has_a_script_with_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = ran(keyward(&["completions", shell])).await;
        assert_eq!((script.code, script.err.as_str()), (0, ""), "{shell}");
        for command in ["check-config", "healthcheck", "recover", "verify", "worker"] {
            assert!(script.out.contains(command), "{shell} has no {command}");
        }
        assert!(!script.out.contains("demo-server"), "{shell}");
    }
}
