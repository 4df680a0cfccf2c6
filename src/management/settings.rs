//! What can be set of a manager, and every default.

use std::time::Duration;

use crate::actors::supervision::budget::RestartLimits;
use crate::guard::plugins::PluginThreads;
#[cfg(feature = "testing")]
use crate::management::testing::PluginPanics;
use crate::rotation::machine::RotationConfig;
use crate::rotation::retention::HistoryLimits;

const SEVEN_YEARS: Duration = Duration::from_secs(2_557 * 24 * 60 * 60);

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
            instances_at_once,
            reopen_every,
        } = &self.rotation;
        let bounds = [
            ("max_crashes", *max_crashes == 0),
            ("max_callbacks", *max_callbacks == 0),
            ("instances_at_once", *instances_at_once == 0),
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
                worker_wait: Some(Duration::from_secs(60)),
                warn_after: Some(Duration::from_secs(5)),
                max_crashes: 5,
                max_callbacks: 1_024,
                instances_at_once: 64,
                reopen_every: Duration::from_secs(5),
            },
            history: HistoryLimits {
                max_age: Some(SEVEN_YEARS),
                max_count: Some(10_000_000),
            },
            threads: PluginThreads::default(),
            restarts: RestartLimits {
                most: 5,
                within: Duration::from_secs(10),
                backoff: Duration::from_millis(10),
            },
            shutdown_grace: Duration::from_secs(10),
            // As long as one that asks for a key.
            call_time_limit: Duration::from_secs(15),
            max_worker_requests: 256,
            #[cfg(feature = "testing")]
            panics: PluginPanics::default(),
        }
    }
}
