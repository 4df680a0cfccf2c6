//! `keyward serve` as a process: its start, its end, its reload, and what systemd tells and is told.

mod bad_peers;
mod ends;
mod full_disk;
mod idle;
mod large_messages;
pub mod process;
mod reload;
mod restored;
mod starts;
mod stopped;
mod stores;
mod systemd;
