//! How many calls of plug-ins and of keyward's own stores run at once.

use crate::management::builder::KeysManagementBuilder;

impl KeysManagementBuilder {
    /// How many blocking stores may run, or hang, at once; a fetch beyond that waits for a thread
    /// within its time limit. Key files have as many threads of their own. 1 at least. Default: 64.
    pub fn store_threads(mut self, threads: usize) -> Self {
        self.settings.threads.stores = threads;
        self
    }

    /// How many commands run at once; the others wait within their time limits. 1 at least. Default: 64.
    pub fn commands_at_once(mut self, commands: usize) -> Self {
        self.settings.threads.commands = commands;
        self
    }

    /// How many threads all async stores and callbacks share. They must not block: one that blocks
    /// its thread beyond its time limit is named in a warning, and the others go on, on the threads
    /// that are left. 1 at least. Default: 8.
    pub fn async_threads(mut self, threads: usize) -> Self {
        self.settings.threads.asyncs = threads;
        self
    }

    /// How many blocking callbacks may run, or hang, at once; the others wait. 1 at least. Default: 256.
    pub fn callback_threads(mut self, threads: usize) -> Self {
        self.settings.threads.callbacks = threads;
        self
    }
}
