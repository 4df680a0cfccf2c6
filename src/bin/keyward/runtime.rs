//! The runtime of a command.

use std::io;
use std::os::unix::net::UnixStream;

use tokio::runtime::{Builder, Runtime};

/// A runtime on this thread alone. The demo's server is started on the main thread, to whose life the
/// kernel ties it.
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
