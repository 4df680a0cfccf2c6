//! `keyward completions`: the completions of a shell.

use clap::Args;
use clap_complete::{Shell, generate};
use serde_json::json;

use crate::command_error::CommandError;
use crate::ended::Ended;
use crate::printing::Printing;

/// Print the completions of a shell, which it reads at its start.
///
/// For bash: keyward completions bash > ~/.local/share/bash-completion/completions/keyward
#[derive(Debug, Args)]
pub struct CompletionsOptions {
    /// Which shell
    shell: Shell,
    #[command(flatten)]
    pub printing: Printing,
}

/// Prints them.
pub fn run(options: &CompletionsOptions, keyward: &clap::Command) -> Result<Ended, CommandError> {
    // A hidden command is not to be called by people, and the generator names it all the same.
    let shown = keyward
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let mut keyward = clap::Command::new("keyward")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommands(shown.cloned());
    let mut script = Vec::new();
    generate(options.shell, &mut keyward, "keyward", &mut script);
    if options.printing.json {
        options.printing.object(&json!({
            "shell": options.shell.to_string(), "script": String::from_utf8_lossy(&script),
        }))?;
    } else {
        options.printing.bytes(&script)?;
    }
    Ok(Ended::Done)
}
