//! What a process that holds keys does first: files for its user only, no core dumps, no panic
//! texts, and signals as they are meant.

use std::fmt;
use std::io::{self, Write};

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask,
};

/// Makes a panic say where it happened and nothing else: its payload may quote a key.
pub fn forbid_payloads_in_panics() {
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => complain(format_args!("a panic at {}:{}", place.file(), place.line())),
        None => complain(format_args!("a panic at an unknown place")),
    }));
}

/// Says something on standard error. Where that is full or closed the text is lost: the
/// standard macros panic then, and in a panic's hook that ends the process.
pub fn complain(what: fmt::Arguments<'_>) {
    drop(writeln!(io::stderr(), "keyward: {what}"));
}

/// Keeps what this process writes, and its memory, from others, and has it told how its children
/// end.
///
/// Answers the file mode mask that it was started with, for a program that it starts in its own place.
///
/// # Errors
/// The operating system refused; then nothing should be done with keys.
pub fn harden() -> io::Result<Mode> {
    let mask = umask(Mode::RWXG | Mode::RWXO);
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    // The limit does not hold where cores are piped to a program; this does.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    keep_ends_of_children()?;
    Ok(mask)
}

/// Has this process told how its children end, whatever the shell or supervisor that started it
/// ignores: with SIGCHLD ignored, no command of a store could be told from a failed one.
fn keep_ends_of_children() -> io::Result<()> {
    // SAFETY: the default action runs no code of this process.
    if unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
