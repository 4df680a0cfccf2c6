//! Where keys come from: the trait [`KeysStore`](keys_store::KeysStore) and its adapters for
//! environment variables, files, commands and closures. A store says *what* one fetch is, a future
//! or a function that may block; it does not run it.
//!
//! Never in here: what a key means (its flows, its state, who asked), the choice of threads, and the
//! guard that turns a panic or a passed time limit of foreign code into an error. The fetch in
//! `actors` does that, and checks the size of what was answered.

mod buffer;
pub(crate) mod byte_order_mark;
pub mod closure;
pub mod command;
pub mod env;
pub mod error;
pub mod file;
pub mod keys_store;
#[doc(hidden)]
pub(crate) mod origin;
