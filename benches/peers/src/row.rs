//! A row of the table: what is measured, in which unit, and what it is compared with.

use crate::Outcome;
use crate::promises::Promises;

/// What a figure counts. Times are of one call or one change, whatever a round repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds a call, one call after the other.
    Call,
    /// Calls a second, with 64 under way.
    Rate,
    /// Microseconds a change, through all its callbacks.
    Change,
}

impl Unit {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Call => "µs a call",
            Unit::Rate => "calls a second",
            Unit::Change => "µs a change",
        }
    }

    /// Which figure is the better one.
    pub fn better(self) -> &'static str {
        match self {
            Unit::Call | Unit::Change => "lower",
            Unit::Rate => "higher",
        }
    }
}

type Run = Box<dyn FnMut() -> Outcome<f64>>;

enum Work {
    Runs(Run),
    Skipped(String),
}

/// One thing that is measured.
pub struct Row {
    /// What it is called, in the table and in JSON.
    pub name: String,
    /// What its figure counts.
    pub unit: Unit,
    /// Keyward's row that it is compared with; none for keyward's own.
    pub ours: Option<String>,
    /// What the program that does this work promises.
    pub promises: &'static Promises,
    /// A figure a round, without the one that warmed up.
    pub figures: Vec<f64>,
    work: Work,
}

impl Row {
    /// A row whose figure `run` answers, in its unit.
    pub fn new(
        name: impl Into<String>,
        unit: Unit,
        promises: &'static Promises,
        run: impl FnMut() -> Outcome<f64> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            unit,
            ours: None,
            promises,
            figures: Vec::new(),
            work: Work::Runs(Box::new(run)),
        }
    }

    /// A row of a peer that is not there, and how it could be.
    pub fn skipped(
        name: impl Into<String>,
        unit: Unit,
        promises: &'static Promises,
        why: &str,
    ) -> Self {
        Self {
            work: Work::Skipped(why.to_owned()),
            ..Self::new(name, unit, promises, || Ok(0.0))
        }
    }

    /// Compares it with this row of keyward's.
    pub fn beside(mut self, ours: impl Into<String>) -> Self {
        self.ours = Some(ours.into());
        self
    }

    /// Why it is skipped, if it is.
    pub fn why_skipped(&self) -> Option<&str> {
        match &self.work {
            Work::Runs(_) => None,
            Work::Skipped(why) => Some(why),
        }
    }

    /// Measures it once.
    pub fn measure(&mut self, counts: bool) -> Outcome<()> {
        if let Work::Runs(run) = &mut self.work {
            let figure = run()?;
            if counts {
                self.figures.push(figure);
            }
        }
        Ok(())
    }

    /// The median of its figures.
    pub fn median(&self) -> Option<f64> {
        median(self.figures.clone())
    }

    /// The median of the ratios of each round.
    pub fn ratio(&self, ours: &Row) -> Option<f64> {
        let pairs = ours.figures.iter().zip(&self.figures);
        median(pairs.map(|(ours, peer)| ours / peer).collect())
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}
