//! How the services answer: in pieces, or with an error of the library's as a status.

use std::pin::Pin;

use futures_util::stream::{self, Stream};
use tonic::{Response, Status};

use crate::key::error::KeyError;
use crate::rotation::error::RotationError;
use crate::wire::generated::Refusal;
use crate::wire::invalid::InvalidMessage;

/// An answer in pieces.
pub(super) type Pieces<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// An answer in these pieces.
pub(super) fn pieces<T: Send + 'static>(
    all: impl IntoIterator<Item = T, IntoIter: Send + 'static>,
) -> Response<Pieces<T>> {
    Response::new(Box::pin(stream::iter(all.into_iter().map(Ok))))
}

/// An error of a key, as it is sent.
pub(super) fn of_key(error: KeyError) -> Status {
    Refusal::from(&error).into()
}

/// An error about rotations, as it is sent.
pub(super) fn of_rotation(error: RotationError) -> Status {
    Refusal::from(&error).into()
}

/// A message that is refused.
pub(super) fn invalid(error: InvalidMessage) -> Status {
    Refusal::from(&error).into()
}
