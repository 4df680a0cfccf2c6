//! Commands of keyward as a person can paste them into a shell.

use std::fmt::Write;

/// Makes commands that go to the keeper that was asked.
#[derive(Debug, Clone, Default)]
pub struct Commands {
    /// What `--socket` said, if it said something.
    pub socket: Option<String>,
    /// What `--trust-user` said, if it said something.
    pub trust_user: Option<u32>,
}

impl Commands {
    /// A command of keyward: its words, and names that others gave.
    pub fn keyward(&self, words: &str, names: &[&str]) -> String {
        let mut line = format!("keyward {words}");
        if let Some(socket) = &self.socket {
            add(&mut line, "--socket");
            add(&mut line, &quoted(socket));
        }
        if let Some(user) = self.trust_user {
            add(&mut line, &format!("--trust-user {user}"));
        }
        if names.iter().any(|name| name.starts_with('-')) {
            add(&mut line, "--");
        }
        for name in names {
            add(&mut line, &quoted(name));
        }
        line
    }

    /// An abort that confirms these workers. Their names go last, for the option takes all that follow it.
    pub fn confirmed_abort(&self, id: &str, workers: &[&str]) -> String {
        let mut line = self.keyward("abort", &[id]);
        if workers.iter().any(|name| name.starts_with('-')) {
            for name in workers {
                add(&mut line, &format!("--yes={}", quoted(name)));
            }
            return line;
        }
        add(&mut line, "--yes");
        workers
            .iter()
            .for_each(|name| add(&mut line, &quoted(name)));
        line
    }
}

fn add(line: &mut String, word: &str) {
    line.push(' ');
    line.push_str(word);
}

/// A word as a shell takes it whole. What is not seen is escaped as bash does it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.chars().any(is_unseen) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut escaped = String::from("$'");
    for c in word.chars() {
        let number = u32::from(c);
        let written = match c {
            '\'' | '\\' => write!(escaped, "\\{c}"),
            c if !is_unseen(c) => write!(escaped, "{c}"),
            _ => write!(escaped, "\\U{number:08x}"),
        };
        // A string takes everything.
        let _ = written;
    }
    escaped.push('\'');
    escaped
}

/// Whether a character is neither a letter, a mark of writing nor a plain blank; some that would be seen are
/// among them, which harms nothing.
fn is_unseen(c: char) -> bool {
    c != ' ' && !c.is_ascii_graphic() && !c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_goes_to_the_keeper_that_was_asked_and_takes_any_name() {
        let here = Commands::default();
        assert_eq!(here.keyward("resume", &["0190"]), "keyward resume 0190");
        let there = Commands {
            socket: Some("/a b/keyward.sock".to_owned()),
            trust_user: Some(990),
        };
        assert_eq!(
            there.keyward("remove worker", &["-web"]),
            "keyward remove worker --socket '/a b/keyward.sock' --trust-user 990 -- -web"
        );
    }

    #[test]
    fn bash_reads_each_quoted_name_as_it_was() {
        for name in [
            "a",
            "it's",
            "a b",
            "$(id)",
            "\\",
            "鍵",
            "a\u{202e}b'\\",
            "",
            "*",
            "~",
        ] {
            let echo = format!("printf %s {}", quoted(name));
            let read = std::process::Command::new("bash")
                .args(["-c", &echo])
                .env("LC_ALL", "C.UTF-8")
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(read.stdout).unwrap(), name, "{echo}");
        }
        assert_eq!(quoted("a\u{202e}b"), "$'a\\U0000202eb'");
    }
}
