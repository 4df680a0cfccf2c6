//! What a worker's handle asks of the keeper: in the keeper's own process the actors answer, in another
//! one a connection.

use std::future::Future;
use std::pin::Pin;

use crate::key::answer::KeyAnswer;
use crate::key::error::KeyError;
use crate::key::flow::SecretKeyFlow;
use crate::key::name::WorkerName;
use crate::key::versions::id::VersionId;
use crate::key::versions::listing::VersionListing;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::rotation::report::RotationReport;
use crate::secret::value::SecretKeyValue;
use crate::worker::callback::Callback;
use crate::worker::caught_up::CaughtUp;
use crate::worker::change::Change;

/// What a key is asked for.
pub type AskedOfKey<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeyError>> + Send + 'a>>;
/// What is asked about rotations, callbacks and the worker itself.
pub type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, RotationError>> + Send + 'a>>;

/// A worker that has joined, wherever it is. Dropping it is the worker's death.
pub trait Membership: Send + Sync + 'static {
    /// The worker's name.
    fn name(&self) -> &WorkerName;
    /// A key on this flow, or on the flow that the key chooses.
    fn get<'a>(&'a self, key: &'a str, flow: Option<SecretKeyFlow>) -> AskedOfKey<'a, KeyAnswer>;
    /// The back half of a version.
    fn get_version<'a>(&'a self, key: &'a str, id: VersionId) -> AskedOfKey<'a, KeyAnswer>;
    /// The versions of a key, the newest first.
    fn versions<'a>(&'a self, key: &'a str) -> AskedOfKey<'a, Vec<VersionListing>>;
    /// Every back half that data may be under.
    fn candidates<'a>(&'a self, key: &'a str) -> AskedOfKey<'a, Vec<SecretKeyValue>>;
    /// Writes the state of a stated key.
    fn save_state<'a>(&'a self, key: &'a str) -> AskedOfKey<'a, ()>;
    /// Writes the state of every stated key.
    fn save_states(&self) -> AskedOfKey<'_, ()>;
    /// Registers a callback; says with what it was caught up.
    fn register<'a>(
        &'a self,
        key: &'a str,
        callback: &'a str,
        call: Callback,
    ) -> Asked<'a, CaughtUp>;
    /// Says that all callbacks are registered.
    fn ready(&self) -> Asked<'_, ()>;
    /// Declares a change.
    fn declare(&self, change: Change) -> Asked<'_, RotationId>;
    /// Waits for the end of a rotation.
    fn wait(&self, id: RotationId) -> Asked<'_, RotationReport>;
    /// Declares a change, and waits for the end of its rotation: the report, also of one that raises.
    fn change(&self, change: Change) -> Asked<'_, RotationReport>;
    /// Waits until it is no worker any more, and says why.
    fn removed(&self) -> Pin<Box<dyn Future<Output = RotationError> + Send + '_>>;
    /// Leaves for good.
    fn leave(&self) -> Asked<'_, ()>;
}
