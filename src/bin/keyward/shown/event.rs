//! Events for people, a line each.

use keyward::{EventLevel, KeeperEvent};

use crate::shown::paint::{Paint, Tone};
use crate::shown::time::utc;

/// An event in a line, and one before it where some were left out.
pub fn line(paint: Paint, event: &KeeperEvent) -> String {
    let tone = match event.level {
        EventLevel::Error => Tone::Bad,
        EventLevel::Warn => Tone::Open,
        _ => Tone::Plain,
    };
    let left_out = match event.left_out {
        0 => String::new(),
        some => format!("({some} events were left out here, for they were not read fast enough)\n"),
    };
    let level = paint.text(tone, format_args!("{:<5}", event.level.to_string()));
    let mut line = format!("{left_out}{} {level} {}", utc(event.at_ms), event.text);
    for (name, value) in &event.fields {
        line.push_str(&format!("  {name}={value}"));
    }
    line
}
