//! What a callback's handle asks, answered by the actors of this process.

use std::sync::Arc;

use crate::actors::declare::Declarer;
use crate::actors::directory::KeyEntry;
use crate::key::effect::Answer;
use crate::key::error::KeyError;
use crate::key::event::Request;
use crate::key::state::Staged;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::secret::value::SecretKeyValue;
use crate::worker::change::Change;
use crate::worker::handle::{KeyLink, LinkFuture};

/// The way from a callback's handle to its key and to the coordinator.
pub struct CallbackLink {
    /// The key.
    pub entry: Arc<KeyEntry>,
    /// Declares changes.
    pub declarer: Declarer,
}

impl KeyLink for CallbackLink {
    fn stage_save(
        &self,
        staged: Vec<Staged>,
    ) -> LinkFuture<Result<Option<SecretKeyValue>, KeyError>> {
        let entry = Arc::clone(&self.entry);
        Box::pin(async move {
            let request = Request::StageSave { staged };
            match entry.ask_without_place(request).await? {
                Answer::Staged { asked } => Ok(asked),
                Answer::Key { .. } | Answer::Candidates(_) | Answer::OfStore(_) | Answer::Saved => {
                    Ok(None)
                }
            }
        })
    }

    fn declare(&self, change: Change) -> LinkFuture<Result<RotationId, RotationError>> {
        let declarer = self.declarer.clone();
        Box::pin(async move { declarer.declare(change).await })
    }
}
