//! Changes as they are declared.

use crate::key::keeper_error::KeeperError;
use crate::secret::value::SecretKeys;
use crate::wire::generated::DeclareRequest;
use crate::wire::generated::declare_request;
use crate::wire::invalid::{InvalidMessage, id};
use crate::worker::change::{Change, New, Old};

impl TryFrom<&Change> for DeclareRequest {
    type Error = KeeperError;

    /// Refuses new keys that a store of this process is to give: over the socket a change carries values.
    fn try_from(change: &Change) -> Result<Self, KeeperError> {
        let old = match &change.old {
            Old::Undeclared => None,
            Old::Given(keys) => Some(declare_request::Old::OldKeys(keys.into())),
            Old::OfStore => Some(declare_request::Old::OldFromStore(true)),
        };
        let new_keys = match &change.new {
            New::Undeclared => None,
            New::Given(keys) => Some(keys.into()),
            New::Generated(_) => None,
            #[cfg(feature = "embedded")]
            New::From(_) => {
                let text = "the keeper reads no store of another process; give the new keys themselves, with \
                            Change::new_keys";
                return Err(KeeperError::new("invalid_declaration", false, text));
            }
        };
        Ok(Self {
            key: change.key.clone(),
            old,
            new_keys,
            id: change.id.map(|id| id.to_string()).unwrap_or_default(),
            reason: change.reason.clone().unwrap_or_default(),
            generated_bytes: match change.new {
                New::Generated(bytes) => Some(u32::try_from(bytes).unwrap_or(u32::MAX)),
                _ => None,
            },
            again: change.again,
        })
    }
}

impl TryFrom<DeclareRequest> for Change {
    type Error = InvalidMessage;

    fn try_from(request: DeclareRequest) -> Result<Self, InvalidMessage> {
        let old = match request.old {
            None | Some(declare_request::Old::OldFromStore(false)) => Old::Undeclared,
            Some(declare_request::Old::OldFromStore(true)) => Old::OfStore,
            Some(declare_request::Old::OldKeys(keys)) => Old::Given(keys.try_into()?),
        };
        let given = request.new_keys.map(SecretKeys::try_from).transpose()?;
        let new = match (given, request.generated_bytes) {
            (Some(keys), None) => New::Given(keys),
            (None, Some(bytes)) => New::Generated(usize::try_from(bytes).unwrap_or(usize::MAX)),
            (None, None) => New::Undeclared,
            (Some(_), Some(_)) => {
                let text = "is said beside new keys; give one of them";
                return Err(InvalidMessage::new("generated_bytes", text.to_owned()));
            }
        };
        let own = (!request.id.is_empty()).then(|| id("id", &request.id));
        Ok(Self {
            key: request.key,
            old,
            new,
            id: own.transpose()?.map(Into::into),
            reason: (!request.reason.is_empty()).then_some(request.reason),
            again: request.again,
        })
    }
}
