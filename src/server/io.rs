//! A connection's stream, which ends where its peer does not read: the library above would wait for it
//! without end, as long as the peer goes on asking.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::guard::fork::kept_descriptor::KeptDescriptor;

/// The stream of a peer that has to read.
pub(super) struct ReadByPeer<S> {
    // Dropped before the stream.
    _kept: Option<KeptDescriptor>,
    stream: S,
    limit: Duration,
    /// The end of the time, while something waits to be written.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Kept for the next time.
    idle: Option<Pin<Box<Sleep>>>,
}

impl<S> ReadByPeer<S> {
    pub(super) fn new(stream: S, kept: impl Into<Option<KeptDescriptor>>, limit: Duration) -> Self {
        Self {
            _kept: kept.into(),
            stream,
            limit,
            stalled: None,
            idle: None,
        }
    }

    /// Ends a wait that is too long.
    fn watched<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if let Some(timer) = self.stalled.take() {
                self.idle = Some(timer);
            }
            return written;
        }
        let limit = self.limit;
        let idle = &mut self.idle;
        let timer = self.stalled.get_or_insert_with(|| match idle.take() {
            Some(mut timer) => {
                timer.as_mut().reset(Instant::now() + limit);
                timer
            }
            None => Box::pin(sleep(limit)),
        });
        timer.as_mut().poll(cx).map(|()| {
            let why = format!("its peer has read nothing for {limit:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadByPeer<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadByPeer<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watched(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watched(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.watched(cx, written)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_nothing_ends_the_stream() {
        let (stream, peer) = duplex(16);
        let mut stream = ReadByPeer::new(stream, None, LIMIT);
        let begun = Instant::now();
        let error = stream.write_all(&[0; 32]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed(), LIMIT);
        drop(peer);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_slowly_is_waited_for() {
        let (stream, mut peer) = duplex(16);
        let mut stream = ReadByPeer::new(stream, None, LIMIT);
        let reads = tokio::spawn(async move {
            for _ in 0..8 {
                tokio::time::sleep(LIMIT - Duration::from_secs(1)).await;
                peer.read_exact(&mut [0; 16]).await.unwrap();
            }
        });
        stream.write_all(&[0; 128]).await.unwrap();
        reads.await.unwrap();
    }
}
