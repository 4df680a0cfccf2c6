//! What keyward answers in a child of `fork()`.

use crate::secret::visible::debug_with_code;

/// What keyward answers in a child of `fork()`, code `forked`.
///
/// It is the fault of the program: it has to start keyward in the child and not before, or to run the
/// child's program by exec.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process was forked from one that uses keyward, whose threads are not in it; start keyward \
     after the fork and not before, or exec"
)]
pub struct Forked;

debug_with_code!(Forked);

impl Forked {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "forked"
    }
}
