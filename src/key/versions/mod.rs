//! Versions of a key: each value that the key has had, under an id of its own by which data is read.
//!
//! `id` and `tag` are what data carries; `state` is what may be done with a version, with the one table of
//! its transitions; `version` is one version and `debt` what it owes a worker; `table` is all versions of a
//! key and decides each change, which is a list of `fact`s: the same live and when the journal is read.
//! `rules` is what a definition says; `listing` is what people and programs are shown, `held` what a key's actor answers gets from.
//!
//! Never in here: a clock, chance, a journal. Ids and times are arguments.

pub mod debt;
pub mod fact;
pub mod held;
pub mod id;
pub mod listing;
pub mod rules;
pub mod state;
pub mod table;
pub mod tag;
pub mod version;
