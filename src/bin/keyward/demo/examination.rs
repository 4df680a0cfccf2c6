//! Looking at documents: which key opens them, and whether they are as they were.

use std::time::Duration;

use keyward::{AeadCryptoTool, CryptoTool, KeysManagement, RotationId};

use crate::demo::chance::original;
use crate::demo::documents::{Documents, tool};
use crate::demo::error::DemoError;
use crate::demo::journal_view::SeenRotation;
use crate::demo::keys::{NEW, OLD, SHARED, start_manager};
use crate::demo::layout::{Layout, worker_names};
use crate::demo::options::DemoOptions;
use crate::demo::summary::{Checked, Tally};

/// How many of a worker's documents open with which key.
///
/// # Errors
/// A key cannot be had or a document not be read.
pub async fn tally(keyring: &KeysManagement, documents: &Documents) -> Result<Tally, DemoError> {
    let old = tool(&keyring.get_key(OLD).await?.value)?;
    let new = tool(&keyring.get_key(NEW).await?.value)?;
    let mut tally = Tally::default();
    for no in documents.numbers() {
        let sealed = documents.read(no)?.unwrap_or_default();
        let opens =
            |tool: &AeadCryptoTool| tool.open(&sealed, documents.name(no).as_bytes()).is_ok();
        match (opens(&new), opens(&old)) {
            (true, _) => tally.new += 1,
            (false, true) => tally.old += 1,
            (false, false) => tally.lost += 1,
        }
    }
    Ok(tally)
}

/// Opens every document with the key that is in use now and compares it with the original; answers
/// also what the rotation came to.
///
/// This is the program's next life: a manager of its own on the server's data folder.
///
/// # Errors
/// The manager did not start, the key cannot be had, or a document cannot be read.
pub async fn check_all(
    layout: &Layout,
    options: &DemoOptions,
    seed: u64,
    rotation: RotationId,
) -> Result<(SeenRotation, Checked), DemoError> {
    let manager = start_manager(layout, Duration::from_secs(60)).await?;
    let key = manager.get_decrypt_key(SHARED).await?;
    let tool = tool(&key.value)?;
    let mut checked = Checked::default();
    for (no, worker) in (1..).zip(worker_names(options.workers)) {
        let documents = Documents::of(layout, &worker, options.documents);
        check(
            &documents,
            &tool,
            |document| original(seed, no, document),
            &mut checked,
        )?;
        checked.leftovers += documents.leftovers()?;
        tokio::task::yield_now().await;
    }
    let report = manager.wait(rotation).await?;
    manager.shutdown().await?;
    Ok((SeenRotation::from(&report), checked))
}

fn check(
    documents: &Documents,
    tool: &AeadCryptoTool,
    original: impl Fn(u32) -> Vec<u8>,
    checked: &mut Checked,
) -> Result<(), DemoError> {
    for no in documents.numbers() {
        let name = documents.name(no);
        let sealed = documents.read(no)?.unwrap_or_default();
        let opened = tool.open(&sealed, name.as_bytes());
        if !opened.is_ok_and(|plain| *plain == original(no)) {
            checked.lost.push(name);
        }
        checked.documents += 1;
    }
    Ok(())
}
