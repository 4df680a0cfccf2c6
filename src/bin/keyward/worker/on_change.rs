//! Which command a key's change calls, as it is named on the command line.

use std::str::FromStr;

/// A command for the change of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnChange {
    /// The key's name.
    pub key: String,
    /// The command.
    pub command: Words,
}

/// A command in words, at least one. They are split as a shell splits them, quotes and
/// backslashes too, and nothing in them is replaced: there is no shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The program, a name to be looked for in `PATH` or a path.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl FromStr for OnChange {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let (key, command) = given.split_once('=').ok_or("write KEY=COMMAND")?;
        if key.is_empty() {
            return Err("write KEY=COMMAND; the key has no name".to_owned());
        }
        Ok(Self {
            key: key.to_owned(),
            command: command.parse()?,
        })
    }
}

impl FromStr for Words {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let words = shlex::split(given).ok_or("a quote of the command is not closed")?;
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty());
        Ok(Self {
            program: program.ok_or("the command is empty")?,
            arguments: words.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_into_words_and_nothing_in_it_is_replaced() {
        let words = |given: &str| {
            let words: Words = given.parse().unwrap();
            let mut all = vec![words.program];
            all.extend(words.arguments);
            all
        };
        assert_eq!(words("./anna.sh"), ["./anna.sh"]);
        assert_eq!(
            words("sh -c 'cat > $HOME/x; :' \"a b\" c\\ d"),
            ["sh", "-c", "cat > $HOME/x; :", "a b", "c d"]
        );
        for wrong in ["", "  ", "''", "sh -c 'x"] {
            assert!(wrong.parse::<Words>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_ends_at_the_first_equals_sign() {
        let on_change: OnChange = "my key=sh -c 'A=1 true'".parse().unwrap();
        assert_eq!(on_change.key, "my key");
        assert_eq!(on_change.command.arguments, ["-c", "A=1 true"]);
        for wrong in ["", "key", "key=", "=sh"] {
            assert!(wrong.parse::<OnChange>().is_err(), "{wrong}");
        }
    }
}
