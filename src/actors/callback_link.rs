//! What a callback's handle asks, answered by the actors of this process.

use crate::actors::declarer::Declarer;
use crate::guard::fork;
use crate::key::effect::Answer;
use crate::key::error::KeyError;
use crate::key::event::Request;
use crate::key::name::KeyName;
use crate::key::state::Staged;
use crate::key::versions::id::VersionId;
use crate::rotation::act::By;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::secret::value::SecretKeyValue;
use crate::worker::change::Change;
use crate::worker::handle::{KeyLink, LinkFuture};

/// The way from the handles of callbacks to keys and to the coordinator.
pub struct CallbackLink {
    /// Declares changes, and knows the keys.
    pub declarer: Declarer,
    /// By whom it does so.
    pub by: By,
}

impl KeyLink for CallbackLink {
    fn stage_save(
        &self,
        key: &KeyName,
        staged: Vec<Staged>,
    ) -> LinkFuture<Result<Option<SecretKeyValue>, KeyError>> {
        let entry = self.declarer.directory.find(key.as_str());
        Box::pin(async move {
            let entry = entry?;
            let request = Request::StageSave { staged };
            match entry.ask_of_handle(request).await? {
                Answer::Staged { asked } => Ok(asked),
                Answer::Key { .. }
                | Answer::Version { .. }
                | Answer::Versions(_)
                | Answer::Candidates(_)
                | Answer::OfStore(_)
                | Answer::Saved => Ok(None),
            }
        })
    }

    fn get_version(
        &self,
        key: &KeyName,
        id: VersionId,
    ) -> LinkFuture<Result<SecretKeyValue, KeyError>> {
        let entry = self.declarer.directory.find(key.as_str());
        Box::pin(async move {
            let entry = entry?;
            match entry.ask_of_handle(Request::Version { id }).await? {
                Answer::Version { value, .. } => Ok(value),
                Answer::Key { .. }
                | Answer::Versions(_)
                | Answer::Candidates(_)
                | Answer::OfStore(_)
                | Answer::Saved
                | Answer::Staged { .. } => Err(entry.gone()),
            }
        })
    }

    fn refuse_child(&self) -> Result<(), KeyError> {
        Ok(fork::refuse_child()?)
    }

    fn declare(&self, change: Change) -> LinkFuture<Result<RotationId, RotationError>> {
        let (declarer, by) = (self.declarer.clone(), self.by.clone());
        Box::pin(async move { declarer.declare(change, by).await })
    }
}
