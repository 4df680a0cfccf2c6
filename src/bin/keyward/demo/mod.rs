//! `keyward demo`: a rotation that survives a crash, on real files and real processes.
//!
//! Reading order: `story` is what happens, `summary` is what is claimed of it. The demo's own
//! process starts a `server_process`, which is this program as a `server`, and they talk in lines
//! (`protocol`). `documents`, `keys` and `layout` are the folder; `reencryption` is the callback.
//!
//! Never in here: a private path of the crate, a key in a line, an argument or a variable.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::demo::chance::Chance;
use crate::demo::error::DemoError;
use crate::demo::layout::Layout;
use crate::demo::options::DemoOptions;
use crate::demo::page::Page;
use crate::demo::story::Story;
use crate::demo::summary::Evidence;
use crate::hardening::complain;
use crate::runtime::runtime;
use crate::signals::Interruption;

mod calls;
mod chance;
mod documents;
mod error;
mod examination;
mod journal_view;
mod keys;
mod layout;
pub mod options;
mod page;
mod protocol;
mod reencryption;
pub mod server;
mod server_process;
mod story;
mod summary;

/// Runs the demo.
pub fn run(options: &DemoOptions) -> ExitCode {
    match play(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            options.printing.failure(error.code(), &error, false);
            complain(format_args!("demo: {error} ({})", error.code()));
            ExitCode::FAILURE
        }
    }
}

/// Answers whether every claim holds.
fn play(options: &DemoOptions) -> Result<bool, DemoError> {
    let begun = Instant::now();
    let seed = match options.seed {
        Some(seed) => seed,
        None => Chance::any_seed()?,
    };
    let mut page = Page::new(&options.printing);
    let folder = create_folder(options)?;
    let layout = Layout::of(folder.path());
    page.line(format_args!(
        "keyward demo, seed {seed}, in {}",
        folder.path().display()
    ))?;
    let told = runtime()
        .map_err(DemoError::process("starting the runtime"))?
        .block_on(async {
            let mut interruption =
                Interruption::watch().map_err(DemoError::process("watching signals"))?;
            let story = Story::new(&layout, options, seed, &mut page);
            // An interrupted story ends with its server, and the folder is removed after it.
            tokio::select! {
                () = interruption.next() => Err(DemoError::Interrupted),
                told = story.tell() => told,
            }
        });
    page.end_bars();
    let path = folder.path().to_owned();
    let holds = told.and_then(|evidence| {
        let took = begun.elapsed();
        let object = evidence.object(seed, took, options.keep.then_some(path.as_path()));
        page.object(&object)?;
        summarize(&page, &evidence, took)
    });
    if options.keep {
        page.line(format_args!(
            "The folder is left, its keys too: {}",
            path.display()
        ))?;
        drop(folder.keep());
        return holds;
    }
    let removed = folder.close().map_err(DemoError::io("removing", &path));
    holds.and_then(|holds| removed.map(|()| holds))
}

fn create_folder(options: &DemoOptions) -> Result<TempDir, DemoError> {
    let parent = std::env::temp_dir();
    tempfile::Builder::new()
        .prefix("keyward-demo-")
        .disable_cleanup(options.keep)
        .tempdir_in(&parent)
        .map_err(DemoError::io("creating a folder in", &parent))
}

fn summarize(page: &Page, evidence: &Evidence, took: Duration) -> Result<bool, DemoError> {
    page.line("")?;
    page.line("Summary")?;
    for line in evidence.lines() {
        page.line(line)?;
    }
    let seconds = took.as_secs_f64();
    let broken = evidence.broken_claims();
    if broken.is_empty() {
        page.line(format_args!("Every claim holds. It took {seconds:.1} s."))?;
        return Ok(true);
    }
    for claim in broken {
        page.line(format_args!("NOT SEEN: {claim}"))?;
    }
    for name in evidence.checked.lost.iter().take(10) {
        page.line(format_args!("LOST: {name}"))?;
    }
    Ok(false)
}
