//! What can be set of a manager, and every default.

use std::time::Duration;

use crate::actors::supervision::budget::RestartLimits;
use crate::guard::plugins::PluginThreads;
use crate::management::definition::DEFAULT_REQUEST_TIME_LIMIT;
#[cfg(feature = "testing")]
use crate::management::testing::PluginPanics;
use crate::rotation::machine::RotationConfig;
use crate::rotation::retention::HistoryLimits;

/// How long a due step waits for its worker and callback until an event warns of it.
const WARN_AFTER: Duration = Duration::from_secs(5);

/// How long a due step waits for its worker and callback by default.
pub const DEFAULT_WORKER_WAIT: Duration = Duration::from_secs(60);
/// After how many crashes in a row a step has Failed by default.
pub const DEFAULT_MAX_CRASHES: u32 = 5;
/// How many callbacks a worker may have by default.
pub const DEFAULT_MAX_CALLBACKS: usize = 1_024;
/// How long after a failed attempt to reopen the repo the next one is made by default.
pub const DEFAULT_REOPEN_EVERY: Duration = Duration::from_secs(5);
/// How many requests for keys a worker may have under way by default.
pub const DEFAULT_MAX_WORKER_REQUESTS: usize = 256;
/// How many blocking stores may run at once by default.
pub const DEFAULT_STORE_THREADS: usize = 64;
/// How many commands run at once by default.
pub const DEFAULT_COMMANDS_AT_ONCE: usize = 64;
/// How many threads async stores and callbacks share by default.
pub const DEFAULT_ASYNC_THREADS: usize = 8;
/// How many blocking callbacks may run at once by default.
pub const DEFAULT_CALLBACK_THREADS: usize = 256;
/// How long a call that asks for no key may take by default: as long as one that does.
pub const DEFAULT_CALL_TIME_LIMIT: Duration = DEFAULT_REQUEST_TIME_LIMIT;
/// How long running callbacks may go on at shutdown by default.
pub const DEFAULT_SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// How often a dead actor is started again, by default, within [`DEFAULT_RESTARTS_WITHIN`].
pub const DEFAULT_MAX_RESTARTS: u32 = 5;
/// The time in which restarts are counted by default.
pub const DEFAULT_RESTARTS_WITHIN: Duration = Duration::from_secs(10);
/// How long the first restart of an actor waits by default.
pub const DEFAULT_RESTART_BACKOFF: Duration = Duration::from_millis(10);

/// How long a rotation is remembered after its end by default: seven years.
pub const DEFAULT_HISTORY_AGE: Duration = Duration::from_secs(2_557 * 24 * 60 * 60);
/// How many rotations that have ended are remembered by default.
pub const DEFAULT_HISTORY_COUNT: u64 = 10_000_000;

/// However short the time between two attempts to reopen the repo is set.
const SHORTEST_REOPEN_EVERY: Duration = Duration::from_millis(1);

/// What can be set apart from the plug-ins.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) rotation: RotationConfig,
    pub(crate) history: HistoryLimits,
    pub(crate) threads: PluginThreads,
    pub(crate) restarts: RestartLimits,
    pub(crate) shutdown_grace: Duration,
    pub(crate) call_time_limit: Duration,
    pub(crate) max_worker_requests: usize,
    #[cfg(feature = "testing")]
    pub(crate) panics: PluginPanics,
}

impl Settings {
    /// A bound or time that is zero and must not be: with it nothing could be done, or the same
    /// thing were done without end.
    pub(crate) fn zero_bound(&self) -> Option<&'static str> {
        let RotationConfig {
            worker_wait,
            warn_after: _,
            max_crashes,
            max_callbacks,
            reopen_every,
        } = &self.rotation;
        let bounds = [
            ("max_crashes", *max_crashes == 0),
            ("max_callbacks", *max_callbacks == 0),
            ("max_worker_requests", self.max_worker_requests == 0),
            ("store_threads", self.threads.stores == 0),
            ("commands_at_once", self.threads.commands == 0),
            ("async_threads", self.threads.asyncs == 0),
            ("callback_threads", self.threads.callbacks == 0),
            ("call_time_limit", self.call_time_limit.is_zero()),
            ("reopen_every", reopen_every.is_zero()),
            ("worker_wait", *worker_wait == Some(Duration::ZERO)),
            (
                "the time of restart_intensity",
                self.restarts.are_unbounded(),
            ),
        ];
        let zero = bounds.into_iter().find(|(_, is_zero)| *is_zero);
        zero.map(|(what, _)| what)
    }

    /// Raises what is shorter than keyward can do; no program notices, so no error is answered.
    pub(crate) fn keep_to_bounds(&mut self) {
        let reopen_every = &mut self.rotation.reopen_every;
        *reopen_every = SHORTEST_REOPEN_EVERY.max(*reopen_every);
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rotation: RotationConfig {
                worker_wait: Some(DEFAULT_WORKER_WAIT),
                warn_after: Some(WARN_AFTER),
                max_crashes: DEFAULT_MAX_CRASHES,
                max_callbacks: DEFAULT_MAX_CALLBACKS,
                reopen_every: DEFAULT_REOPEN_EVERY,
            },
            history: HistoryLimits {
                max_age: Some(DEFAULT_HISTORY_AGE),
                max_count: Some(DEFAULT_HISTORY_COUNT),
            },
            threads: PluginThreads {
                stores: DEFAULT_STORE_THREADS,
                commands: DEFAULT_COMMANDS_AT_ONCE,
                asyncs: DEFAULT_ASYNC_THREADS,
                callbacks: DEFAULT_CALLBACK_THREADS,
            },
            restarts: RestartLimits {
                most: DEFAULT_MAX_RESTARTS,
                within: DEFAULT_RESTARTS_WITHIN,
                backoff: DEFAULT_RESTART_BACKOFF,
            },
            shutdown_grace: DEFAULT_SHUTDOWN_GRACE,
            call_time_limit: DEFAULT_CALL_TIME_LIMIT,
            max_worker_requests: DEFAULT_MAX_WORKER_REQUESTS,
            #[cfg(feature = "testing")]
            panics: PluginPanics::default(),
        }
    }
}
