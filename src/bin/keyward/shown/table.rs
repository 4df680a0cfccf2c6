//! A table of texts: columns that stand under each other, two blanks between.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use crate::shown::paint::{Paint, Tone};

/// A table with a head. Its last column is not filled up.
#[derive(Debug)]
pub struct Table {
    paint: Paint,
    rows: Vec<Vec<(Tone, String)>>,
}

impl Table {
    /// A table with these names of columns.
    pub fn new(paint: Paint, head: &[&str]) -> Self {
        let head = head.iter().map(|name| (Tone::Head, (*name).to_owned()));
        Self {
            paint,
            rows: vec![head.collect()],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let cells = cells.into_iter().map(|Cell(tone, text)| (tone, text));
        self.rows.push(cells.collect());
    }

    /// Whether there is no row below the head.
    pub fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, (_, text)) in widths.iter_mut().zip(row) {
                *width = (*width).max(text.width());
            }
        }
        widths
    }
}

/// A cell: a text and its tone.
#[derive(Debug)]
pub struct Cell(pub Tone, pub String);

impl<T: fmt::Display> From<T> for Cell {
    fn from(text: T) -> Self {
        Self(Tone::Plain, text.to_string())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for (no, row) in self.rows.iter().enumerate() {
            if no > 0 {
                writeln!(f)?;
            }
            // Blanks go before the next cell, so that no line ends in them.
            let mut blanks = 0;
            for ((tone, text), width) in row.iter().zip(&widths) {
                if !text.is_empty() {
                    write!(f, "{:blanks$}{}", "", self.paint.text(*tone, text))?;
                    blanks = 0;
                }
                blanks += width - text.width() + 2;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other_by_what_is_seen_and_no_line_ends_in_blanks() {
        let mut table = Table::new(Paint::plain(), &["WORKER", "STATE", ""]);
        assert!(table.is_empty());
        table.row(["anna", "here", ""].map(Cell::from));
        table.row(["鍵の人", "", "absent"].map(Cell::from));
        let lines = ["WORKER  STATE", "anna    here", "鍵の人         absent"];
        assert_eq!(table.to_string(), lines.join("\n"));
    }
}
