//! The data folder under a running manager: moved away, forked, and copied while it is in use.

mod backup;
mod calls;
mod forked;
mod moved;
mod verify;
