//! The settings of the manager: `[manager]`.

use std::time::Duration;

use keyward::KeysManagementBuilder;

use crate::config::kinds::{AtLeastOne, Limit, Time};
use crate::config::section::Section;

/// What can be set of the manager, apart from its folder and its master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagerSettings {
    worker_wait: Option<Limit>,
    max_crashes: AtLeastOne<u32>,
    max_callbacks: AtLeastOne<usize>,
    max_worker_requests: AtLeastOne<usize>,
    instances_at_once: AtLeastOne<usize>,
    reopen_every: Limit,
    history_age: Option<Limit>,
    history_count: Option<u64>,
    call_time_limit: Limit,
    shutdown_grace: Time,
    restarts: u32,
    restarts_within: Limit,
    restart_backoff: Time,
    store_threads: AtLeastOne<usize>,
    commands_at_once: AtLeastOne<usize>,
    async_threads: AtLeastOne<usize>,
    callback_threads: AtLeastOne<usize>,
}

impl ManagerSettings {
    /// Reads the table.
    pub fn read(whole: &Section<'_>) -> Self {
        let section = whole.table("manager");
        let history_age = Limit::seconds(2_557 * 24 * 60 * 60);
        let read = Self {
            worker_wait: section.read("worker_wait", Some(Limit::seconds(60))),
            max_crashes: section.read("max_crashes", AtLeastOne(5)),
            max_callbacks: section.read("max_callbacks", AtLeastOne(1_024)),
            max_worker_requests: section.read("max_worker_requests", AtLeastOne(256)),
            instances_at_once: section.read("instances_at_once", AtLeastOne(64)),
            reopen_every: section.read("reopen_every", Limit::seconds(5)),
            history_age: section.read("history_age", Some(history_age)),
            history_count: section.read("history_count", Some(10_000_000)),
            call_time_limit: section.read("call_time_limit", Limit::seconds(15)),
            shutdown_grace: section.read("shutdown_grace", Time(Duration::from_secs(10))),
            restarts: section.read("restarts", 5),
            restarts_within: section.read("restarts_within", Limit::seconds(10)),
            restart_backoff: section.read("restart_backoff", Time(Duration::from_millis(10))),
            store_threads: section.read("store_threads", AtLeastOne(64)),
            commands_at_once: section.read("commands_at_once", AtLeastOne(64)),
            async_threads: section.read("async_threads", AtLeastOne(8)),
            callback_threads: section.read("callback_threads", AtLeastOne(256)),
        };
        section.end();
        read
    }

    /// Sets them.
    pub fn set(&self, builder: KeysManagementBuilder) -> KeysManagementBuilder {
        builder
            .worker_wait(self.worker_wait.map(|Limit(wait)| wait))
            .max_crashes(self.max_crashes.0)
            .max_callbacks(self.max_callbacks.0)
            .max_worker_requests(self.max_worker_requests.0)
            .instances_at_once(self.instances_at_once.0)
            .reopen_every(self.reopen_every.0)
            .history_age(self.history_age.map(|Limit(age)| age))
            .history_count(self.history_count)
            .call_time_limit(self.call_time_limit.0)
            .shutdown_grace(self.shutdown_grace.0)
            .restart_intensity(self.restarts, self.restarts_within.0)
            .restart_backoff(self.restart_backoff.0)
            .store_threads(self.store_threads.0)
            .commands_at_once(self.commands_at_once.0)
            .async_threads(self.async_threads.0)
            .callback_threads(self.callback_threads.0)
    }
}
