//! `keyward serve` as a process: its start, its end, its reload, and what systemd tells and is told.

mod ends;
mod idle;
pub mod process;
mod reload;
mod restored;
mod starts;
mod stopped;
mod stores;
mod systemd;
