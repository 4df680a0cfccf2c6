//! Nothing goes on for ever: the states of a world make no circle, so that every way through it
//! ends, and ends where nothing goes on by itself any more.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use stateright::Model;

use crate::model::moves::Move;
use crate::model::shape::Shape;
use crate::model::state::State;

fn mark(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// Looks through all states, depth first; answers how many there are, or the way that leads round
/// a circle.
pub fn count(shape: &Shape) -> Result<usize, Vec<Move>> {
    let start = shape.start();
    let mut seen = HashSet::from([mark(&start)]);
    let mut on_the_way = HashSet::from([mark(&start)]);
    let mut way = Vec::new();
    let mut todo = vec![open(shape, start)];
    while let Some((state, moves)) = todo.last_mut() {
        let Some(next) = moves.pop() else {
            on_the_way.remove(&mark(state));
            todo.pop();
            way.pop();
            continue;
        };
        let Some(after) = shape.next_state(state, next) else {
            continue;
        };
        let this = mark(&after);
        if on_the_way.contains(&this) {
            way.push(next);
            return Err(way);
        }
        if seen.insert(this) {
            on_the_way.insert(this);
            way.push(next);
            todo.push(open(shape, after));
        }
    }
    Ok(seen.len())
}

fn open(shape: &Shape, state: State) -> (State, Vec<Move>) {
    let mut moves = Vec::new();
    shape.actions(&state, &mut moves);
    (state, moves)
}
