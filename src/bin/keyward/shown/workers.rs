//! The roster for people.

use keyward::WorkerStatus;

use crate::shown::paint::{Paint, Tone};
use crate::shown::table::{Cell, Table};

/// A table with a line for each callback of each worker, then a line for each instance.
pub fn table(paint: Paint, workers: &[WorkerStatus]) -> String {
    let mut table = Table::new(
        paint,
        &["WORKER", "HERE", "KEY", "CALLBACK", "CHANGES", "REGISTERED"],
    );
    for worker in workers {
        let here = match worker.alive {
            true => Cell(Tone::Good, "yes".to_owned()),
            false => Cell(Tone::Open, "no".to_owned()),
        };
        let mut first = vec![Cell::from(&worker.worker), here];
        for callback in &worker.callbacks {
            let registered = match callback.registered {
                true => Cell::from("yes"),
                false => Cell(Tone::Open, "no".to_owned()),
            };
            let mut row = std::mem::take(&mut first);
            row.resize_with(2, || Cell::from(""));
            let (key, name) = (Cell::from(&callback.key), Cell::from(&callback.callback));
            row.extend([key, name, Cell::from(callback.kind), registered]);
            table.row(row);
        }
        if !first.is_empty() {
            table.row(first);
        }
    }
    if table.is_empty() {
        return "No worker has joined.".to_owned();
    }
    let mut shown = table.to_string();
    for worker in workers {
        for instance in &worker.instances {
            shown.push_str(&format!("\n{}: {instance}", worker.worker));
        }
    }
    shown
}
