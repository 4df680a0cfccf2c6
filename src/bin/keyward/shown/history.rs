//! The history for people.

use keyward::HistoryListing;

use crate::shown::command::Commands;
use crate::shown::paint::Paint;
use crate::shown::rotation;

/// A page of the rotations that have ended, and how the next one is had.
pub fn page(paint: Paint, page: &HistoryListing, commands: &Commands, now_ms: u64) -> String {
    let is_empty = page.rotations.is_empty() && page.unreadable.is_empty() && page.next.is_none();
    let mut table = match is_empty {
        true => "No rotation has ended.".to_owned(),
        false => rotation::table(paint, &page.rotations, &page.unreadable, now_ms),
    };
    if !page.acts.is_empty() {
        let acts = page.acts.iter().rev();
        let acts = acts.map(|act| format!("\n  {}", rotation::act(act, now_ms)));
        table.push_str("\n\nRemoved and dismissed:");
        table.extend(acts);
    }
    match page.next {
        Some(next) => {
            let older = commands.keyward(&format!("history --before {next}"), &[]);
            format!("{table}\n\nOlder ones: {older}")
        }
        None => table,
    }
}
