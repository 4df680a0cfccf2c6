//! Faults of the repo under a running manager: it fails, is slow, half-writes, panics, has no room.
//! Writes are never answered as what they were not, nothing that was accepted is lost, and what
//! needs no repo goes on.

mod ground;
mod history;
mod hung;
mod lost;
mod often;
mod reads;
mod reopening;
mod room;
mod slow;
mod unknown;
mod waiting_keys;
