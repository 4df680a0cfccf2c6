//! The body of an answer: it keeps its request's place until it is sent, is bounded while it waits for its
//! peer to read, and ends when the keeper does.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, Response};
use http_body::{Body as _, Frame};
use hyper::body::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;
use tonic::body::Body;

use crate::management::phase::PhaseWatch;
use crate::server::connection::Connection;
use crate::server::counts::RequestPlace;
use crate::server::refusal::SocketRefusal;
use crate::server::unread::UnreadAnswer;

/// So many bytes are handed on at once. The library below keeps what it is handed until the peer has room
/// for it, so that the rest has to stay here to be counted.
const PIECE: usize = 16 << 10;

/// The body of an answer.
pub(super) struct AnswerBody {
    /// None: its trailers were handed on.
    body: Option<Body>,
    rest: Bytes,
    connection: Arc<Connection>,
    phases: PhaseWatch,
    bound: usize,
    /// Room for the rest.
    room: Option<OwnedSemaphorePermit>,
    /// The keeper's end, from when there is something to wait for.
    end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    unread: UnreadAnswer,
    _place: Option<RequestPlace>,
}

impl AnswerBody {
    /// The answer to a request that has this place.
    pub(super) fn new(
        body: Body,
        connection: Arc<Connection>,
        phases: PhaseWatch,
        bound: usize,
        place: Option<RequestPlace>,
    ) -> Self {
        Self {
            body: Some(body),
            rest: Bytes::new(),
            unread: connection.unread().begin(),
            connection,
            phases,
            bound,
            room: None,
            end: None,
            _place: place,
        }
    }

    /// Ends the answer with this.
    fn end_with(&mut self, refusal: SocketRefusal) -> Frame<Bytes> {
        self.body = None;
        self.room = None;
        let mut trailers = HeaderMap::new();
        // Its texts are valid; without trailers the peer sees an answer that was cut.
        let _ = Status::from(refusal).add_header(&mut trailers);
        Frame::trailers(trailers)
    }

    fn next_piece(&mut self) -> Frame<Bytes> {
        let bytes = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(bytes);
        if self.rest.is_empty() {
            self.room = None;
        }
        Frame::data(piece)
    }

    /// Takes in what the service gives.
    fn take(&mut self, data: Bytes) -> Frame<Bytes> {
        if data.len() > PIECE {
            let Some(room) = self.connection.user().unsent(data.len()) else {
                let bound = self.bound;
                return self.end_with(SocketRefusal::Unsent { bound });
            };
            self.room = Some(room);
        }
        self.rest = data;
        self.next_piece()
    }
}

impl AnswerBody {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self;
        if !this.rest.is_empty() {
            return Poll::Ready(Some(Ok(this.next_piece())));
        }
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Poll::Ready(Some(Ok(this.take(data)))),
                Err(frame) => Poll::Ready(Some(Ok(frame))),
            },
            Poll::Ready(other) => Poll::Ready(other),
            Poll::Pending => {
                let phases = &this.phases;
                let end = this.end.get_or_insert_with(|| Box::pin(phases.ended()));
                end.as_mut()
                    .poll(cx)
                    .map(|()| Some(Ok(this.end_with(SocketRefusal::ShutDown))))
            }
        }
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = self.poll_next(cx);
        match frame {
            Poll::Ready(Some(Ok(_))) => self.unread.gave(),
            Poll::Ready(Some(Err(_)) | None) | Poll::Pending => self.unread.has_nothing(),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.as_ref().is_none_or(Body::is_end_stream)
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.connection.note_answer();
    }
}

/// An answer that refuses.
pub(super) fn refused(refusal: SocketRefusal) -> Response<Body> {
    Status::from(refusal).into_http()
}
