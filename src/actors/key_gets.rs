//! What is got of a key: a value on a flow, a version by its id, and what is shown of versions.

use crate::actors::directory::KeyEntry;
use crate::key::answer::{AnsweredVersion, KeyAnswer};
use crate::key::effect::Answer;
use crate::key::error::KeyError;
use crate::key::event::Request;
use crate::key::flow::SecretKeyFlow;
use crate::key::name::WorkerName;
use crate::key::versions::id::VersionId;
use crate::key::versions::listing::VersionListing;
use crate::secret::value::SecretKeyValue;

impl KeyEntry {
    /// A key on this flow, or on the one that it finds by itself; for this worker to write with, if it has
    /// versions.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask), and `needs_version`.
    pub async fn get(
        &self,
        flow: Option<SecretKeyFlow>,
        worker: &WorkerName,
    ) -> Result<KeyAnswer, KeyError> {
        let request = match self.behaviour().versions {
            Some(_) => self.request_of_version(flow, worker)?,
            None => Request::Get { flow },
        };
        self.answer(self.ask(request).await?)
    }

    /// What a get of a key that has versions is: no flow is found by itself there.
    fn request_of_version(
        &self,
        flow: Option<SecretKeyFlow>,
        worker: &WorkerName,
    ) -> Result<Request, KeyError> {
        let (key, use_case) = (self.name().clone(), self.behaviour().use_case);
        let flow = flow.unwrap_or(SecretKeyFlow::Default);
        if !flow.fits(use_case) {
            return Err(KeyError::InvalidFlow {
                key,
                flow,
                use_case,
            });
        }
        match flow {
            SecretKeyFlow::BackPath => Err(KeyError::NeedsVersion { key }),
            SecretKeyFlow::Default | SecretKeyFlow::ForwardPath => {
                let worker = worker.clone();
                Ok(Request::Current { worker })
            }
        }
    }

    fn answer(&self, answer: Answer) -> Result<KeyAnswer, KeyError> {
        match answer {
            Answer::Key { value, flow } => Ok(KeyAnswer {
                value,
                flow,
                version: None,
            }),
            Answer::Version {
                value,
                flow,
                id,
                number,
            } => Ok(KeyAnswer {
                value,
                flow,
                version: Some(AnsweredVersion::new(id, number)),
            }),
            Answer::Versions(_)
            | Answer::Candidates(_)
            | Answer::OfStore(_)
            | Answer::Saved
            | Answer::Staged { .. } => Err(self.gone()),
        }
    }

    /// The back half of a version.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask), `not_versioned`, `version_unknown`, `version_withdrawn`,
    /// `version_destroyed`, `version_unreadable`.
    pub async fn get_version(&self, id: VersionId) -> Result<KeyAnswer, KeyError> {
        self.answer(self.ask(Request::Version { id }).await?)
    }

    /// The versions, the newest first.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask), `not_versioned`, `version_unreadable`.
    pub async fn versions(&self) -> Result<Vec<VersionListing>, KeyError> {
        match self.ask(Request::Versions).await? {
            Answer::Versions(versions) => Ok(versions),
            Answer::Key { .. }
            | Answer::Version { .. }
            | Answer::Candidates(_)
            | Answer::OfStore(_)
            | Answer::Saved
            | Answer::Staged { .. } => Err(self.gone()),
        }
    }

    /// The back halves of all versions that are read, the current one first.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask), `version_unreadable`.
    pub async fn version_candidates(&self) -> Result<Vec<SecretKeyValue>, KeyError> {
        match self.ask(Request::Candidates).await? {
            Answer::Candidates(values) => Ok(values),
            Answer::Key { .. }
            | Answer::Version { .. }
            | Answer::Versions(_)
            | Answer::OfStore(_)
            | Answer::Saved
            | Answer::Staged { .. } => Err(self.gone()),
        }
    }
}
