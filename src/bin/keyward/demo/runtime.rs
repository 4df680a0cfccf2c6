//! The runtime of the demo and of its server.

use std::os::unix::net::UnixStream;

use tokio::runtime::{Builder, Runtime};

use crate::demo::error::DemoError;

/// A runtime on this thread alone. The server is started on the main thread, to whose life the
/// kernel ties it.
pub fn runtime() -> Result<Runtime, DemoError> {
    let build = || {
        // tokio panics where it is refused the descriptors of the signals, so they are asked for before.
        drop([
            UnixStream::pair()?,
            UnixStream::pair()?,
            UnixStream::pair()?,
        ]);
        Builder::new_current_thread().enable_all().build()
    };
    build().map_err(DemoError::process("starting the runtime"))
}
