//! What was counted, so that a reader sees that faults really happened.

use std::fmt;
use std::ops::AddAssign;

macro_rules! figures {
    ($($name:ident: $what:literal,)*) => {
        /// What was counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Figures {
            $(pub $name: u64,)*
        }

        impl Figures {
            /// What never happened.
            pub fn missing(&self) -> Vec<&'static str> {
                let mut missing = Vec::new();
                $(if self.$name == 0 { missing.push($what); })*
                missing
            }
        }

        impl AddAssign for Figures {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }

        impl fmt::Display for Figures {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(writeln!(f, "{}: {}", $what, self.$name)?;)*
                Ok(())
            }
        }
    };
}

figures! {
    events: "events",
    lives: "lives",
    crashes: "process crashes",
    crashes_in_a_write: "process crashes in a write that is found afterwards",
    killers: "process crashes by a callback",
    failed_starts: "starts that failed",
    shutdowns: "shutdowns",
    deaths: "coordinator deaths",
    uncalled: "calls that the worker's actor died before",
    batches: "batches made",
    refused: "writes refused",
    unknown_made: "unknown writes, made",
    unknown_unmade: "unknown writes, not made",
    unknown_saves: "unknown saves of a state record",
    panics: "panics of the repo in a write",
    recoveries: "recoveries in the same life",
    failed_reopenings: "reopenings that failed",
    failed_reads: "jobs that could not read",
    accepted: "rotations accepted",
    old_of_rotation: "undeclared old keys that are the new ones of the rotation before",
    old_held: "undeclared old keys that are held",
    old_sought_again: "undeclared old keys that were sought again",
    repeated: "declarations repeated under their id",
    refused_others: "other declarations refused under a known id",
    settled: "rotations settled",
    completed: "rotations completed",
    with_failures: "rotations completed with failures",
    stopped: "rotations stopped",
    obsolete: "rotations obsolete",
    aborted: "rotations aborted",
    resumed: "rotations resumed",
    called: "callbacks called",
    again: "callbacks called again in a later attempt",
    kept: "results of callbacks kept over a failed write or death",
    failing: "callbacks that failed",
    lost_calls: "callbacks of which the end was lost",
    stuck: "callbacks beyond their limit",
    late: "blocking callbacks that returned after their limit",
    saves: "saves staged by a callback",
    adopted: "changes adopted by a key",
    withdrawn: "changes withdrawn from a key",
    gets: "gets answered",
    refused_gets: "gets refused",
    owed: "back gets of what the forward path answered",
    candidates: "candidates answered",
    of_store: "answers of a store that change nothing",
    from_stores: "declarations whose keys a store answered",
    lacking: "callbacks that were due and lacked their turn or a thread",
    hanging: "stores that hung",
    dropped: "requests given up",
    lost: "requests lost with the coordinator",
    worker_deaths: "worker deaths",
    leaves: "workers and callbacks that left",
    late_joins: "callbacks that joined a plan late",
    waits: "waits answered",
    carried_waits: "waits carried over a failed write or death",
    unwritten: "answers that a write is unknown",
    unavailable: "answers that the repo is unavailable",
}
