//! What a socket takes: bounds and times, and their defaults.

use std::time::Duration;

use crate::server::error::ServeError;

/// What a socket takes. Each bound has an error of its own.
///
/// ```
/// let mut bounds = keyward::ServeBounds::default();
/// bounds.connections = 64;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeBounds {
    /// Connections: 1,024 unless it is set. It is lowered, with a warning, where the limit of open files
    /// is lower.
    pub connections: usize,
    /// Connections of one user: 1,008 unless it is set, so that some are left for an operator.
    pub connections_of_user: usize,
    /// Requests under way of one connection: 256 unless it is set.
    pub requests_of_connection: usize,
    /// Requests under way of one user: 1,024 unless it is set.
    pub requests_of_user: usize,
    /// The bytes of one message about keys and of a worker: 8 MiB unless it is set.
    pub message_bytes: usize,
    /// The bytes of one message of an operator's: 64 KiB unless it is set.
    pub operate_message_bytes: usize,
    /// The bytes of one user's messages that have begun to come and are not read whole: 64 MiB unless it is
    /// set. As many bytes of answers may wait for the user to read them.
    pub undecoded_bytes_of_user: usize,
    /// Instances of workers: 1,024 unless it is set.
    pub instances: usize,
    /// How long a connection may take until its first request, and any message until its end: 10 s
    /// unless it is set. A peer that has not read for so long is cut off too.
    pub patience: Duration,
    /// How long after its last sign of life a connection is cut: 15 s unless it is set. It is asked for one
    /// before, by an HTTP/2 ping.
    pub silence: Duration,
}

impl Default for ServeBounds {
    fn default() -> Self {
        Self {
            connections: 1_024,
            connections_of_user: 1_008,
            requests_of_connection: 256,
            requests_of_user: 1_024,
            message_bytes: 8 << 20,
            operate_message_bytes: 64 << 10,
            undecoded_bytes_of_user: 64 << 20,
            instances: 1_024,
            patience: Duration::from_secs(10),
            silence: Duration::from_secs(15),
        }
    }
}

impl ServeBounds {
    /// Refuses a bound with which nothing could be done.
    pub(super) fn check(&self) -> Result<(), ServeError> {
        let bounds = [
            ("connections", self.connections == 0),
            ("connections_of_user", self.connections_of_user == 0),
            ("requests_of_connection", self.requests_of_connection == 0),
            ("requests_of_user", self.requests_of_user == 0),
            ("message_bytes", self.message_bytes == 0),
            ("operate_message_bytes", self.operate_message_bytes == 0),
            ("undecoded_bytes_of_user", self.undecoded_bytes_of_user == 0),
            ("instances", self.instances == 0),
            ("patience", self.patience.is_zero()),
            ("silence", self.silence.is_zero()),
        ];
        let zero = bounds.into_iter().find(|(_, is_zero)| *is_zero);
        zero.map_or(Ok(()), |(what, _)| Err(ServeError::ZeroBound { what }))
    }
}
