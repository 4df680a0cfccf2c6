//! Bad input: each piece of it is answered with a clear error, that has a stable code and names
//! what was wrong and where, and nothing is lost.

mod bounds;
mod changes;
mod disk;
mod names;
mod records;
mod starts;
mod stores;
mod texts;
