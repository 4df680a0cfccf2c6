//! Colour, where the terminal is to have it.

use std::fmt;

use clap::builder::styling::{AnsiColor, Style};

/// What a text is, which its colour tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing of note.
    Plain,
    /// The head of a table or a section.
    Head,
    /// All is well.
    Good,
    /// It goes on, or is to be looked at.
    Open,
    /// A person is needed.
    Bad,
}

/// Paints texts, or leaves them plain.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    colour: bool,
}

impl Paint {
    /// Paints if this says so.
    pub fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// Leaves everything plain.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self::new(false)
    }

    /// The text in its colour.
    pub fn text(self, tone: Tone, text: impl fmt::Display) -> String {
        let style = match tone {
            _ if !self.colour => return text.to_string(),
            Tone::Plain => return text.to_string(),
            Tone::Head => Style::new().bold(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Open => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default().bold(),
        };
        format!("{style}{text}{style:#}")
    }
}
