//! Calls that look and change nothing: what a store answers, one rotation, the plan of a change.

use tokio::sync::oneshot;

use crate::actors::coordinator::message::CoordinatorMessage;
use crate::actors::overview::FoundRotation;
use crate::guard::fork;
use crate::key::effect::Answer;
use crate::key::error::KeyError;
use crate::key::event::Request;
#[cfg(feature = "server")]
use crate::key::name::KeyName;
use crate::key::versions::listing::VersionListing;
use crate::key::versions::rules::VersionRules;
use crate::management::answer::{about, find};
use crate::management::keys_management::KeysManagement;
use crate::operator::plan::{ChangePlan, PlannedStep, PlannedVersions};
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::rotation::instance::CallbackOf;
use crate::rotation::report::{RotationReport, WaitsFor};
use crate::rotation::state::RotationState;
use crate::secret::value::SecretKeys;

impl KeysManagement {
    /// What the key's store answers now. It changes nothing: no flow, nothing held.
    ///
    /// # Errors
    /// `key_not_defined`, `invalid_name`, `invalid_key`, `store_failed`, `timed_out`, `busy`,
    /// `unavailable`, `key_failed`, `shut_down`, `forked`.
    pub async fn look(&self, key: &str) -> Result<SecretKeys, KeyError> {
        let entry = self.inner.declarer.directory.find(key)?;
        match entry.ask(Request::AskStore).await? {
            Answer::OfStore(fetched) => Ok(fetched.keys),
            Answer::Key { .. }
            | Answer::Version { .. }
            | Answer::Versions(_)
            | Answer::Candidates(_)
            | Answer::Saved
            | Answer::Staged { .. } => Err(entry.gone()),
        }
    }

    /// One rotation, whether it has ended or not.
    ///
    /// # Errors
    /// `unknown_rotation`, `rotation_unreadable`, `timed_out`, `busy`, `repo_unavailable`, `unavailable`,
    /// `coordinator_failed`, `shut_down`, `forked`.
    pub async fn rotation(&self, id: RotationId) -> Result<RotationReport, RotationError> {
        let found = async {
            match self.find_rotation(id).await? {
                FoundRotation::Readable(report) => Ok(*report),
                FoundRotation::Unreadable(one) => {
                    let why = one.why;
                    Err(RotationError::Unreadable { id, why })
                }
                FoundRotation::NotHere => self.inner.ended(id).await,
            }
        };
        self.inner.declarer.within(Some(id), found).await
    }

    /// The key of a rotation, whether it has ended or not; none of one that is not known.
    ///
    /// # Errors
    /// As [`rotation`](Self::rotation), of one that has ended and cannot be read too.
    #[cfg(feature = "server")]
    pub(crate) async fn key_of_rotation(
        &self,
        id: RotationId,
    ) -> Result<Option<KeyName>, RotationError> {
        let found = async {
            match self.find_rotation(id).await? {
                FoundRotation::Readable(report) => Ok(Some(report.key)),
                FoundRotation::Unreadable(one) => Ok(Some(one.key)),
                FoundRotation::NotHere => match self.inner.ended(id).await {
                    Ok(report) => Ok(Some(report.key)),
                    Err(RotationError::Unknown { .. }) => Ok(None),
                    Err(error) => Err(error),
                },
            }
        };
        self.inner.declarer.within(Some(id), found).await
    }

    async fn find_rotation(&self, id: RotationId) -> Result<FoundRotation, RotationError> {
        fork::refuse_child()?;
        let coordinator = &self.inner.declarer.coordinator;
        let permit = coordinator.permit()?;
        let (reply, found) = oneshot::channel();
        coordinator.post(CoordinatorMessage::Find { id, reply, permit });
        found.await.map_err(|_| about(id, coordinator.gone()))
    }

    /// What would happen if a key changed now: which callbacks would be called, which are missing, what is in
    /// the way.
    ///
    /// # Errors
    /// `key_not_defined`, `invalid_name`; `busy` while 64 others are being answered; `version_unreadable`, `timed_out`,
    /// `unavailable`, `shut_down`, `forked`.
    pub async fn plan(&self, key: &str) -> Result<ChangePlan, RotationError> {
        let entry = find(&self.inner, key)?;
        let key = entry.name();
        let mut overview = self.inner.declarer.within(None, self.overview()).await?;
        let mut waits_for = Vec::new();
        if overview.paused.is_some() {
            waits_for.push(WaitsFor::Journal);
        }
        let unreadable = overview.unreadable.iter().filter(|one| one.key == *key);
        waits_for.extend(unreadable.map(|one| WaitsFor::Unreadable { id: one.id }));
        let goes_on = |state| matches!(state, RotationState::Waiting | RotationState::Running);
        let reports = overview.reports();
        let earlier = reports.iter();
        let earlier = earlier.filter(|report| report.key == *key && goes_on(report.state));
        waits_for.extend(earlier.map(|report| WaitsFor::Rotation { id: report.id }));
        let (steps, missing) = overview.planned(key);
        waits_for.extend(missing);
        let versions = match &entry.behaviour().versions {
            Some(rules) => {
                let versions = entry.versions().await.map_err(RotationError::OfKey)?;
                planned_versions(rules, versions, &steps)
            }
            None => None,
        };
        Ok(ChangePlan {
            key: key.clone(),
            strategy: entry.behaviour().error_strategy,
            steps,
            waits_for,
            versions,
        })
    }

    /// Why no rotation can run, if so.
    ///
    /// # Errors
    /// `busy`, `timed_out`, `unavailable`, `shut_down`, `forked`.
    #[cfg(feature = "server")]
    pub(crate) async fn standstill(&self) -> Result<Option<String>, RotationError> {
        let overview = self.inner.declarer.within(None, self.overview()).await?;
        Ok(overview.paused)
    }
}

/// What a change of a key with these versions would begin with.
fn planned_versions(
    rules: &VersionRules,
    versions: Vec<VersionListing>,
    steps: &[PlannedStep],
) -> Option<PlannedVersions> {
    let current = versions.into_iter().find(|version| version.is_current)?;
    let mut copies: Vec<_> = current.debts.into_iter().map(|debt| debt.worker).collect();
    copies.retain(|worker| {
        let of_memory = |step: &PlannedStep| step.kind == CallbackOf::Memory;
        !steps
            .iter()
            .any(|step| step.worker == *worker && of_memory(step))
    });
    Some(PlannedVersions {
        current: current.id,
        number: current.number,
        drain: rules.drain,
        copies,
    })
}
