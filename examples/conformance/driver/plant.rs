//! The record that is in the state repo when a scenario begins, as an earlier life left it.

use std::ops::ControlFlow;
use std::sync::Arc;

use keyward::journal::database::Database;
use keyward::key::name::KeyName;
use keyward::key::state::{RecordChange, StateRecord};
use keyward::repo::batch::Batch;
use keyward::repo::space::Space;
use keyward::{AeadCryptoTool, SecretKeyFlow, SecretKeyValue, StateRepo};

use super::life::{KEY, MASTER_KEY};
use super::namespace::Namespace;
use super::scenario::State;

/// Puts the record where the key's own would be.
pub fn plant(repo: &Namespace, state: &State) -> Result<(), String> {
    match state {
        State::Record(record) => write(repo, record.flow, record.key.as_deref()),
        State::Corrupt(_) => {
            write(repo, SecretKeyFlow::BackPath, None)?;
            spoil(repo)
        }
    }
    .map_err(|why| format!("the record at the start could not be planted: {why}"))
}

fn write(repo: &Namespace, flow: SecretKeyFlow, key: Option<&str>) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let master = SecretKeyValue::from(MASTER_KEY);
    let database = Database::open(Arc::new(repo.next_life())).map_err(|error| text(&error))?;
    let crypto = AeadCryptoTool::derive(&master, &database.id()).map_err(|error| text(&error))?;
    let mut journal = database
        .unlock(Arc::new(crypto))
        .map_err(|error| text(&error))?;
    journal.load().map_err(|error| text(&error))?;
    let name = KeyName::new(KEY).map_err(|error| text(&error))?;
    let record = StateRecord {
        flow,
        key: key.map(SecretKeyValue::from),
    };
    let saved = journal.save_state(&name, &RecordChange::Put(record));
    saved.map_err(|error| text(&error))?;
    journal.close().map_err(|error| text(&error))
}

/// Overwrites the one record with what no version of keyward has written.
fn spoil(repo: &Namespace) -> Result<(), String> {
    let mut spoilt = Batch::new();
    repo.scan(Space::States, b"", &mut |key, _| {
        spoilt = std::mem::take(&mut spoilt).put(Space::States, key, "not a record");
        ControlFlow::Continue(())
    })
    .map_err(|error| error.to_string())?;
    if spoilt.len() != 1 {
        return Err(format!("{} records to spoil instead of one", spoilt.len()));
    }
    repo.apply(&spoilt).map_err(|error| error.to_string())
}
