//! The runtime of the demo and of its server.

use tokio::runtime::{Builder, Runtime};

use crate::demo::error::DemoError;

/// A runtime on this thread alone. The server is started on the main thread, to whose life the
/// kernel ties it.
pub fn runtime() -> Result<Runtime, DemoError> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DemoError::process("starting the runtime"))
}
