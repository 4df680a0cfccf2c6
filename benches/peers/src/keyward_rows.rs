//! keyward's own rows, which the peers are compared with: its public calls, with every default.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;

use keyward::{Change, KeyAnswer, KeyError, KeysManagement, MemoryRepo, RotationState, block_on};
use keyward::{SecretKeyDefinition, SingleKeyManagement};
use tokio::runtime::Runtime;

use crate::Outcome;
use crate::asking::{Asked, at_once, one_by_one, plain_asks, plain_calls};
use crate::promises;
use crate::row::{Row, Unit};

pub const HELD: &str = "keyward: get of a held key";
pub const HELD_AT_ONCE: &str = "keyward: get of a held key, 64 at once";
pub const HELD_PLAIN: &str = "keyward: get of a held key, plain thread";
pub const FORWARD: &str = "keyward: forward get, plain thread";
pub const NO_FLOW: &str = "keyward: get without a flow, plain thread";
pub const ONE_WAY: &str = "keyward: get of a one-way key, plain thread";
pub const UNCACHED: &str = "keyward: back-path get, key not kept, plain thread";

/// How many callbacks a change goes through.
pub const CALLBACKS: [u32; 4] = [1, 10, 100, 1_000];

/// The name of the row of changes that are journaled on RocksDB.
pub fn durable_change(callbacks: u32) -> String {
    format!("keyward on RocksDB: {}", change_through(callbacks))
}

/// The name of the row of changes that are journaled in memory.
pub fn memory_change(callbacks: u32) -> String {
    format!("keyward in memory: {}", change_through(callbacks))
}

/// What a change is called in all rows.
pub fn change_through(callbacks: u32) -> String {
    let plural = if callbacks == 1 { "" } else { "s" };
    format!("change, {callbacks} callback{plural}")
}

/// The managers: one on RocksDB, in a folder that is gone afterwards, and one in memory.
pub struct Keyward {
    durable: KeysManagement,
    memory: KeysManagement,
    beside: File,
}

impl Keyward {
    /// Starts both.
    pub fn start(folder: &Path) -> Outcome<Self> {
        let durable = block_on(
            KeysManagement::builder()
                .data_folder(folder.join("keyward"))
                .master_key(|| [9_u8; 32])
                .start(),
        )?;
        let memory = block_on(
            KeysManagement::builder()
                .state_repo(MemoryRepo::new())
                .master_key(|| [9_u8; 32])
                .start(),
        )?;
        let beside = File::create(folder.join("appended"))?;
        Ok(Self {
            durable,
            memory,
            beside,
        })
    }

    /// What is measured of keyward, and of the disk that its changes are written to.
    pub fn rows(&self, asker: &Rc<Runtime>) -> Outcome<Vec<Row>> {
        let mut rows = self.gets(asker)?;
        rows.push(disk(self.beside.try_clone()?));
        for callbacks in CALLBACKS {
            let name = durable_change(callbacks);
            let manager = &self.durable;
            rows.push(change(name, manager, callbacks, &promises::KEYWARD)?);
        }
        for callbacks in CALLBACKS {
            let name = memory_change(callbacks);
            let manager = &self.memory;
            rows.push(change(name, manager, callbacks, &promises::IN_MEMORY)?);
        }
        Ok(rows)
    }

    fn gets(&self, asker: &Rc<Runtime>) -> Outcome<Vec<Row>> {
        let keys = &self.durable;
        for name in ["held", "alternating"] {
            block_on(keys.define_key(SecretKeyDefinition::round_trip(name, || "a value")))?;
        }
        block_on(keys.define_key(
            SecretKeyDefinition::round_trip("uncached", || "a value").keep_in_cache(false),
        ))?;
        block_on(keys.define_key(SecretKeyDefinition::one_way("one-way", || "a value")))?;
        block_on(keys.get_forward_path_key("held"))?;

        let held = Held(self.durable.get_single_management("held")?);
        let (mut one, many) = (held.clone(), held);
        let (first, second) = (Rc::clone(asker), Rc::clone(asker));
        let single = |key| Outcome::Ok(self.durable.get_single_management(key)?);
        let held = single("held")?;
        let (forward, no_flow) = (single("alternating")?, single("alternating")?);
        let (one_way, uncached) = (single("one-way")?, single("uncached")?);
        Ok(vec![
            Row::new(HELD, Unit::Call, &promises::KEYWARD, move || {
                one_by_one(&first, &mut one)
            }),
            Row::new(HELD_AT_ONCE, Unit::Rate, &promises::KEYWARD, move || {
                at_once(&second, &many)
            }),
            plain(HELD_PLAIN, move || block_on(held.get_back_path_key())),
            plain(FORWARD, move || block_on(forward.get_forward_path_key())),
            plain(NO_FLOW, move || block_on(no_flow.get_key())),
            plain(ONE_WAY, move || block_on(one_way.get_key())),
            plain(UNCACHED, move || block_on(uncached.get_back_path_key())),
        ])
    }

    /// Shuts both down.
    pub fn end(self) -> Outcome<()> {
        block_on(self.durable.shutdown())?;
        block_on(self.memory.shutdown())?;
        Ok(())
    }
}

/// A get from a thread without an async runtime.
fn plain(name: &str, mut get: impl FnMut() -> Result<KeyAnswer, KeyError> + 'static) -> Row {
    Row::new(name, Unit::Call, &promises::KEYWARD, move || {
        plain_asks(|| {
            black_box(get()?);
            Ok(())
        })
    })
}

#[derive(Clone)]
struct Held(SingleKeyManagement);

impl Asked for Held {
    async fn ask(&mut self) -> Outcome<()> {
        black_box(self.0.get_back_path_key().await?);
        Ok(())
    }
}

/// What the disk takes for the least that a durable step could write.
fn disk(mut file: File) -> Row {
    let name = "the disk: append of 200 bytes, fdatasync";
    Row::new(name, Unit::Call, &promises::DISK, move || {
        plain_calls(100, || {
            file.write_all(&[0; 200])?;
            Ok(file.sync_data()?)
        })
    })
}

/// A change through callbacks that do nothing, of one worker, one after the other.
fn change(
    name: String,
    manager: &KeysManagement,
    callbacks: u32,
    promises: &'static promises::Promises,
) -> Outcome<Row> {
    let key = format!("changed-{callbacks}");
    let keys = manager.clone();
    block_on(keys.define_key(SecretKeyDefinition::round_trip(key.as_str(), || "a value")))?;
    let worker = block_on(keys.join(&key))?;
    for callback in 0..callbacks {
        block_on(worker.register_on_change(&key, &format!("callback-{callback}"), |_| async {}))?;
    }
    let repeat = (200 / callbacks).clamp(1, 20);
    Ok(Row::new(name, Unit::Change, promises, move || {
        // The worker is a member as long as its row is there.
        let _alive = &worker;
        plain_calls(repeat, || {
            let change = Change::of(key.as_str()).old("a value").new_keys("another");
            let report = block_on(keys.key_changed(change))?;
            let done = report.state == RotationState::Completed;
            if done && report.steps.len() == callbacks as usize {
                Ok(())
            } else {
                Err(format!("{:?} after {} steps", report.state, report.steps.len()).into())
            }
        })
    }))
}
