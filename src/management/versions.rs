//! What the manager answers of keys that have versions.

use crate::key::answer::KeyAnswer;
use crate::key::error::KeyError;
use crate::key::versions::id::VersionId;
use crate::key::versions::listing::VersionListing;
use crate::management::keys_management::KeysManagement;
use crate::management::single::SingleKeyManagement;
use crate::secret::value::SecretKeyValue;
use crate::worker::membership::Membership;

impl KeysManagement {
    /// The version of this id of a key that has versions: the half that data under it is read with. Nothing but
    /// memory is asked.
    ///
    /// # Errors
    /// `version_unknown` for an id that the key does not have, also one of another key; `version_withdrawn`,
    /// `version_destroyed`, `version_unreadable`; `not_versioned` for a key without versions; `key_not_defined`,
    /// `invalid_name`, `timed_out`, `busy`, `unavailable`, `key_failed`, `shut_down`, `forked`.
    pub async fn get_version(&self, key: &str, id: VersionId) -> Result<KeyAnswer, KeyError> {
        self.main.get_version(key, id).await
    }

    /// The versions of a key, the newest first: their states, and what each owes to whom.
    ///
    /// # Errors
    /// `not_versioned` for a key without versions; `version_unreadable`; `key_not_defined`, `invalid_name`,
    /// `timed_out`, `busy`, `unavailable`, `key_failed`, `shut_down`, `forked`.
    pub async fn versions(&self, key: &str) -> Result<Vec<VersionListing>, KeyError> {
        self.main.versions(key).await
    }

    /// All keys that data of a key may be under which carries no id of a version, each once, the likeliest first:
    /// of a key with versions, the back halves of all that are read, the current one first. Another name of
    /// [`back_path_candidates`](Self::back_path_candidates).
    ///
    /// # Errors
    /// As there.
    pub async fn candidates(&self, key: &str) -> Result<Vec<SecretKeyValue>, KeyError> {
        self.back_path_candidates(key).await
    }
}

impl SingleKeyManagement {
    /// As [`KeysManagement::get_version`].
    ///
    /// # Errors
    /// `version_unknown`, `version_withdrawn`, `version_destroyed`, `version_unreadable`, `not_versioned`,
    /// `timed_out`, `busy`, `unavailable`, `key_failed`, `shut_down`, `forked`.
    pub async fn get_version(&self, id: VersionId) -> Result<KeyAnswer, KeyError> {
        self.entry.get_version(id).await
    }

    /// As [`KeysManagement::versions`].
    ///
    /// # Errors
    /// `not_versioned`, `version_unreadable`, `timed_out`, `busy`, `unavailable`, `key_failed`, `shut_down`,
    /// `forked`.
    pub async fn versions(&self) -> Result<Vec<VersionListing>, KeyError> {
        self.entry.versions().await
    }

    /// As [`KeysManagement::candidates`].
    ///
    /// # Errors
    /// As [`back_path_candidates`](Self::back_path_candidates).
    pub async fn candidates(&self) -> Result<Vec<SecretKeyValue>, KeyError> {
        self.back_path_candidates().await
    }
}
