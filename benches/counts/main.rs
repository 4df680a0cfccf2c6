//! The core paths, one at a time, for `.ci/counts`: it runs each under callgrind and compares how many
//! instructions it takes with `expected.txt`. Nothing here has a thread or a clock, so that the
//! counts are the same in every run.
//!
//! ```text
//! counts            runs every path once, to see that it works
//! counts --list     names the paths, and how often each is repeated
//! counts PATH       prepares one path, and runs it inside of `counted`
//! ```

mod engine;
mod journal;
mod key;

/// What is counted, how often it is repeated, and what prepares it.
type Path = (&'static str, u32, fn(u32) -> Box<dyn FnMut()>);

const PATHS: [Path; 10] = [
    ("get_of_a_held_key", 1_000, key::held),
    ("forward_get", 1_000, key::forward),
    ("step_of_a_plan_of_100", 90, engine::step_of_100),
    ("step_of_a_plan_of_1000", 90, engine::step_of_1000),
    ("accept_a_plan_of_100", 10, engine::accept_of_100),
    ("change_among_100_rotations", 50, engine::change_among_100),
    ("change_among_1000_rotations", 50, engine::change_among_1000),
    ("seal_and_open_a_record", 100, journal::seal_and_open),
    ("journal_a_step", 100, journal::write_a_step),
    ("load_a_rotation_of_10_steps", 50, journal::load),
];

fn main() {
    // Cargo adds options of its own.
    let argument = std::env::args().skip(1).find(|word| word != "--bench");
    match argument.as_deref() {
        None => {
            for (name, repeats, prepare) in PATHS {
                counted(&mut prepare(repeats));
                println!("{name}: ran {repeats} times; .ci/counts counts its instructions");
            }
        }
        Some("--list") => {
            for (name, repeats, _) in PATHS {
                println!("{name} {repeats}");
            }
        }
        Some(wanted) => {
            let path = PATHS.iter().find(|(name, ..)| *name == wanted);
            let (_, repeats, prepare) = path.expect("a path of --list");
            counted(&mut prepare(*repeats));
        }
    }
}

/// Only what is done in here is counted.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
}
