//! The keeper's side of the socket.

mod bounds;
mod ends;
mod file;
mod flood;
mod grants;
mod health;
mod keys;
mod operate;
mod peers;
