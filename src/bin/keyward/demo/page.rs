//! The page that the story is written on: lines, and on a terminal a progress bar a worker.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use crate::demo::error::DemoError;
use crate::printing::Printing;

/// Standard output.
pub struct Page {
    /// Nothing is written, for programs read an object at the end.
    quiet: bool,
    bars: Option<MultiProgress>,
    workers: Vec<(String, ProgressBar)>,
}

impl Page {
    /// An empty page.
    pub fn new(printing: &Printing) -> Self {
        let bars = !printing.json && io::stdout().is_terminal();
        let target = || MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        Self {
            quiet: printing.json,
            bars: bars.then(target),
            workers: Vec::new(),
        }
    }

    /// Writes a line, above the bars if there are any.
    ///
    /// # Errors
    /// The reader of standard output has gone.
    pub fn line(&self, text: impl Display) -> Result<(), DemoError> {
        if self.quiet {
            return Ok(());
        }
        let written = match &self.bars {
            Some(bars) => bars.suspend(|| write_line(&text)),
            None => write_line(&text),
        };
        written.map_err(DemoError::process("writing to standard output"))
    }

    /// Writes a line for programs, where they read.
    ///
    /// # Errors
    /// The reader of standard output has gone.
    pub fn object(&self, object: &Value) -> Result<(), DemoError> {
        if !self.quiet {
            return Ok(());
        }
        write_line(object).map_err(DemoError::process("writing to standard output"))
    }

    /// Shows a bar for each worker, on a terminal.
    pub fn show_bars(&mut self, workers: &[String], documents: u32) {
        let Some(bars) = &self.bars else { return };
        let template = "   {prefix:<9} [{bar:20}] {pos:>5} of {len}  {msg}";
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        for worker in workers {
            let bar = bars.add(ProgressBar::new(u64::from(documents)).with_style(style.clone()));
            bar.set_prefix(worker.clone());
            bar.tick();
            self.workers.push((worker.clone(), bar));
        }
    }

    /// Moves a worker's bar.
    pub fn progress(&self, worker: &str, done: u32) {
        if let Some(bar) = self.bar(worker) {
            bar.set_position(u64::from(done));
        }
    }

    /// Says what became of a worker's callback: beside its bar on a terminal, in a line elsewhere.
    ///
    /// # Errors
    /// The reader of standard output has gone.
    pub fn worker(&self, worker: &str, text: &str) -> Result<(), DemoError> {
        match self.bar(worker) {
            Some(bar) => {
                bar.set_message(text.to_owned());
                bar.tick();
                Ok(())
            }
            None => self.line(format_args!("   {worker:<9} {text}")),
        }
    }

    /// Leaves the bars as they are and writes below them from now on.
    pub fn end_bars(&mut self) {
        for (_, bar) in self.workers.drain(..) {
            bar.abandon();
        }
        if self.bars.is_some() {
            self.bars = Some(MultiProgress::with_draw_target(ProgressDrawTarget::stdout()));
        }
    }

    fn bar(&self, worker: &str) -> Option<&ProgressBar> {
        let found = self.workers.iter().find(|(name, _)| name == worker);
        found.map(|(_, bar)| bar)
    }
}

fn write_line(text: &impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
