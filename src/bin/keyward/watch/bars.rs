//! A bar for each worker of a rotation, on a terminal.

use std::io::{self, IsTerminal};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use keyward::{CallbackStatus, RotationReport, Step, WaitsFor, WorkerName};

use crate::printing::Printing;

/// So many workers have a bar of their own; the others share one.
const MAX_BARS: usize = 16;

/// The bars, if they are shown.
pub struct Bars {
    shown: Option<MultiProgress>,
    bars: Vec<(Option<WorkerName>, ProgressBar)>,
}

impl Bars {
    /// Bars, where standard output is a terminal that can move them.
    pub fn on_terminal(printing: &Printing) -> Self {
        let can_move = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let shown = !printing.json && io::stdout().is_terminal() && can_move;
        let target = || MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        Self {
            shown: shown.then(target),
            bars: Vec::new(),
        }
    }

    /// Whether they are on a terminal.
    pub fn are_shown(&self) -> bool {
        self.shown.is_some()
    }

    /// Moves each bar to where its worker is.
    pub fn show(&mut self, report: &RotationReport) {
        let Some(page) = self.shown.clone() else {
            return;
        };
        let mut others = Vec::new();
        for (worker, steps) in by_worker(&report.steps) {
            match self.bar(&page, Some(&worker)) {
                Some(bar) => {
                    let said = said_of(&steps, &report.waits_for);
                    move_to(&bar, &worker.to_string(), &steps, said);
                }
                None => others.extend(steps),
            }
        }
        if !others.is_empty()
            && let Some(bar) = self.bar(&page, None)
        {
            move_to(&bar, "others", &others, String::new());
        }
    }

    /// The bar of a worker, or of the others; a new one if there is room.
    fn bar(&mut self, page: &MultiProgress, worker: Option<&WorkerName>) -> Option<ProgressBar> {
        let found = self.bars.iter().find(|(name, _)| name.as_ref() == worker);
        if let Some((_, bar)) = found {
            return Some(bar.clone());
        }
        let room = worker.is_none() || self.bars.len() < MAX_BARS;
        room.then(|| {
            let template = "  {prefix:<16!} [{bar:24}] {pos:>3} of {len:<3} {wide_msg}";
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("=> ");
            let bar = page.add(ProgressBar::new(0).with_style(style));
            self.bars.push((worker.cloned(), bar.clone()));
            bar
        })
    }

    /// Leaves the bars as they are; what is written from now on stands below them.
    pub fn end(&mut self) {
        for (_, bar) in self.bars.drain(..) {
            bar.abandon();
        }
        self.shown = None;
    }
}

fn by_worker(steps: &[Step]) -> Vec<(WorkerName, Vec<&Step>)> {
    let mut workers: Vec<(WorkerName, Vec<&Step>)> = Vec::new();
    for step in steps.iter().filter(|step| !step.removed) {
        match workers.iter_mut().find(|(name, _)| *name == step.worker) {
            Some((_, steps)) => steps.push(step),
            None => workers.push((step.worker.clone(), vec![step])),
        }
    }
    workers
}

fn move_to(bar: &ProgressBar, name: &str, steps: &[&Step], said: String) {
    let succeeded = steps
        .iter()
        .filter(|step| step.status == CallbackStatus::Succeeded);
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    bar.set_prefix(name.to_owned());
    bar.set_length(count(steps.len()));
    bar.set_position(count(succeeded.count()));
    bar.set_message(said);
    bar.tick();
}

/// What a worker does now: the first of its steps that is not done.
fn said_of(steps: &[&Step], waits_for: &[WaitsFor]) -> String {
    let open = steps
        .iter()
        .find(|step| step.status != CallbackStatus::Succeeded);
    let Some(step) = open else {
        return "done".to_owned();
    };
    let callback = &step.callback;
    match step.status {
        CallbackStatus::InProgress => format!("{callback}, attempt {}", step.attempt),
        CallbackStatus::Failed => {
            let error = step.error.as_deref().unwrap_or_default();
            format!("{callback} failed: {error}")
        }
        _ => {
            let missing = waits_for.iter().any(|waits| {
                matches!(waits, WaitsFor::Worker { worker, callback }
                    if *worker == step.worker && *callback == step.callback)
            });
            match missing {
                true => format!("{callback} is not here; it is waited for"),
                false => "waits".to_owned(),
            }
        }
    }
}
