//! The history for people.

use keyward::HistoryListing;

use crate::shown::command::Commands;
use crate::shown::paint::Paint;
use crate::shown::rotation;

/// A page of the rotations that have ended, and how the next one is had.
pub fn page(paint: Paint, page: &HistoryListing, commands: &Commands, now_ms: u64) -> String {
    if page.rotations.is_empty() && page.unreadable.is_empty() && page.next.is_none() {
        return "No rotation has ended.".to_owned();
    }
    let table = rotation::table(paint, &page.rotations, &page.unreadable, now_ms);
    match page.next {
        Some(next) => {
            let older = commands.keyward(&format!("history --before {next}"), &[]);
            format!("{table}\n\nOlder ones: {older}")
        }
        None => table,
    }
}
