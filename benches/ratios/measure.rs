//! Measuring ours and the floor in turn, and what comes of it.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::Outcome;

const ROUNDS: usize = 9;

/// What a ratio is to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// Ours may be so many times the floor.
    AtMost(f64),
    /// Ours has to be so many times the floor.
    AtLeast(f64),
    /// Nothing: it is stated beside it.
    Stated,
}

/// How many rounds a row takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounds {
    /// More, and shorter ones: which core a thread was put on makes a get take three times as long.
    Often,
    /// As many as are asked for.
    Usual,
    /// Not more than these, for what takes long.
    AtMost(usize),
}

const OFTEN: usize = 5;

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// What is measured, in which unit, beside which floor.
    pub name: String,
    /// The median of ours.
    pub ours: f64,
    /// The median of the floor.
    pub floor: f64,
    /// The median of the rounds' ratios.
    pub ratio: f64,
    /// What the ratio is to reach.
    pub target: Target,
}

impl Row {
    /// Whether the ratio is what it is to be.
    pub fn reached(&self) -> bool {
        match self.target {
            Target::AtMost(most) => self.ratio <= most,
            Target::AtLeast(least) => self.ratio >= least,
            Target::Stated => true,
        }
    }
}

/// What the rows are measured with, and the rows so far.
pub struct Bench {
    /// The rows so far.
    pub rows: Vec<Row>,
    /// What a reader of the table should know.
    pub notes: Vec<String>,
    /// How many rounds there are at most.
    pub rounds: usize,
    /// By how much sizes are divided.
    pub divide: u32,
    words: Vec<String>,
    folder: PathBuf,
    asker: Rc<Runtime>,
}

impl Bench {
    /// A bench whose databases lie in a folder.
    pub fn new(folder: &Path) -> Outcome<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let arguments = std::env::args().skip(1);
        Ok(Self {
            rows: Vec::new(),
            notes: Vec::new(),
            rounds: number("KEYWARD_BENCH_ROUNDS", ROUNDS)?.max(1),
            divide: number("KEYWARD_BENCH_DIVIDE", 1)?.max(1),
            // Cargo adds options of its own.
            words: arguments.filter(|word| !word.starts_with("--")).collect(),
            folder: folder.to_owned(),
            asker: Rc::new(runtime),
        })
    }

    /// Whether a row is to be measured.
    pub fn wants(&self, row: &str) -> bool {
        let named = |word: &String| row.to_lowercase().contains(&word.to_lowercase());
        self.words.is_empty() || self.words.iter().any(named)
    }

    /// A size, smaller where the bench itself is tried.
    pub fn size(&self, full: u32) -> u32 {
        (full / self.divide).max(1)
    }

    /// The folder of a database of this name.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The runtime of one thread that asks.
    pub fn asker(&self) -> Rc<Runtime> {
        Rc::clone(&self.asker)
    }

    /// Measures ours and the floor in turn, which of them first in turn too. The first round only
    /// warms up.
    pub fn compare(
        &mut self,
        row: &str,
        target: Target,
        rounds: Rounds,
        mut ours: impl FnMut() -> Outcome<f64>,
        mut floor: impl FnMut() -> Outcome<f64>,
    ) -> Outcome<()> {
        if !self.wants(row) {
            return Ok(());
        }
        let rounds = match rounds {
            Rounds::Often => self.rounds * OFTEN,
            Rounds::Usual => self.rounds,
            Rounds::AtMost(most) => self.rounds.min(most),
        };
        let mut pairs = Vec::new();
        for round in 0..=rounds {
            pairs.push(if round % 2 == 0 {
                let ours = ours()?;
                (ours, floor()?)
            } else {
                let floor = floor()?;
                (ours()?, floor)
            });
        }
        pairs.remove(0);
        self.record(row, target, &pairs);
        Ok(())
    }

    /// Notes what was measured: of each round, ours and the floor.
    pub fn record(&mut self, row: &str, target: Target, pairs: &[(f64, f64)]) {
        if !self.wants(row) {
            return;
        }
        let row = Row {
            name: row.to_owned(),
            ours: median(pairs.iter().map(|(ours, _)| *ours)),
            floor: median(pairs.iter().map(|(_, floor)| *floor)),
            ratio: median(pairs.iter().map(|(ours, floor)| ours / floor)),
            target,
        };
        eprintln!("{}: {:.2}", row.name, row.ratio);
        self.rows.push(row);
    }

    /// Notes what a reader should know.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

/// The middle one.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A number that is set in the environment, or this one.
pub fn number<T: std::str::FromStr>(variable: &str, default: T) -> Outcome<T> {
    match std::env::var(variable) {
        Ok(text) => match text.parse() {
            Ok(number) => Ok(number),
            Err(_) => Err(format!("{variable}={text} is no number that fits").into()),
        },
        Err(_) => Ok(default),
    }
}

/// Microseconds of one of so many.
pub fn micros_each(time: Duration, count: u32) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(count)
}

/// Milliseconds.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// How many of so many there were a second.
pub fn a_second(count: u32, since: Instant) -> f64 {
    f64::from(count) / since.elapsed().as_secs_f64()
}

/// Numbers that were never given out before: each change declares other keys.
#[derive(Default)]
pub struct Fresh(Cell<u64>);

impl Fresh {
    /// The next value.
    pub fn value(&self) -> String {
        self.0.set(self.0.get() + 1);
        format!("value {}", self.0.get())
    }
}
