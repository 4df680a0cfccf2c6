//! The journal as a killed server left it.
//!
//! Opening a database recovers it, and a manager begins a new life in it. So a copy is looked at,
//! and the server comes back to exactly what it left.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;

use keyward::{
    CallbackStatus, RotationId, RotationReport, RotationState, SecretKeyValue, Step,
    rotations_as_found,
};

use crate::demo::error::DemoError;
use crate::demo::layout::Layout;

/// A rotation as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRotation {
    /// Its id.
    pub id: RotationId,
    /// How far it is.
    pub state: RotationState,
    /// Its steps, in the plan's order.
    pub steps: Vec<SeenStep>,
}

/// A step as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenStep {
    /// The worker.
    pub worker: String,
    /// The callback.
    pub callback: String,
    /// How far it is.
    pub status: CallbackStatus,
    /// How often it was called.
    pub attempt: u32,
}

impl From<&Step> for SeenStep {
    fn from(step: &Step) -> Self {
        Self {
            worker: step.worker.to_string(),
            callback: step.callback.to_string(),
            status: step.status,
            attempt: step.attempt,
        }
    }
}

impl From<&RotationReport> for SeenRotation {
    fn from(report: &RotationReport) -> Self {
        Self {
            id: report.id,
            state: report.state,
            steps: report.steps.iter().map(SeenStep::from).collect(),
        }
    }
}

/// The unfinished rotations in the data folder, which no process may have open.
///
/// # Errors
/// The folder cannot be copied, or the copy not be opened.
pub fn as_found(layout: &Layout, master: &SecretKeyValue) -> Result<Vec<SeenRotation>, DemoError> {
    copy_data(layout)?;
    let found = rotations_as_found(&layout.data_as_found(), master)?;
    Ok(found.iter().map(SeenRotation::from).collect())
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
