//! The runtime of a command.

use std::io;
use std::os::unix::net::UnixStream;

use tokio::runtime::{Builder, Runtime};

/// A runtime on this thread alone. The demo starts its server on the main thread, and the kernel ends the server
/// with that thread.
///
/// # Errors
/// The operating system refuses descriptors.
pub fn runtime() -> io::Result<Runtime> {
    // tokio panics where it is refused the descriptors of the signals, so they are asked for before.
    drop([
        UnixStream::pair()?,
        UnixStream::pair()?,
        UnixStream::pair()?,
    ]);
    Builder::new_current_thread().enable_all().build()
}
