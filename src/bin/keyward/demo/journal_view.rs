//! The journal as a killed server left it.
//!
//! Opening a database recovers it, and a manager begins a new life in it. So a copy is looked at,
//! and the server comes back to exactly what it left.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use keyward::journal::database::Database;
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::rotation::plan::Step;
use keyward::{
    AeadCryptoTool, CallbackStatus, RotationId, RotationReport, RotationState, SecretKeyValue,
    StateRepo,
};

use crate::demo::error::DemoError;
use crate::demo::layout::Layout;

/// A rotation as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationView {
    /// Its id.
    pub id: RotationId,
    /// How far it is.
    pub state: RotationState,
    /// Its steps, in the plan's order.
    pub steps: Vec<StepView>,
}

/// A step as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepView {
    /// Whose callback.
    pub worker: String,
    /// Which callback.
    pub callback: String,
    /// How far it is.
    pub status: CallbackStatus,
    /// How often it was called.
    pub attempt: u32,
}

impl From<&Step> for StepView {
    fn from(step: &Step) -> Self {
        Self {
            worker: step.worker.to_string(),
            callback: step.callback.to_string(),
            status: step.status,
            attempt: step.attempt,
        }
    }
}

impl From<&RotationReport> for RotationView {
    fn from(report: &RotationReport) -> Self {
        Self {
            id: report.id,
            state: report.state,
            steps: report.steps.iter().map(StepView::from).collect(),
        }
    }
}

/// The unfinished rotations in the data folder, which no process may have open.
///
/// # Errors
/// The folder cannot be copied, or the copy not be read.
pub fn as_found(layout: &Layout, master: &SecretKeyValue) -> Result<Vec<RotationView>, DemoError> {
    copy_data(layout)?;
    let options = FolderOptions::new(layout.data_as_found());
    let repo: Arc<dyn StateRepo> = Arc::new(RocksDbRepo::open(&options)?);
    let found = read(Arc::clone(&repo), master);
    repo.close()?;
    found
}

fn copy_data(layout: &Layout) -> Result<(), DemoError> {
    let (from, to) = (layout.data(), layout.data_as_found());
    DirBuilder::new()
        .mode(0o700)
        .create(&to)
        .map_err(DemoError::io("creating", &to))?;
    for entry in fs::read_dir(&from).map_err(DemoError::io("listing", &from))? {
        let entry = entry.map_err(DemoError::io("listing", &from))?;
        let path = entry.path();
        fs::copy(&path, to.join(entry.file_name())).map_err(DemoError::io("copying", &path))?;
    }
    Ok(())
}

fn read(repo: Arc<dyn StateRepo>, master: &SecretKeyValue) -> Result<Vec<RotationView>, DemoError> {
    let database = Database::open(repo)?;
    let tool = AeadCryptoTool::derive(master, &database.id())?;
    let loaded = database.unlock(Arc::new(tool))?.load()?;
    let rotations = loaded.facts.rotations.iter();
    Ok(rotations
        .map(|(header, steps)| RotationView {
            id: header.id,
            state: header.state,
            steps: steps.iter().map(StepView::from).collect(),
        })
        .collect())
}
