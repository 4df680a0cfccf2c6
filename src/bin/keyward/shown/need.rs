//! Something that a person has to do, or should know, with its commands.

use std::fmt;

use serde_json::{Value, json};

use crate::shown::paint::{Paint, Tone};

/// What is the matter, and what can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What is the matter, in sentences.
    pub text: String,
    /// What can be done.
    pub remedies: Vec<Remedy>,
}

/// A command, and when or why it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// The command, for a shell.
    pub command: String,
    /// When it helps.
    pub when: String,
}

impl Need {
    /// Something that is the matter.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            remedies: Vec::new(),
        }
    }

    /// Adds what can be done.
    pub fn or(mut self, command: String, when: impl Into<String>) -> Self {
        let when = when.into();
        self.remedies.push(Remedy { command, when });
        self
    }

    /// For programs.
    pub fn object(&self) -> Value {
        let remedy = |r: &Remedy| json!({ "command": r.command, "when": r.when });
        let remedies: Vec<Value> = self.remedies.iter().map(remedy).collect();
        json!({ "text": self.text, "remedies": remedies })
    }
}

/// One after the other, with their commands below them.
pub struct Listed<'a>(pub Paint, pub Tone, pub &'a [Need]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(paint, tone, needs) = self;
        for (no, need) in (1..).zip(*needs) {
            if no > 1 {
                writeln!(f)?;
            }
            write!(f, "{no:>3}. {}", paint.text(*tone, &need.text))?;
            for Remedy { command, when } in &need.remedies {
                write!(f, "\n     {command}\n       {when}")?;
            }
        }
        Ok(())
    }
}
