//! keyward: secret keys that many workers share and that change while everything runs.
//!
//! Workers ask for keys. When a key is to change, keyward calls every worker's callback, in order, with
//! the old keys and the new ones, and writes each step to a journal first: a change that a crash
//! interrupted goes on at the next start where it was.
//!
//! ```
//! use keyward::{Change, Effect, KeyChange, KeysManagement, RotationState, SecretKeyDefinition};
//! # use std::{error::Error, fs};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn Error>> {
//! # let folder = tempfile::tempdir()?;
//! # std::env::set_current_dir(&folder)?;
//!     // A store is a closure, a variable, a file or a command. Here: what the program has read.
//!     let keys = KeysManagement::builder()
//!         .data_folder("data")
//!         .master_key(|| *b"32 bytes of the system's random ")
//!         .start()
//!         .await?;
//!     let documents = SecretKeyDefinition::round_trip("documents", || "the old key");
//!     keys.define_key(documents).await?;
//!
//!     // A worker gets its key, and says what to do when the key changes.
//!     let anna = keys.join("anna").await?;
//!     let key = anna.get_forward_path_key("documents").await?;
//!     assert_eq!(key.expose_str(), Some("the old key"));
//!     let reencrypt = async |change: KeyChange| {
//!         // Here anna opens her documents with change.old_keys, and seals them with change.new_keys.
//!         assert!(change.old_keys.is_some() && change.new_keys.is_some());
//!         Effect::Reencrypted
//!     };
//!     anna.register_on_change("documents", "reencrypt", reencrypt).await?;
//!
//!     // The change is declared; its report says how it ended. The store switches after that.
//!     let change = Change::of("documents").old("the old key").new_keys("the new key");
//!     let report = keys.key_changed(change).await?;
//!     assert_eq!(report.state, RotationState::Completed);
//!     Ok(keys.shutdown().await?)
//! }
//! ```
//!
//! Five things to know:
//!
//! 1. **A failed callback is not an `Err`.** Under the default strategy, `Halt`, it stops the rotation, and
//!    [`key_changed`](KeysManagement::key_changed) answers `Ok`: look at [`RotationReport::state`].
//! 2. **Name the old keys**, with [`Change::old`] or [`Change::old_from_store`]. Without them a callback gets what
//!    keyward holds, which may be nothing.
//! 3. **Callbacks must be idempotent.** One that a crash interrupted is called again, under the same
//!    [rotation id](OnChangeKeyDefinition::rotation_id) with a higher [attempt](OnChangeKeyDefinition::attempt).
//! 4. **Read random bytes with [`exact`](FileStore::exact).** Without it, a line end at the end of a file is cut.
//! 5. **The store switches last**: declare, wait for the end, then let the store answer the new keys.
//!
//! Where to go on: [`docs::using`] is a program with workers, files and restarts; [`docs::versions`] is
//! keys with versions, for data that has to stay readable; [`docs::promised`] is what holds and what does not; [`docs::programs`] is for programs that know nothing of keyward, [`docs::protocol`] for
//! clients in other languages; [`docs::configuration`], [`docs::operator`], [`docs::command_line`],
//! [`docs::errors`] and [`docs::costs`] are for those who run it.
//! [`docs::architecture`] is how it is built, [`promises`] what is promised and which test shows it, [`proofs`]
//! how the harder promises are proved. A thread without an async runtime waits with [`block_on`].
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `embedded` (default) | all that keeps keys in this process: manager, stores, the journal on RocksDB |
//! | `client` (default) | workers in other processes than the keeper's, with no RocksDB, C++ or actix |
//! | `server` (default) | the keeper's socket, which such workers and the command line reach |
//! | `cli` (default) | the command line `keyward` |
//! | `serde` | `Serialize` for status, reports and listings, which hold no secret |
//!
//! With none of them the crate is what a client's code names: names, values, errors, callbacks, reports.
//!
//! # Which file to open
//!
//! | to change | open |
//! | --- | --- |
//! | where keys come from: a new store | `src/store/keys_store.rs` is the trait, `src/store/env.rs` the shortest store |
//! | what can go wrong: a new error | the `error.rs` of the folder that finds it; its code also in `src/docs/errors.md` |
//! | what is on disk: a new record | its file in `src/journal/codec/`, and the list in `src/journal/records.rs` |
//! | the order of a rotation's steps | `src/rotation/run.rs`; which step may begin: `src/rotation/prepare.rs` |
//! | what an operator is told | `src/operator/status.rs`, and `shown.rs` for its words |
//! | what a key answers | `src/key/machine.rs` |
//! | what becomes of a key's versions | `src/key/versions/table.rs`; when a rotation turns to another: `src/rotation/turning.rs` |
//! | a call of the manager, a default | `src/management/keys_management.rs`, `src/management/settings.rs` |
//! | what goes over the socket: a new message | `src/wire/keyward/v1/keyward.proto`, then its file beside it |
//! | who does it: an actor, its messages, its restarts | `src/actors/mod.rs`; each actor is one file or folder there |
//! | where records lie: a new state repo | `src/repo/state_repo.rs`, and [`conformance`] checks it |
//!
//! All public names stand here at the root; the folders of `src` are the crate's own.

#![deny(missing_docs, unsafe_code)]
#![cfg_attr(not(feature = "testing"), deny(unnameable_types))]
#![cfg_attr(
    not(feature = "server"),
    allow(
        dead_code,
        reason = "machines, events and phases have parts that only the keeper's socket uses"
    )
)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

// The folders. With `testing`, which the crate's own tests, benches and examples have, those that they look into
// are open.
#[cfg(feature = "embedded")]
mod actors;
#[cfg(all(feature = "client", not(feature = "testing")))]
mod client;
#[cfg(all(feature = "embedded", not(feature = "testing")))]
mod crypto;
#[cfg(not(feature = "testing"))]
mod guard;
#[cfg(all(feature = "embedded", not(feature = "testing")))]
mod journal;
#[cfg(not(feature = "testing"))]
mod key;
#[cfg(all(feature = "embedded", not(feature = "testing")))]
mod management;
#[cfg(not(feature = "testing"))]
mod operator;
#[cfg(all(feature = "embedded", not(feature = "testing")))]
mod repo;
#[cfg(not(feature = "embedded"))]
mod repo {
    //! What names the place of a record that the keeper could not read.
    pub mod space;
}
#[cfg(not(feature = "testing"))]
mod rotation;
#[cfg(not(feature = "testing"))]
mod secret;
#[cfg(feature = "server")]
mod server;
#[cfg(all(feature = "embedded", not(feature = "testing")))]
mod store;
#[cfg(all(any(feature = "client", feature = "server"), not(feature = "testing")))]
mod wire;
#[cfg(not(feature = "testing"))]
mod worker;

#[cfg(all(feature = "client", feature = "testing"))]
pub mod client;
#[cfg(feature = "testing")]
pub mod crypto;
#[cfg(feature = "testing")]
pub mod guard;
#[cfg(feature = "testing")]
pub mod journal;
#[cfg(feature = "testing")]
pub mod key;
#[cfg(feature = "testing")]
pub mod management;
#[cfg(feature = "testing")]
pub mod operator;
#[cfg(feature = "testing")]
pub mod repo;
#[cfg(feature = "testing")]
pub mod rotation;
#[cfg(feature = "testing")]
pub mod secret;
#[cfg(feature = "testing")]
pub mod store;
#[cfg(all(feature = "wire", feature = "testing"))]
pub mod wire;
#[cfg(feature = "testing")]
pub mod worker;

pub mod docs;
pub mod promises;
pub mod proofs;

#[cfg(feature = "client")]
pub use client::{builder::ClientBuilder, event_stream::EventStream, handle::Client};
pub use guard::fault::Fault;
pub use guard::forked::Forked;
pub use guard::this_thread::{MustNotBlock, block_on};
pub use key::answer::{AnsweredVersion, KeyAnswer};
pub use key::declared::StoreAnswers;
pub use key::definition::{KeyBehaviour, OnKeyChangedCallbackErrorStrategy};
pub use key::error::KeyError;
pub use key::facts::KeyFacts;
pub use key::flow::{SecretKeyFlow, SecretKeyUseCase};
pub use key::keeper_error::KeeperError;
pub use key::name::{CallbackName, InvalidName, KeyName, WorkerName};
pub use key::state::Effect;
pub use key::versions::{
    debt::Debt,
    id::{InvalidVersionId, VersionId},
    listing::{OpenDebt, VersionListing},
    rules::VersionRules,
    state::VersionState,
    tag::{NoTag, TAG_BYTES, kid, split, tag},
    version::{Arrow, Cause, Compromised},
};
#[cfg(feature = "cli")]
pub use management::as_found::rotations_as_found;
pub use operator::actor::{ActorName, ActorState, ActorStatus};
pub use operator::event::{EventLevel, KeeperEvent, ReloadReport};
pub use operator::plan::{ChangePlan, PlannedStep, PlannedVersions};
pub use operator::status::{
    HistoryListing, InstanceStatus, KeyStatus, RecoveredKeys, RosterCallback, Status,
    UnreadableRecord, WorkerStatus,
};
pub use operator::verified::Verified;
pub use repo::space::Space;
pub use rotation::act::{About, Act, By, Deed, InvalidReason};
pub use rotation::error::RotationError;
pub use rotation::id::RotationId;
pub use rotation::instance::{CallbackOf, Sharing};
pub use rotation::plan::{BetweenVersions, Step, StepKind, VersionPhase};
pub use rotation::report::{RotationReport, UnreadableRotation, WaitsFor};
pub use rotation::state::RotationState;
pub use rotation::status::CallbackStatus;
pub use rotation::versions_error::VersionsError;
pub use secret::scrub::Scrubber;
pub use secret::text::ForeignText;
pub use secret::value::{InvalidKey, SecretKeyPair, SecretKeyValue, SecretKeys};
#[cfg(feature = "server")]
pub use server::{
    bounds::ServeBounds,
    error::ServeError,
    grants::{Grant, Grants, error::InvalidGrant, right::Right},
    options::ServeOptions,
    reload::{ReloadError, Reloaded},
    serving::Serving,
};
pub use uuid::Uuid;
pub use worker::callback::{Callback, CallbackAnswer, CallbackResult, IntoCallback, KeyChange};
pub use worker::candidates::CandidatesError;
pub use worker::caught_up::CaughtUp;
pub use worker::change::Change;
pub use worker::handle::OnChangeKeyDefinition;
pub use worker::join::Join;
pub use worker::joined::Worker;

#[cfg(feature = "embedded")]
pub use self::{
    crypto::aead::AeadCryptoTool,
    crypto::crypto_tool::CryptoTool,
    crypto::error::CryptoError,
    journal::error::JournalError,
    management::backup::BackupError,
    management::builder::KeysManagementBuilder,
    management::definition::SecretKeyDefinition,
    management::error::StartError,
    management::keys_management::KeysManagement,
    management::single::SingleKeyManagement,
    repo::batch::{Batch, Operation, Precondition},
    repo::conformance,
    repo::error::{Holder, RepoError},
    repo::memory::MemoryRepo,
    repo::state_repo::{StateRepo, Visitor},
    store::closure::{IntoStore, StoreAnswer},
    store::command::CommandStore,
    store::command::line::CommandLine,
    store::env::EnvStore,
    store::error::StoreError,
    store::file::FileStore,
    store::keys_store::{FetchResult, Fetched, Fetching, KeysStore, StoreRequest, Swap},
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
