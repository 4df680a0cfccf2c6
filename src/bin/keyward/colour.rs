//! Whether there is to be colour.

use std::io::IsTerminal;

/// Whether colour is wanted: on a terminal, where NO_COLOR is not set or empty.
pub fn wants_colour(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|no| !no.is_empty());
    stream.is_terminal() && !refused
}
