//! The body of a request as it comes: each message is looked at when it begins, before any of it is kept.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use hyper::body::{Bytes, Incoming};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;

use crate::server::connection::Connection;
use crate::server::refusal::SocketRefusal;

/// How many bytes stand before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// What a message may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct MessageBounds {
    /// Its bytes.
    pub(super) bytes: usize,
    /// The bytes of all messages of its user that have not come whole.
    pub(super) of_user: usize,
    /// The time from its beginning to its end.
    pub(super) patience: Duration,
}

/// The body of a request: refuses a message that is too large, or for which there is no room, at its first
/// bytes, and one that does not come to its end.
pub(super) struct IncomingMessages<B = Incoming> {
    body: B,
    connection: Arc<Connection>,
    bounds: MessageBounds,
    at: BodyAt,
    /// Room for the message that comes. It is given back when the next one is asked for: until then the
    /// library above has it whole, and decodes it.
    room: Option<OwnedSemaphorePermit>,
    /// Until when what has begun must have come.
    deadline: Option<Pin<Box<Sleep>>>,
}

/// Where in a row of messages the body is.
enum BodyAt {
    Prefix { known: [u8; PREFIX], bytes: usize },
    Message { left: usize },
}

const START: BodyAt = BodyAt::Prefix {
    known: [0; PREFIX],
    bytes: 0,
};

impl<B> IncomingMessages<B> {
    pub(super) fn new(body: B, connection: Arc<Connection>, bounds: MessageBounds) -> Self {
        Self {
            body,
            connection,
            at: START,
            room: None,
            // The first message is due with the request.
            deadline: Some(Box::pin(sleep(bounds.patience))),
            bounds,
        }
    }

    /// Whether a message has begun and is not whole.
    fn is_within(&self) -> bool {
        match self.at {
            BodyAt::Prefix { bytes, .. } => bytes > 0,
            BodyAt::Message { .. } => true,
        }
    }

    fn read(&mut self, mut data: &[u8]) -> Result<(), SocketRefusal> {
        while let Some((first, rest)) = data.split_first() {
            match &mut self.at {
                BodyAt::Prefix { known, bytes } => {
                    if let Some(place) = known.get_mut(*bytes) {
                        *place = *first;
                    }
                    *bytes += 1;
                    data = rest;
                    if *bytes == PREFIX {
                        let [_, length @ ..] = *known;
                        let left =
                            usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                        self.begin(left)?;
                    }
                }
                BodyAt::Message { left } => {
                    let taken = data.len().min(*left);
                    *left -= taken;
                    data = data.get(taken..).unwrap_or_default();
                    if *left == 0 {
                        self.at = START;
                    }
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, bytes: usize) -> Result<(), SocketRefusal> {
        let bound = self.bounds.bytes;
        if bytes > bound {
            return Err(SocketRefusal::MessageTooLarge { bytes, bound });
        }
        self.at = match bytes {
            0 => START,
            left => BodyAt::Message { left },
        };
        let room = self.connection.user().undecoded(bytes);
        let bound = self.bounds.of_user;
        let room = room.ok_or(SocketRefusal::Undecoded { bound })?;
        match &mut self.room {
            // Several messages in one frame.
            Some(before) => before.merge(room),
            None => self.room = Some(room),
        }
        Ok(())
    }

    /// Keeps the time of what has begun.
    fn keep_time(&mut self, begun: bool) {
        if !self.is_within() {
            self.deadline = None;
        } else if begun || self.deadline.is_none() {
            let patience = self.bounds.patience;
            match &mut self.deadline {
                Some(deadline) => deadline.as_mut().reset(Instant::now() + patience),
                None => self.deadline = Some(Box::pin(sleep(patience))),
            }
        }
    }
}

impl<B> Body for IncomingMessages<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if !this.is_within() {
            this.room = None;
        }
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            if let Some(deadline) = &mut this.deadline {
                ready!(deadline.as_mut().poll(cx));
                let limit = this.bounds.patience;
                let refusal = SocketRefusal::Incomplete { limit };
                this.connection.cut(refusal.to_string());
                return Poll::Ready(Some(Err(refusal.into())));
            }
            return Poll::Pending;
        };
        let frame = match frame {
            None => {
                this.deadline = None;
                return Poll::Ready(None);
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(Status::from_error(error.into())))),
            Some(Ok(frame)) => frame,
        };
        if let Some(data) = frame.data_ref() {
            let was_within = this.is_within();
            if let Err(refusal) = this.read(data) {
                return Poll::Ready(Some(Err(refusal.into())));
            }
            this.keep_time(!was_within);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
