//! What people read: tables and sentences, made from what the keeper told. Pure functions of values; names and
//! texts of others come with what is not seen in them escaped, as all of keyward's do.
//!
//! Never in here: a call of the keeper, a write to standard output.

pub mod command;
pub mod event;
pub mod history;
pub mod need;
pub mod needs;
pub mod paint;
pub mod plan;
pub mod rotation;
pub mod state;
pub mod status;
pub mod table;
pub mod time;
pub mod versions;
pub mod workers;
