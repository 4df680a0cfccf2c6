//! Why a fetch that was not answered by its store has failed, in words.

use std::time::Duration;

use crate::guard::fault::Fault;
use crate::secret::scrub::Scrubber;
use crate::store::origin::StoreOrigin;

/// What is said of a fetch with this limit, of which so much was left.
pub fn why(
    fault: Fault,
    origin: StoreOrigin,
    limit: Duration,
    left: Duration,
    scrubber: &Scrubber,
) -> String {
    let threads = match origin {
        StoreOrigin::Command => "commands",
        StoreOrigin::File => "key files",
        StoreOrigin::Foreign | StoreOrigin::Closure | StoreOrigin::Environment => "blocking stores",
    };
    match fault {
        Fault::NoThread { threads: bound } if left > Duration::ZERO => format!(
            "no thread: all {bound} threads for {threads} are held by calls that have passed \
             their time limits; see which stores hang"
        ),
        Fault::NoThread { threads: bound } => format!(
            "no thread: none of the {bound} threads for {threads} was free within {limit:?}; \
             see which are slow, or allow more threads"
        ),
        Fault::ThreadRefused { .. } => format!("no thread: {fault}"),
        Fault::TimedOut { .. } => Fault::TimedOut { limit }.to_string(),
        fault => fault.described(scrubber),
    }
}
