//! Where a file is no TOML: every place of it, though the parser goes on after some of them only.
//!
//! A line with a fault is blanked and the rest parsed again, so that the places of all others stay the same.

use std::ops::Range;

use toml::de::DeTable;

use crate::config::fault::Findings;

/// After so many faults the rest is not looked at.
const MOST: usize = 100;

/// A text that parses, and what of it says nothing about settings.
pub struct Readable {
    /// The text with blank lines in place of those with faults.
    pub text: String,
    /// Lines with faults, and what stands below a header that is one.
    pub unread: Vec<Range<usize>>,
}

/// Tells of every fault.
pub fn readable(text: &str, findings: &Findings) -> Readable {
    let mut readable = Readable {
        text: text.to_owned(),
        unread: Vec::new(),
    };
    let mut is_told = false;
    for _ in 0..MOST {
        let (_, errors) = DeTable::parse_recoverable(&readable.text);
        let placed = errors
            .iter()
            .map(|error| (error.span().unwrap_or_default(), error.message()));
        let Some((at, message)) = placed.min_by_key(|(at, _)| at.start) else {
            return readable;
        };
        let (at, message) = (at.start, message.to_owned());
        let line = line_at(&readable.text, at);
        // At a blank line something further up is not closed: that is told where no fault was told before.
        let is_open = is_blank(&readable.text, &line);
        if !is_open || !is_told {
            findings.fault(&(at..at), message);
            is_told = true;
        }
        let blanked = match is_open {
            true => last_line_before(&readable.text, line.start),
            false => Some(line),
        };
        match blanked {
            Some(line) => readable.blank(line),
            None => break,
        }
    }
    let rest = 0..readable.text.len();
    readable.blank(rest);
    readable
}

impl Readable {
    /// Whether nothing is said about what stands there.
    pub fn is_unread(&self, at: usize) -> bool {
        self.unread.iter().any(|unread| unread.contains(&at))
    }

    fn blank(&mut self, line: Range<usize>) {
        let is_header = |line: &str| line.trim_start().starts_with('[');
        let after = self.text.get(line.end..).unwrap_or_default();
        let below = match self.text.get(line.clone()).is_some_and(is_header) {
            true => after
                .split_inclusive('\n')
                .take_while(|line| !is_header(line))
                .map(str::len)
                .sum(),
            false => 0,
        };
        self.unread.push(line.start..line.end + below + 1);
        let blank = |(at, c): (usize, char)| match line.contains(&at) && c != '\n' {
            true => " ".repeat(c.len_utf8()),
            false => c.to_string(),
        };
        self.text = self.text.char_indices().map(blank).collect();
    }
}

/// The line that has this byte, without its end.
fn line_at(text: &str, at: usize) -> Range<usize> {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let length = text.get(start..).and_then(|rest| rest.find('\n'));
    start..length.map_or(text.len(), |length| start + length)
}

/// Other white space than TOML's is a fault where it stands.
fn is_blank(text: &str, line: &Range<usize>) -> bool {
    let is_ended = text
        .get(line.end..)
        .is_some_and(|rest| rest.starts_with('\n'));
    text.get(line.clone()).is_none_or(|line| {
        let line = line.strip_suffix('\r').filter(|_| is_ended).unwrap_or(line);
        line.trim_matches([' ', '\t']).is_empty()
    })
}

/// The last line that is not blank and ends before this one.
fn last_line_before(text: &str, start: usize) -> Option<Range<usize>> {
    let before = text.get(..start)?.trim_end_matches([' ', '\t', '\r', '\n']);
    (!before.is_empty()).then(|| line_at(text, before.len()))
}
