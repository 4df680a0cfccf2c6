//! Versions of a key for people.

use keyward::{VersionListing, VersionState};

use crate::shown::paint::{Paint, Tone};
use crate::shown::table::{Cell, Table};
use crate::shown::time::ago;

/// A table with a line for each version.
pub fn table(paint: Paint, versions: &[VersionListing], now_ms: u64) -> String {
    let head = [
        "VERSION",
        "ID",
        "STATE",
        "SINCE",
        "BECAUSE",
        "MAY BE HELD BY",
    ];
    let mut table = Table::new(paint, &head);
    for version in versions {
        let last = version.arrows.last();
        let owed: Vec<String> = version
            .debts
            .iter()
            .map(|debt| debt.worker.to_string())
            .collect();
        table.row([
            Cell::from(version.number),
            Cell::from(version.id),
            state(version),
            Cell::from(
                last.map(|arrow| ago(arrow.at_ms, now_ms))
                    .unwrap_or_default(),
            ),
            Cell::from(
                last.map(|arrow| arrow.cause.to_string())
                    .unwrap_or_default(),
            ),
            Cell::from(owed.join(", ")),
        ]);
    }
    table.to_string()
}

fn state(version: &VersionListing) -> Cell {
    if version.compromised.is_some() {
        return Cell(Tone::Bad, format!("{}, compromised", version.state));
    }
    match version.state {
        _ if version.is_current => Cell(Tone::Good, "current".to_owned()),
        VersionState::Pending | VersionState::Active => Cell(Tone::Open, version.state.to_string()),
        other => Cell::from(other),
    }
}
