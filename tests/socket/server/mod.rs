//! The keeper's side of the socket.

mod acts;
mod authority;
mod bounds;
mod children;
mod ends;
mod file;
mod flood;
mod grants;
mod health;
mod keys;
mod operate;
mod peers;
mod refused;
