//! Descriptors enough for all connections that may be, or fewer connections.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::server::bounds::ServeBounds;
use crate::server::error::ServeError;

/// So many descriptors are left for all else that opens some later: the journal's files, stores, commands.
const RESERVE: u64 = 256;

/// A connection has its own, and one of its peer's process.
const OF_CONNECTION: u64 = 2;

/// What became of the limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fitted {
    /// All connections fit.
    All,
    /// The bounds were lowered to this limit.
    Lowered {
        /// The limit of open files.
        limit: u64,
    },
}

/// Raises the limit of open files so that all connections fit, or lowers the bounds.
///
/// # Errors
/// `no_descriptor` where not one connection fits.
pub(super) fn fit(bounds: &mut ServeBounds) -> Result<Fitted, ServeError> {
    let open = fs::read_dir("/proc/self/fd").map_or(RESERVE, |open| open.count() as u64);
    let limits = getrlimit(Resource::Nofile);
    let needed = needed(bounds, open);
    let soft = limits.current.unwrap_or(u64::MAX);
    if soft >= needed {
        return Ok(Fitted::All);
    }
    let hard = limits.maximum.unwrap_or(u64::MAX);
    let raised = Rlimit {
        current: Some(needed.min(hard)),
        maximum: limits.maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => needed.min(hard),
        Err(_) => soft,
    };
    lower(bounds, open, limit)
}

fn needed(bounds: &ServeBounds, open: u64) -> u64 {
    let connections = u64::try_from(bounds.connections).unwrap_or(u64::MAX);
    let of_connections = connections.saturating_mul(OF_CONNECTION);
    open.saturating_add(RESERVE).saturating_add(of_connections)
}

fn lower(bounds: &mut ServeBounds, open: u64, limit: u64) -> Result<Fitted, ServeError> {
    if needed(bounds, open) <= limit {
        return Ok(Fitted::All);
    }
    let left = limit.saturating_sub(open.saturating_add(RESERVE)) / OF_CONNECTION;
    let connections = usize::try_from(left).unwrap_or(usize::MAX);
    if connections == 0 {
        return Err(ServeError::Descriptor { limit });
    }
    // As many as before are left for others than one user.
    let of_others = bounds
        .connections
        .saturating_sub(bounds.connections_of_user);
    bounds.connections = connections;
    bounds.connections_of_user = connections
        .saturating_sub(of_others)
        .max(connections / 2)
        .max(1);
    Ok(Fitted::Lowered { limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_fit_stay_and_others_are_lowered_to_the_limit() {
        for (limit, connections, of_user) in [
            (1 << 20, 1_024, 1_008),
            (100 + 256 + 2_048, 1_024, 1_008),
            (100 + 256 + 2_046, 1_023, 1_007),
            (1_024, 334, 318),
            (100 + 256 + 20, 10, 5),
            (100 + 256 + 2, 1, 1),
        ] {
            let mut bounds = ServeBounds::default();
            let fitted = lower(&mut bounds, 100, limit).unwrap();
            assert_eq!(fitted == Fitted::All, connections == 1_024);
            assert_eq!(bounds.connections, connections, "{limit}");
            assert_eq!(bounds.connections_of_user, of_user, "{limit}");
        }
        let none = lower(&mut ServeBounds::default(), 100, 356);
        assert_eq!(none.unwrap_err().code(), "no_descriptor");
    }
}
