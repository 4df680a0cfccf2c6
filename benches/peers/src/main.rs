//! keyward beside its peers, measured in turn in one run.
//!
//! Every round measures every row once; the first round only warms up, and every other one goes
//! through the rows backwards, so that no row always follows the same one. A row that has a
//! counterpart in keyward is divided by that row's figure of the same round. A peer that is not
//! installed is a skipped row with the command that installs it.

mod actors;
mod ancestor;
mod asking;
mod keyward_rows;
mod promises;
mod redis_server;
mod row;
mod secret_ring;
mod table;

use std::error::Error;
use std::path::Path;
use std::rc::Rc;

use keyward_rows::Keyward;
use row::Row;
use tokio::runtime::Runtime;

/// How all of this ends.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const ROUNDS: usize = 9;

fn main() -> Outcome<()> {
    let rounds = match std::env::var("KEYWARD_BENCH_ROUNDS") {
        Ok(rounds) => rounds.parse::<usize>()?.max(1),
        Err(_) => ROUNDS,
    };
    let folder = tempfile::tempdir()?;
    let asker = Rc::new(
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?,
    );
    let keyward = Keyward::start(folder.path())?;
    let measured = run(&keyward, &asker, folder.path(), rounds);
    // Whatever came of it, the database is closed before its folder is removed.
    keyward.end()?;
    measured
}

fn run(keyward: &Keyward, asker: &Rc<Runtime>, folder: &Path, rounds: usize) -> Outcome<()> {
    let mut rows = keyward.rows(asker)?;
    rows.extend(actors::rows(asker)?);
    rows.extend(secret_ring::rows());
    rows.extend(redis_server::rows(asker, folder)?);
    rows.extend(ancestor::rows()?);
    measure(&mut rows, rounds)?;
    table::print(&rows, rounds);
    if let Some(file) = std::env::var_os("KEYWARD_BENCH_JSON") {
        std::fs::write(file, table::json(&rows)?)?;
    }
    Ok(())
}

fn measure(rows: &mut [Row], rounds: usize) -> Outcome<()> {
    for round in 0..=rounds {
        eprintln!("round {round} of {rounds}");
        let mut order: Vec<&mut Row> = rows.iter_mut().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for row in order {
            row.measure(round > 0)
                .map_err(|error| format!("{}: {error}", row.name))?;
        }
    }
    Ok(())
}
