//! The socket that listens, and what connects to it. No child of `fork()` has a part in either: a connection ends with
//! the keeper, and a child that outlives it keeps no client waiting for an answer.

use std::future::poll_fn;
use std::io;
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};

use tokio::net::UnixListener;

use crate::guard::fork::kept_descriptor::{KeptDescriptor, opening};

/// The socket that listens.
pub struct Listening {
    // Dropped first.
    _kept: KeptDescriptor,
    listener: UnixListener,
}

impl Listening {
    /// This one, which does not block.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(listener: StdListener) -> io::Result<Self> {
        Ok(Self {
            _kept: opening().keep(&listener),
            listener: UnixListener::from_std(listener)?,
        })
    }

    /// The next connection, with what keeps it from children.
    ///
    /// # Errors
    /// What the system says.
    pub async fn accept(&self) -> io::Result<(KeptDescriptor, StdStream)> {
        let (kept, stream) = poll_fn(|cx| {
            // No fork happens between the two.
            let mut opening = opening();
            let accepted = self.listener.poll_accept(cx);
            accepted.map_ok(|(stream, _)| (opening.keep(&stream), stream))
        })
        .await?;
        Ok((kept, stream.into_std()?))
    }
}
