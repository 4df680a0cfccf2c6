//! Supervision, one for one: each actor has a slot that outlives it. The slot keeps its inbox and,
//! between two lives, its part: what the actor knows. When an actor dies, for whatever reason, the
//! supervision starts another one in the same slot, after a pause that grows; one that dies too often
//! has failed until an operator restarts it.
//!
//! Reading order: `budget` says how often an actor may die, `inbox`
//! where its messages wait, `actor` what it is and what it takes from actix, `supervisor` what starts it
//! again, `slot` what outlives it.
//!
//! Never in here: what a key, a worker or the coordinator does.

pub mod actor;
pub mod budget;
pub mod fault_point;
pub mod inbox;
pub mod slot;
pub mod supervisor;
