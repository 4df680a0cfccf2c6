//! The log of a command, on standard error.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};

use crate::colour::wants_colour;

/// What is told where nothing else is said.
pub const DEFAULT: &str = "warn";

/// Starts the log, with that filter unless the variable KEYWARD_LOG has another one.
///
/// # Errors
/// KEYWARD_LOG is no filter.
pub fn start(default: &str) -> Result<(), ParseError> {
    let variable = std::env::var("KEYWARD_LOG").ok();
    let variable = variable.filter(|filter| !filter.is_empty());
    let filter = filter(variable.as_deref().unwrap_or(default))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(wants_colour(&io::stderr()))
        .init();
    Ok(())
}

/// What a filter means; what it says nothing of is told from level warn on.
///
/// # Errors
/// It is none.
pub fn filter(text: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .parse(text)
}
