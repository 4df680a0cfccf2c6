//! keyward against its floors, measured side by side in one run and printed as ratios.
//!
//! A row is one work. Its floor is the bare engine doing the least that the promise needs, or, where
//! the promise is a number, that number. Both are measured in turn, round by round, and the ratio is
//! the median of the rounds' ratios: only that means anything on another machine. keyward is measured
//! as a user gets it: the public calls with their defaults, and a tracing subscriber at its default
//! level.
//!
//! ```text
//! cargo bench --bench ratios                          every row
//! cargo bench --bench ratios -- held restart          the rows with one of these words in their names
//! KEYWARD_BENCH_ROUNDS=3                              fewer rounds
//! KEYWARD_BENCH_JSON=FILE                             the table as JSON too
//! KEYWARD_BENCH_DIVIDE=100                            smaller sizes, to try the bench itself
//! KEYWARD_BENCH_HISTORY=1000                          rotations a key in the history; a year is 8760
//! ```

mod bare;
mod cores;
mod disk;
mod forward;
mod gets;
mod history;
mod idle;
mod manager;
mod measure;
mod plans;
mod records;
mod restart;
mod rotations;
mod shared;
mod side_by_side;
mod socket;
mod table;

use std::error::Error;
use std::fs::File;
use std::sync::Mutex;

use measure::Bench;

/// How all of this ends.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What measures some rows, and their names: nothing is started for rows that were not asked for.
type Section = (&'static [&'static str], fn(&mut Bench) -> Outcome<()>);

const SECTIONS: [Section; 10] = [
    (&gets::ROWS, gets::run),
    (&forward::ROWS, forward::run),
    (&shared::ROWS, shared::run),
    (&rotations::ROWS, rotations::run),
    (&side_by_side::ROWS, side_by_side::run),
    (&plans::ROWS, plans::run),
    (&restart::ROWS, restart::run),
    (&history::ROWS, history::run),
    (&idle::ROWS, idle::run),
    (&socket::ROWS, socket::run),
];

fn main() -> Outcome<()> {
    if let Some(folder) = std::env::var_os(idle::CHILD) {
        return idle::child(folder.as_ref());
    }
    if let Ok(kind) = std::env::var(socket::child::CHILD) {
        return socket::child::run(&kind);
    }
    let folder = tempfile::tempdir()?;
    subscribe(File::create(folder.path().join("log"))?);
    let mut bench = Bench::new(folder.path())?;
    for (rows, run) in SECTIONS {
        if rows.iter().any(|row| bench.wants(row)) {
            run(&mut bench)?;
        }
    }
    table::print(&bench);
    if let Some(file) = std::env::var_os("KEYWARD_BENCH_JSON") {
        std::fs::write(file, table::json(&bench.rows)?)?;
    }
    Ok(())
}

/// What keyward says costs time as well: it is written to a file, as a service does.
fn subscribe(log: File) {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(Mutex::new(log))
        .init();
}
