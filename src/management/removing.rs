//! The operator's calls that take something away for good: a worker, a callback, an instance.

use crate::actors::coordinator::message::With;
use crate::key::event::Ticket;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::management::keys_management::KeysManagement;
use crate::rotation::act::{About, Deed};
use crate::rotation::error::RotationError;
use crate::rotation::event::Event;

impl KeysManagement {
    /// Removes a worker for good, alive or dead, as if it had left.
    ///
    /// # Errors
    /// `invalid_name`, `unknown_worker`, also for `main`; `callback_runs`; `timed_out`, `busy`,
    /// `repo_unavailable`, `write_unknown`, `unavailable`, `coordinator_failed`, `shut_down`, `forked`.
    pub async fn remove_worker(&self, worker: &str) -> Result<(), RotationError> {
        let worker = WorkerName::new(worker)?;
        let by = self.who();
        let about = About::Worker {
            worker: worker.clone(),
        };
        let leave = move |ticket| Event::Leave {
            ticket,
            worker,
            incarnation: None,
            by,
        };
        self.remove(about, leave).await
    }

    /// Removes an instance of a worker: a process that keeps the worker's steps waiting and will not come back. Of a
    /// call that it was given nothing is awaited any more, so that its process must not run on.
    ///
    /// # Errors
    /// `invalid_name`, `unknown_instance`, `timed_out`, `busy`, `repo_unavailable`, `write_unknown`, `unavailable`,
    /// `coordinator_failed`, `shut_down`, `forked`.
    pub async fn remove_instance(&self, worker: &str, number: u64) -> Result<(), RotationError> {
        let worker = WorkerName::new(worker)?;
        let by = self.who();
        let about = About::Instance {
            worker: worker.clone(),
            instance: number,
        };
        let remove = move |ticket| Event::RemoveInstance {
            ticket,
            worker,
            number,
            by,
        };
        self.remove(about, remove).await
    }

    /// Removes a worker's callback for good: it is taken out of every plan.
    ///
    /// # Errors
    /// `invalid_name`, `unknown_callback`, `callback_runs`, `timed_out`, `busy`, `repo_unavailable`,
    /// `write_unknown`, `unavailable`, `coordinator_failed`, `shut_down`, `forked`.
    pub async fn remove_callback(
        &self,
        worker: &str,
        key: &str,
        callback: &str,
    ) -> Result<(), RotationError> {
        let worker = WorkerName::new(worker)?;
        let key = KeyName::new(key)?;
        let callback = CallbackName::new(callback)?;
        let by = self.who();
        let about = About::Callback {
            worker: worker.clone(),
            key: key.clone(),
            callback: callback.clone(),
        };
        let remove = move |ticket| Event::RemoveCallback {
            ticket,
            worker,
            key,
            callback,
            by,
        };
        self.remove(about, remove).await
    }

    async fn remove(
        &self,
        about: About,
        make: impl FnOnce(Ticket) -> Event + Send + 'static,
    ) -> Result<(), RotationError> {
        self.inner.declarer.ask(With::Nothing, make).await?;
        self.tell_act(Deed::Removed, about.to_string());
        Ok(())
    }
}
