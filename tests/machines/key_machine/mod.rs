//! The machine of one key, by tables of exact effects: what happens to it, and what it wants done.

mod bounds;
mod overtaking;
mod owed;
mod proposals;
mod random;
mod requests;
mod saves;
mod script;
mod sharing;
mod words;

use keyward::key::effect::KeyEffect as Effect;
