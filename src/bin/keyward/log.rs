//! The log of a command, on standard error.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};

use crate::colour::wants_colour;

/// Starts the log, at level warn unless the variable KEYWARD_LOG says otherwise.
///
/// # Errors
/// KEYWARD_LOG is no filter.
pub fn start() -> Result<(), ParseError> {
    let filter = std::env::var("KEYWARD_LOG").unwrap_or_default();
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .parse(filter)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(wants_colour(&io::stderr()))
        .init();
    Ok(())
}
