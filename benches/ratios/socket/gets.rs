//! Gets of a held key over the socket, beside bare calls of the same size.

use std::hint::black_box;
use std::rc::Rc;

use tokio::runtime::Runtime;

use super::{Other, bare, program};
use crate::Outcome;
use crate::cores::Cores;
use crate::gets::{at_once, one_by_one};
use crate::measure::{Bench, Rounds, Target};

pub const ONE: &str = "held get over the socket, µs / bare unary call";
pub const ALONE: &str = "held get over the socket, µs / bare unary call on a runtime of one thread";
pub const MANY: &str = "held get over the socket, 64 in flight, a second / bare unary calls";

/// The key that is held.
pub const HELD: &str = "held";

const GETS: u32 = 1_000;
const IN_FLIGHT: u32 = 64;

/// What its store answers.
pub fn value() -> String {
    "a value of 32 bytes, as keys are".to_owned()
}

/// Measures these rows.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    // What is started now stays there.
    let cores = Cores::of_this_thread()?;
    cores.stay_on_first()?;
    measure(bench, ONE, program()?)?;
    let asker = bench.asker();
    measure(bench, ALONE, asker)?;
    measure(bench, MANY, program()?)
}

fn measure(bench: &mut Bench, row: &'static str, asker: Rc<Runtime>) -> Outcome<()> {
    if !bench.wants(row) {
        return Ok(());
    }
    let (keeper, floor) = (
        Other::keeper(bench, row_folder(row, "k").as_str())?,
        Other::bare(bench, row_folder(row, "b").as_str())?,
    );
    let client = asker.block_on(keeper.client())?;
    let bare = asker.block_on(bare::client(&floor.socket))?;
    let gets = bench.size(GETS);
    if row == MANY {
        let each = (gets / IN_FLIGHT).max(1) * 4;
        let ours = || {
            let client = client.clone();
            async move {
                for _ in 0..each {
                    black_box(client.get_back_path_key(HELD).await?);
                }
                Ok(())
            }
        };
        let floor = || {
            let mut bare = bare.clone();
            async move {
                for _ in 0..each {
                    black_box(bare.get(bare::request()).await?);
                }
                Ok(())
            }
        };
        return bench.compare(
            MANY,
            Target::AtLeast(0.85),
            Rounds::Often,
            || at_once(&asker, each, ours),
            || at_once(&asker, each, floor),
        );
    }
    let get = async || {
        black_box(client.get_back_path_key(HELD).await?);
        Ok(())
    };
    let call = async || {
        black_box(bare.clone().get(bare::request()).await?);
        Ok(())
    };
    bench.compare(
        row,
        Target::AtMost(1.15),
        Rounds::Often,
        || one_by_one(&asker, gets, get),
        || one_by_one(&asker, gets, call),
    )
}

/// A short name: a socket's path is.
fn row_folder(row: &str, of: &str) -> String {
    format!(
        "{of}{}",
        ROW_NAMES.iter().position(|name| *name == row).unwrap_or(0)
    )
}

const ROW_NAMES: [&str; 3] = [ONE, ALONE, MANY];
