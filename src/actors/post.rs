//! Posting to an actor without knowing its type, so that what it needs can hold a way back to it.

use crate::actors::supervision::actor::Part;
use crate::actors::supervision::slot::ActorSlot;

/// Takes messages for an actor.
pub trait Post<M>: Send + Sync {
    /// Posts a message; one that is refused is dropped, by which its sender is told.
    fn post(&self, message: M);

    /// Why the actor answers nothing, if it has failed.
    fn failure(&self) -> Option<String>;
}

impl<P: Part> Post<P::Message> for ActorSlot<P> {
    fn post(&self, message: P::Message) {
        ActorSlot::post(self, message);
    }

    fn failure(&self) -> Option<String> {
        ActorSlot::failure(self)
    }
}
