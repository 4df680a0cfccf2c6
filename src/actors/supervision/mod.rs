//! Supervision, one for one: each actor has a seat that outlives it. The seat keeps its inbox and,
//! between two lives, its part: what the actor knows. When an actor dies, for whatever reason, its
//! supervisor starts another one in the same seat, after a pause that grows; one that dies too often
//! has failed until an operator restarts it.
//!
//! Reading order: `name` says what an operator sees, `budget` how often an actor may die, `inbox`
//! what outlives it, `seat` where it lives, `life` how a part is run, `supervisor` who starts it.
//!
//! Never in here: what a key, a worker or the coordinator does.

pub mod budget;
pub mod fault_point;
pub mod inbox;
pub mod life;
pub mod name;
pub mod seat;
pub mod supervisor;
