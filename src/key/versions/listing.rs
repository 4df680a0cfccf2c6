//! What is shown of a key's versions. None of it is a secret.

use std::fmt;

use crate::key::name::WorkerName;
use crate::key::versions::debt::Debt;
use crate::key::versions::id::VersionId;
use crate::key::versions::state::VersionState;
use crate::key::versions::table::VersionTable;
use crate::key::versions::version::{Arrow, Compromised, Version};

/// One version of a key, as [`versions`](crate::KeysManagement::versions) answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct VersionListing {
    /// Its id, by which data is read.
    pub id: VersionId,
    /// Its number, for people.
    pub number: u64,
    /// What may be done with it.
    pub state: VersionState,
    /// Whether it is the one that is written with.
    pub is_current: bool,
    /// How it came to be what it is, in order.
    pub arrows: Vec<Arrow>,
    /// Whether somebody knows its value who should not.
    pub compromised: Option<Compromised>,
    /// What it owes, and to which workers: it stays readable while it owes.
    pub debts: Vec<OpenDebt>,
}

/// A debt of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OpenDebt {
    /// The worker to which the version was handed for writing.
    pub worker: WorkerName,
    /// Since when.
    pub debt: Debt,
}

impl VersionListing {
    /// What is shown of a table, the newest version first.
    pub(crate) fn of_table(table: &VersionTable) -> Vec<Self> {
        let versions = table.newest_first().into_iter();
        versions.map(|version| Self::of(table, version)).collect()
    }

    fn of(table: &VersionTable, version: &Version) -> Self {
        let debts = table.debts(version.id).map(|(worker, debt)| OpenDebt {
            worker: worker.clone(),
            debt: *debt,
        });
        Self {
            id: version.id,
            number: version.number,
            state: version.state,
            is_current: version.id == table.current(),
            arrows: version.arrows.clone(),
            compromised: version.compromised.clone(),
            debts: debts.collect(),
        }
    }
}

impl fmt::Display for VersionListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = if self.is_current { ", current" } else { "" };
        write!(
            f,
            "version {} ({}): {}{current}",
            self.number, self.id, self.state
        )?;
        let owes: Vec<String> = self.debts.iter().map(|of| of.worker.to_string()).collect();
        if !owes.is_empty() {
            write!(f, ", owes {}", owes.join(", "))?;
        }
        if self.compromised.is_some() {
            f.write_str(", compromised")?;
        }
        Ok(())
    }
}
