//! Looking through a world, to its last state.

use std::time::Instant;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use crate::model::shape::Shape;

/// Looks through a world; answers how many states it has.
pub fn look_through(shape: &Shape) -> usize {
    let began = Instant::now();
    let checker = shape
        .clone()
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_dfs()
        .join();
    for property in shape.properties() {
        let name = property.name;
        match (property.expectation, checker.discovery(name)) {
            (Expectation::Sometimes, None) => panic!("never seen: {name}"),
            (Expectation::Sometimes, Some(_)) | (_, None) => {}
            (Expectation::Always | Expectation::Eventually, Some(path)) => {
                let broken = path.last_state().broken.clone();
                let way = path.into_actions();
                panic!("not so: {name}, {broken:?}, after {way:?}");
            }
        }
    }
    let (states, moves) = (checker.unique_state_count(), checker.state_count());
    let (deep, took) = (checker.max_depth(), began.elapsed().as_secs_f64());
    println!("{states} states, {moves} moves, {deep} deep, {took:.1} s: {shape:?}");
    states
}
