//! The table that is printed, and the same as JSON.

use serde_json::{Value, json};

use crate::Outcome;
use crate::measure::{Bench, Row, Target};

/// Prints the rows and the notes.
pub fn print(bench: &Bench) {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "{} rounds, five times as many of gets and fewer of what takes long; {cores} cores",
        bench.rounds
    );
    if cfg!(debug_assertions) {
        println!("A build without optimization: its figures mean nothing.");
    }
    if bench.divide > 1 {
        let divide = bench.divide;
        println!("Sizes are divided by {divide}: the figures only show that the bench works.");
    }
    let wide = bench.rows.iter().map(|row| row.name.chars().count());
    let wide = wide.max().unwrap_or(0).max(4);
    println!(
        "\n{:<wide$} {:>10} {:>10} {:>7} {:>8}  reached",
        "work", "ours", "floor", "ratio", "target"
    );
    for row in &bench.rows {
        let (ours, floor) = (digits(row.ours), digits(row.floor));
        let ratio = format!("{:.2}x", row.ratio);
        let reached = if row.reached() { "yes" } else { "NO" };
        let target = target(row.target);
        println!(
            "{:<wide$} {ours:>10} {floor:>10} {ratio:>7} {target:>8}  {reached}",
            row.name
        );
    }
    if !bench.notes.is_empty() {
        println!();
    }
    for note in &bench.notes {
        println!("- {note}");
    }
}

/// As it is printed, and as it stands in JSON.
fn target(target: Target) -> String {
    match target {
        Target::AtMost(most) => format!("≤ {most}x"),
        Target::AtLeast(least) => format!("≥ {least}x"),
        Target::Stated => "stated".to_owned(),
    }
}

/// Three digits or more, without a string of zeros after the point.
fn digits(figure: f64) -> String {
    match figure {
        f if f >= 100.0 => format!("{f:.0}"),
        f if f >= 10.0 => format!("{f:.1}"),
        f if f >= 1.0 => format!("{f:.2}"),
        f => format!("{f:.3}"),
    }
}

/// A list of the rows.
pub fn json(rows: &[Row]) -> Outcome<String> {
    let list: Vec<Value> = rows.iter().map(object).collect();
    Ok(serde_json::to_string_pretty(&list)? + "\n")
}

fn object(row: &Row) -> Value {
    json!({
        "row": row.name,
        "ours": row.ours,
        "floor": row.floor,
        "ratio": row.ratio,
        "target": target(row.target),
        "reached": row.reached(),
    })
}
