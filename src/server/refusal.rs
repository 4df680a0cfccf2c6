//! What the socket itself refuses, before anything is asked of keys and rotations.

use std::time::Duration;

use tonic::Status;

use crate::server::grants::right::Right;
use crate::wire::generated::Refusal;

/// What the socket itself refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SocketRefusal {
    #[error("the keeper has {bound} connections already; connect again later")]
    Connections { bound: usize },
    #[error("this user has {bound} connections already; close some, or connect again later")]
    ConnectionsOfUser { bound: usize },
    #[error(
        "this connection has {bound} requests under way already; ask again when one is answered"
    )]
    RequestsOfConnection { bound: usize },
    #[error("this user has {bound} requests under way already; ask again when one is answered")]
    RequestsOfUser { bound: usize },
    #[error("a message of {bytes} bytes is larger than the bound of {bound}")]
    MessageTooLarge { bytes: usize, bound: usize },
    #[error(
        "this user's messages that have not come whole have {bound} bytes already; ask again later"
    )]
    Undecoded { bound: usize },
    #[error(
        "this user's answers that have not been read have {bound} bytes already; ask again later"
    )]
    Unsent { bound: usize },
    #[error("the request had not come whole within {limit:?}")]
    Incomplete { limit: Duration },
    #[error(
        "not permitted: the grants give this user no such right ({})",
        rights(right)
    )]
    NotPermitted { right: Vec<Right> },
    #[error("there are {bound} instances of workers already; join again later")]
    Instances { bound: usize },
    #[error(
        "this connection has joined a worker already; join another one over a connection of its own"
    )]
    AlreadyJoined,
    #[error("the keeper ends; connect again later")]
    ShutDown,
    #[error("there is no such call; the keeper may be older than its client")]
    NoSuchCall,
}

fn rights(right: &[Right]) -> String {
    let names: Vec<String> = right.iter().map(ToString::to_string).collect();
    names.join(", ")
}

impl SocketRefusal {
    /// Its stable code, which is the reason in the status that is sent.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Connections { .. } => "too_many_connections",
            Self::ConnectionsOfUser { .. } => "too_many_connections_of_user",
            Self::RequestsOfConnection { .. } => "too_many_requests_of_connection",
            Self::RequestsOfUser { .. } => "too_many_requests_of_user",
            Self::MessageTooLarge { .. } => "message_too_large",
            Self::Undecoded { .. } | Self::Unsent { .. } => "busy",
            Self::Incomplete { .. } => "request_incomplete",
            Self::NotPermitted { .. } => "permission_denied",
            Self::Instances { .. } => "too_many_instances",
            Self::AlreadyJoined => "already_joined",
            Self::ShutDown => "shut_down",
            Self::NoSuchCall => "unimplemented",
        }
    }

    /// Whether the same may succeed later.
    fn is_retriable(&self) -> bool {
        match self {
            Self::Connections { .. }
            | Self::ConnectionsOfUser { .. }
            | Self::RequestsOfConnection { .. }
            | Self::RequestsOfUser { .. }
            | Self::Undecoded { .. }
            | Self::Unsent { .. }
            | Self::Incomplete { .. }
            | Self::Instances { .. }
            | Self::ShutDown => true,
            Self::AlreadyJoined => false,
            Self::MessageTooLarge { .. } | Self::NotPermitted { .. } | Self::NoSuchCall => false,
        }
    }
}

impl From<SocketRefusal> for Refusal {
    fn from(refusal: SocketRefusal) -> Self {
        let text = refusal.to_string();
        Self::new(refusal.reason(), refusal.is_retriable(), text)
    }
}

impl From<SocketRefusal> for Status {
    fn from(refusal: SocketRefusal) -> Self {
        Refusal::from(refusal).into()
    }
}
