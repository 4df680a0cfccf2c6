//! The end of the program while keyward opens, writes, reopens or closes its database.

use std::path::Path;
use std::process::exit;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock};
use std::thread::{sleep, spawn};
use std::time::Duration;

use keyward::repo::batch::Batch;
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::repo::space::Space;
use keyward::worker::callback::KeyChange;
use keyward::{Change, KeysManagement, StateRepo, block_on};

use crate::limits::child::{run, say};
use crate::support::{builder, documents};

#[test]
fn a_program_that_ends_just_after_it_dropped_its_keys_ends_cleanly() {
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..120 {
        let said = run("exit-after-drop", folder.path(), round).cleanly(&format!("{round}"));
        assert_eq!(said, ["dropped"]);
    }
}

/// The first drops its keys, the second begins a shutdown and does not wait for its end; each ends
/// the program 0 to 8 ms later.
pub fn exit_after_drop(folder: &Path, round: u64) {
    let started = block_on(builder().data_folder(folder.join("data")).start());
    let keys = started.expect("it starts");
    block_on(keys.define_key(documents())).expect("it is defined");
    say("dropped");
    if round.is_multiple_of(2) {
        drop(keys);
    } else {
        begin_shutdown(keys);
    }
    sleep(Duration::from_micros(round / 2 % 60 * 150));
    exit(0);
}

fn begin_shutdown(keys: KeysManagement) {
    let (told, begun) = sync_channel(1);
    spawn(move || {
        let _heard = told.send(());
        drop(block_on(keys.shutdown()));
    });
    begun.recv().expect("it begins");
}

#[test]
fn a_program_that_ends_while_a_database_is_opened_written_and_closed_ends_cleanly() {
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..60 {
        let said = run("exit-while-reopening", folder.path(), round).cleanly(&format!("{round}"));
        assert_eq!(said, ["ends"]);
    }
    RocksDbRepo::open(&FolderOptions::new(folder.path().join("data"))).expect("it is whole");
}

pub fn exit_while_reopening(folder: &Path, round: u64) {
    let options = FolderOptions::new(folder.join("data"));
    let repo = Arc::new(RocksDbRepo::open(&options).expect("it opens"));
    let (told, begun) = sync_channel(1);
    let of_thread = Arc::clone(&repo);
    spawn(move || {
        let repo = of_thread;
        for number in 0_u32.. {
            let batch = Batch::new().put(Space::Rotations, number.to_be_bytes(), vec![7; 1_000]);
            // At the program's end it is refused.
            let done = repo.apply(&batch).and_then(|()| repo.reopen());
            drop(done.or_else(|_| repo.close()));
            let _full = told.try_send(());
        }
    });
    begun.recv().expect("it goes on");
    sleep(Duration::from_micros(round * 300));
    say("ends");
    exit(0);
}

#[test]
fn a_program_that_is_ended_inside_a_use_of_the_database_does_not_wait_for_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = run("exit-inside-a-use", folder.path(), 0).cleanly("inside");
    assert_eq!(said, ["ends"]);
}

pub fn exit_inside_a_use(folder: &Path) {
    let repo = RocksDbRepo::open(&FolderOptions::new(folder.join("data"))).expect("it opens");
    let batch = Batch::new().put(Space::Rotations, b"one", b"value");
    repo.apply(&batch).expect("it is written");
    let found = repo.scan(Space::Rotations, b"", &mut |_, _| {
        say("ends");
        exit(0)
    });
    panic!("it went on: {found:?}");
}

#[test]
fn a_program_that_ends_while_tables_are_written_in_the_background_ends_cleanly() {
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..40 {
        let said = run("exit-while-flushing", folder.path(), round).cleanly(&format!("{round}"));
        assert_eq!(said, ["ends"]);
    }
    RocksDbRepo::open(&FolderOptions::new(folder.path().join("data"))).expect("it is whole");
}

pub fn exit_while_flushing(folder: &Path, round: u64) {
    let options = FolderOptions::new(folder.join("data"));
    let repo = Arc::new(RocksDbRepo::open(&options).expect("it opens"));
    let of_thread = Arc::clone(&repo);
    spawn(move || {
        for number in 0_u32.. {
            let key = (number % 20).to_be_bytes();
            let batch = Batch::new().put(Space::Rotations, key, vec![7; 1_000_000]);
            if of_thread.apply(&batch).is_err() {
                return;
            }
        }
    });
    sleep(Duration::from_millis(10 + round * 3));
    say("ends");
    exit(0);
}

#[test]
fn a_program_that_a_callback_ends_ends_cleanly() {
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..10 {
        let said = run("exit-in-a-callback", folder.path(), round).cleanly(&format!("{round}"));
        assert_eq!(said, ["ends"]);
    }
}

/// A blocking callback and an async one in turn. Its step stays InProgress, as after a crash.
pub fn exit_in_a_callback(folder: &Path, round: u64) {
    let started = block_on(
        builder()
            .data_folder(folder.join("data"))
            .max_crashes(1_000)
            .start(),
    );
    let keys = started.expect("it starts");
    block_on(keys.define_key(documents())).expect("it is defined");
    let registered = if round.is_multiple_of(2) {
        let call = |_: KeyChange| -> () { end() };
        block_on(keys.register_on_change("documents", "end", call))
    } else {
        let call = async |_: KeyChange| -> () { end() };
        block_on(keys.register_on_change("documents", "end", call))
    };
    registered.expect("it registers");
    let change = Change::of("documents").old("value_1").new_keys("value_2");
    let changed = block_on(keys.key_changed(change));
    panic!("it went on: {changed:?}");
}

fn end() -> ! {
    say("ends");
    exit(0)
}

#[test]
fn what_runs_at_the_very_end_of_the_program_and_uses_the_database_is_refused_and_does_not_hang() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = run("shut-down-at-exit", folder.path(), 0).cleanly("at exit");
    assert_eq!(said, ["ends", "shut down at the end"]);
}

static KEYS: OnceLock<KeysManagement> = OnceLock::new();

/// What was registered before keyward's handler runs after it.
pub fn shut_down_at_exit(folder: &Path) {
    extern "C" fn shut_down() {
        let keys = KEYS.get().expect("it has started");
        block_on(keys.shutdown()).expect("it shuts down");
        say("shut down at the end");
    }
    // SAFETY: the function lives as long as the program and does not unwind.
    assert_eq!(unsafe { libc::atexit(shut_down) }, 0);
    let started = block_on(builder().data_folder(folder.join("data")).start());
    assert!(KEYS.set(started.expect("it starts")).is_ok());
    end()
}
