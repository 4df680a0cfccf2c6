//! keyward: secret keys that many workers share and that change while everything runs.
//!
//! Workers ask for keys by message. One actor per key owns that key's state. A coordinator takes a
//! declared change through every worker's callbacks, in order, and journals each callback's status,
//! so that a rotation that a crash interrupted goes on after the restart where it was.
//!
//! ```text
//!  program ──▶ management ──▶ actors ──step(event, now)──▶ key · rotation        (pure)
//!                               ▲  │                            │
//!                     outcome,  │  └─────── performs ◀─── effects
//!                     an event  │               │
//!                               └── journal · store · worker ──▶ callbacks, RocksDB
//! ```
//!
//! The rooms, in reading order; calls and imports go inward only:
//!
//! | room | what lives there |
//! | --- | --- |
//! | [`secret`] | values and pairs, zeroized, and finding them in texts |
//! | [`key`] | what one key means: the machine of one key's state |
//! | [`rotation`] | what a change means: statuses, plans, roster, the machine of all rotations |
//! | [`store`] | where keys come from: closures, environment, files, commands |
//! | [`crypto`] | sealing records, and the AEAD that does it by default |
//! | [`guard`] | how foreign code is run: time limits, panics, threads; what a child of `fork()` may not do |
//! | [`repo`] | ordered bytes that survive: RocksDB, memory, and the suite for both |
//! | [`journal`] | typed, sealed records in their place; one effect is one batch |
//! | [`worker`] | callbacks, what they are given, and running one |
//! | `actors` | thin shells around the machines |
//! | [`management`] | what a program holds; every default |
//! | [`docs`] | pages for users: a complete program, what is promised, the operator's calls, error codes, costs |

#![deny(missing_docs, unsafe_code)]
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

#[cfg(feature = "embedded")]
pub mod crypto;
pub mod docs;
pub mod guard;
#[cfg(feature = "embedded")]
pub mod journal;
pub mod key;
#[cfg(feature = "embedded")]
pub mod management;
pub mod promises;
pub mod proofs;
#[cfg(feature = "embedded")]
pub mod repo;
pub mod rotation;
pub mod secret;
#[cfg(feature = "embedded")]
pub mod store;
pub mod worker;

#[cfg(feature = "embedded")]
mod actors;

#[cfg(feature = "embedded")]
pub use actors::overview::WorkerStatus;
#[cfg(feature = "embedded")]
pub use actors::supervision::name::{ActorName, ActorState, ActorStatus};
#[cfg(feature = "embedded")]
pub use crypto::aead::AeadCryptoTool;
#[cfg(feature = "embedded")]
pub use crypto::crypto_tool::CryptoTool;
pub use guard::place::{MustNotBlock, block_on};
pub use key::definition::OnKeyChangedCallbackErrorStrategy;
pub use key::error::KeyError;
pub use key::flow::{SecretKeyFlow, SecretKeyUseCase};
pub use key::state::Effect;
#[cfg(feature = "embedded")]
pub use management::answer::KeyAnswer;
#[cfg(feature = "embedded")]
pub use management::backup::BackupError;
#[cfg(feature = "embedded")]
pub use management::builder::KeysManagementBuilder;
#[cfg(feature = "embedded")]
pub use management::candidates::CandidatesError;
#[cfg(feature = "embedded")]
pub use management::definition::SecretKeyDefinition;
#[cfg(feature = "embedded")]
pub use management::error::StartError;
#[cfg(feature = "embedded")]
pub use management::keys_management::KeysManagement;
#[cfg(feature = "embedded")]
pub use management::operator::RecoveredKeys;
#[cfg(feature = "embedded")]
pub use management::single::SingleKeyManagement;
#[cfg(feature = "embedded")]
pub use management::status::{HistoryListing, KeyStatus, Status};
#[cfg(feature = "embedded")]
pub use management::worker::Worker;
#[cfg(feature = "embedded")]
pub use repo::memory::MemoryRepo;
#[cfg(feature = "embedded")]
pub use repo::state_repo::StateRepo;
pub use rotation::error::RotationError;
pub use rotation::id::RotationId;
pub use rotation::report::RotationReport;
pub use rotation::state::RotationState;
pub use rotation::status::CallbackStatus;
pub use secret::value::{SecretKeyPair, SecretKeyValue, SecretKeys};
#[cfg(feature = "embedded")]
pub use store::command::CommandStore;
#[cfg(feature = "embedded")]
pub use store::env::EnvStore;
#[cfg(feature = "embedded")]
pub use store::error::StoreError;
#[cfg(feature = "embedded")]
pub use store::file::FileStore;
#[cfg(feature = "embedded")]
pub use store::keys_store::KeysStore;
pub use uuid::Uuid;
pub use worker::callback::KeyChange;
pub use worker::change::Change;
pub use worker::handle::OnChangeKeyDefinition;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
