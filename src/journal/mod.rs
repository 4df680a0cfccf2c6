//! The journal: typed, versioned, sealed records in their place. One effect is one batch; loading
//! leaves what it cannot read in place and lists it; reading never writes.
//!
//! | space | records |
//! | --- | --- |
//! | meta | the database's id, the check record, what the last batch was, the next sequence number |
//! | states | one record a stated key |
//! | keys | one record a key: the fingerprints of the old keys that were declared last |
//! | roster | one record a worker, one a callback, one an instance of another process |
//! | rotations | of each rotation that has not ended: header, steps, sealed keys, what the key had |
//! | history | of each rotation that has ended: header and steps, and its place in the order |
//! | versions | of each key that has versions: which is current, each version, its sealed value, its debts |
//! | quarantine | the bytes of records that could not be read and had to give way |
//!
//! Reading order: `kind` and `place` say what a record is and where it lies; each file in `codec` has
//! kinds of records, and `codec::Record` is their trait; `records` lists them, `vault` seals them; `database` opens, `fence` keeps an overtaken journal from
//! writing; `opened` is the journal that the shell drives, `fact` and `group` what it is given, `draft` makes one
//! batch of that (`known` spares it reads), and `load` (with `gathered` and `secrets`), `state` and `history` read; `tidy` keeps
//! the history (`tidying` is how far it has come).
//!
//! Never in here: a store, a worker, an actor, a thread of its own. It imports `secret`, `key`,
//! `rotation`, `crypto` and `repo`; serde and bincode stay in `codec`.

mod acts;
#[cfg(feature = "testing")]
pub mod any_bytes;
mod codec;
pub mod database;
mod draft;
pub mod error;
pub mod fact;
mod fence;
pub mod fingerprints;
mod gathered;
pub mod group;
pub mod history;
mod kind;
mod known;
pub mod load;
pub mod opened;
mod place;
mod quarantine;
mod records;
mod rotation_keys;
mod scanned;
pub mod secrets;
pub mod state;
pub mod tidy;
mod tidying;
pub mod unreadable;
mod vault;
pub mod verify;
mod versions;
