//! The table that is printed, and the same as JSON.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::Outcome;
use crate::promises::{ALL, LETTERS};
use crate::row::{Row, Unit};

/// The crates among the peers, whose versions are printed.
const CRATES: [&str; 5] = ["actix", "kameo", "ractor", "secret-manager", "redis"];
const LOCK: &str = include_str!("../Cargo.lock");
const WIDE: usize = 92;

/// Prints the figures, what was skipped, and what everybody promises.
pub fn print(rows: &[Row], rounds: usize) {
    if cfg!(debug_assertions) {
        println!("A debug build: these figures mean nothing. Run it with --release.\n");
    }
    println!("{}", about(rounds));
    for unit in [Unit::Call, Unit::Rate, Unit::Change] {
        let better = unit.better();
        println!("\nIn {}, the median ({better} is better)", unit.name());
        println!(
            "{:<53} {:>11} {:>11} {:>9}  promises",
            "row", "row's", "keyward's", "keyward/it"
        );
        for row in rows.iter().filter(|row| row.unit == unit) {
            println!("{}", line(row, rows));
        }
    }
    println!(
        "\nkeyward/it divides keyward's figure by the row's, in the same round: the median of"
    );
    println!("these. The row of keyward's that a row stands beside is named in the JSON.");
    let skipped: BTreeSet<&str> = rows.iter().filter_map(Row::why_skipped).collect();
    for why in skipped {
        println!("\nSkipped: {why}");
    }
    println!("\nThe letters: capital, promised; small, in part or by configuration; dash, not.");
    for (letter, meaning) in LETTERS {
        println!("  {letter}  {meaning}");
    }
    println!();
    for promises in ALL {
        let text = format!(
            "{} ({}): {}",
            promises.who, promises.letters, promises.words
        );
        wrapped(&text);
    }
}

fn about(rounds: usize) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let crates: Vec<String> = CRATES
        .iter()
        .map(|name| format!("{name} {}", version(name)))
        .collect();
    format!("{rounds} rounds, {cores} cores; {}", crates.join(", "))
}

fn version(name: &str) -> &str {
    let entry = format!("name = \"{name}\"\nversion = \"");
    LOCK.split_once(&entry)
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or("of unknown version")
}

fn ours<'a>(row: &Row, rows: &'a [Row]) -> Option<&'a Row> {
    let name = row.ours.as_ref()?;
    rows.iter().find(|row| row.name == *name)
}

fn line(row: &Row, rows: &[Row]) -> String {
    if row.why_skipped().is_some() {
        return format!("{:<53} skipped, see below", row.name);
    }
    let ours = ours(row, rows);
    let own = shown(row.median());
    let theirs = shown(ours.and_then(Row::median));
    let ratio = ours.and_then(|ours| row.ratio(ours));
    let ratio = ratio.map_or_else(String::new, |ratio| format!("{}x", digits(ratio)));
    let letters = row.promises.letters;
    format!(
        "{:<53} {own:>11} {theirs:>11} {ratio:>9}  {letters}",
        row.name
    )
}

fn shown(figure: Option<f64>) -> String {
    figure.map_or_else(String::new, digits)
}

/// Three digits or more, without a string of zeros after the point.
fn digits(figure: f64) -> String {
    match figure {
        f if f >= 100.0 => format!("{f:.0}"),
        f if f >= 10.0 => format!("{f:.1}"),
        f if f >= 1.0 => format!("{f:.2}"),
        f if f >= 0.1 => format!("{f:.3}"),
        f => format!("{f:.4}"),
    }
}

fn wrapped(text: &str) {
    let mut line = String::new();
    for word in text.split(' ') {
        if line.chars().count() + word.chars().count() >= WIDE {
            println!("{line}");
            "   ".clone_into(&mut line);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    println!("{line}");
}

/// A list of rows: `ours` is keyward's figure, `floor` the peer's, both in `unit`.
pub fn json(rows: &[Row]) -> Outcome<String> {
    let list: Vec<Value> = rows.iter().map(|row| object(row, rows)).collect();
    Ok(serde_json::to_string_pretty(&list)? + "\n")
}

fn object(row: &Row, rows: &[Row]) -> Value {
    let beside = ours(row, rows);
    let (figure, floor) = match beside {
        Some(ours) => (ours.median(), row.median()),
        None => (row.median(), None),
    };
    json!({
        "row": row.name,
        "unit": row.unit.name(),
        "better": row.unit.better(),
        "ours_row": beside.map_or(&row.name, |ours| &ours.name),
        "ours": figure,
        "floor": floor,
        "ratio": beside.and_then(|ours| row.ratio(ours)),
        "promises": row.promises.letters,
        "skipped": row.why_skipped(),
    })
}
