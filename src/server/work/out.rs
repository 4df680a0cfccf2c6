//! What goes to an instance: a queue, whose messages are made when there is room for them.

use std::pin::Pin;

use futures_util::stream::{Stream, StreamExt, unfold};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tonic::Status;

use crate::wire::generated::to_instance::Said;
use crate::wire::generated::{self, CallRef, EndTaken, Refusal, ToInstance};
use crate::worker::call::Call;

/// So many messages wait for a peer to read them; one that lets more gather is cut off.
const MOST: usize = 4_096;

/// What is to be sent.
enum Item {
    /// A call. Its message will have copies of the keys.
    Call(Box<Call>),
    /// The same, to catch up.
    CatchUp(Box<Call>),
    Said(Box<Said>),
    End(Status),
}

/// The messages of a stream.
pub(super) type Outgoing = Pin<Box<dyn Stream<Item = Result<ToInstance, Status>> + Send>>;

/// Sends messages to an instance.
pub(super) struct ToPeer(Sender<Item>);

/// The peer does not read, or is gone.
#[derive(Debug)]
pub(super) struct NotSent {
    pub(super) reads_nothing: bool,
}

/// A way to an instance, and the stream of what is sent.
pub(super) fn out() -> (ToPeer, Outgoing) {
    let (to, items) = channel(MOST);
    let next = async |mut items: Receiver<Item>| {
        let message = message(items.recv().await?);
        Some((message, items))
    };
    (ToPeer(to), unfold(items, next).boxed())
}

fn message(item: Item) -> Result<ToInstance, Status> {
    let said = match item {
        Item::Call(call) => Said::Call((&*call).into()),
        Item::CatchUp(call) => {
            let of_step = CallRef::new(call.step, 0);
            Said::Call(generated::Call {
                call: Some(of_step),
                ..(&*call).into()
            })
        }
        Item::Said(said) => *said,
        Item::End(status) => return Err(status),
    };
    let said = Some(said);
    Ok(ToInstance { said })
}

impl ToPeer {
    fn send(&self, item: Item) -> Result<(), NotSent> {
        self.0.try_send(item).map_err(|refused| NotSent {
            reads_nothing: matches!(refused, TrySendError::Full(_)),
        })
    }

    pub(super) fn say(&self, said: Said) -> Result<(), NotSent> {
        self.send(Item::Said(Box::new(said)))
    }

    pub(super) fn call(&self, call: Box<Call>) -> Result<(), NotSent> {
        self.send(Item::Call(call))
    }

    pub(super) fn catch_up(&self, call: Box<Call>) -> Result<(), NotSent> {
        self.send(Item::CatchUp(call))
    }

    /// The end of a call needs not be told any more.
    pub(super) fn end_taken(
        &self,
        call: Option<CallRef>,
        refused: Option<Refusal>,
    ) -> Result<(), NotSent> {
        self.say(Said::EndTaken(EndTaken { call, refused }))
    }

    /// Ends the stream with an error.
    pub(super) fn refuse(&self, refusal: impl Into<Status>) {
        // A peer that does not read is told nothing.
        let _ = self.send(Item::End(refusal.into()));
    }
}
