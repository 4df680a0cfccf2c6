//! How costs grow: each work at sizes a factor of four apart, with the exponent between each two
//! sizes and over all of them. 0 does not grow, 1 grows as the size does; where the exponents between
//! sizes differ, there the cost bends.
//!
//! ```text
//! cargo bench --bench growth                  every work
//! cargo bench --bench growth -- history       those with one of these words in their names
//! KEYWARD_BENCH_ROUNDS=3                      fewer rounds
//! KEYWARD_BENCH_DIVIDE=16                     smaller sizes, to try the bench itself
//! ```

#[path = "../ratios/cores.rs"]
mod cores;
#[path = "../ratios/manager.rs"]
mod manager;
#[allow(dead_code, reason = "the other bench needs more of it")]
#[path = "../ratios/measure.rs"]
mod measure;
#[allow(dead_code, reason = "the other bench needs more of it")]
#[path = "../ratios/records.rs"]
mod records;
mod works;

use std::error::Error;

use measure::Bench;

/// How all of this ends.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A cost, measured once.
pub type Measure<'a> = Box<dyn FnMut() -> Outcome<f64> + 'a>;

/// Something whose cost is measured at a size.
type Work = (
    &'static str,
    [u32; 4],
    fn(&Bench, u32) -> Outcome<Measure<'static>>,
);

const WORKS: [Work; 8] = [
    (
        "held get, µs, by keys",
        [64, 256, 1_024, 4_096],
        works::held_get,
    ),
    (
        "define a key, µs, by keys",
        [64, 256, 1_024, 4_096],
        works::define,
    ),
    (
        "declare, wait, resume and abort a change, µs, by keys",
        [1_000, 4_000, 16_000, 64_000],
        works::change_by_keys,
    ),
    (
        "list no rotations, µs, by keys",
        [1_000, 4_000, 16_000, 64_000],
        works::listing_by_keys,
    ),
    (
        "a step, µs, by workers of the plan",
        [16, 64, 256, 1_024],
        works::step_by_workers,
    ),
    (
        "a step, µs, by callbacks of one worker",
        [16, 64, 256, 1_024],
        works::step_by_callbacks,
    ),
    (
        "restart, ms, by ended rotations",
        [1_600, 6_400, 25_600, 102_400],
        works::restart_by_history,
    ),
    (
        "restart, ms, by unfinished rotations",
        [160, 640, 2_560, 10_240],
        works::restart_by_unfinished,
    ),
];

fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let bench = Bench::new(folder.path())?;
    if cfg!(debug_assertions) {
        println!("A build without optimization: its figures mean nothing.");
    }
    for (name, sizes, prepare) in WORKS {
        if bench.wants(name) {
            grow(&bench, name, sizes.map(|size| bench.size(size)), prepare)?;
        }
    }
    Ok(())
}

/// Measures all sizes in turn, round by round, and prints the medians.
fn grow(
    bench: &Bench,
    name: &str,
    sizes: [u32; 4],
    prepare: fn(&Bench, u32) -> Outcome<Measure<'static>>,
) -> Outcome<()> {
    let mut works = Vec::new();
    for size in sizes {
        works.push((size, prepare(bench, size)?, Vec::new()));
    }
    for round in 0..=bench.rounds.min(5) {
        for (_, measure, costs) in &mut works {
            let cost = measure()?;
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    println!("\n{name}");
    let points: Vec<(f64, f64)> = works
        .iter()
        .map(|(size, _, costs)| (f64::from(*size), measure::median(costs.iter().copied())))
        .collect();
    let mut before: Option<(f64, f64)> = None;
    for (size, cost) in &points {
        let exponent = before.map(|before| exponent(&[before, (*size, *cost)]));
        let exponent = exponent.map_or_else(String::new, |e| format!("{e:+.2}"));
        println!("{size:>10} {cost:>12.2} {exponent:>7}");
        before = Some((*size, *cost));
    }
    println!("   over all of them {:+.2}", exponent(&points));
    Ok(())
}

/// The slope of the straight line that fits the logarithms best.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let (sum_x, sum_y) = logs
        .iter()
        .fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let product: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let square: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    product / square
}
