//! The history is read in pages, and each page in pieces that everything else goes before.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::space::Space;
use keyward::repo::state_repo::Visitor;
use keyward::{Change, KeysManagement, MemoryRepo, StateRepo, block_on};

use crate::load::clients::ask_and_go;
use crate::load::source::Source;
use crate::support::{Gate, define, on, until, within};

/// More records than any piece has.
const PIECE: usize = 300;

/// A repo in memory that counts what is read of the history, and hangs there if it is told to.
#[derive(Clone, Default)]
struct Counting {
    content: MemoryRepo,
    reads: Arc<AtomicUsize>,
    /// How much of the history had been read at each write.
    writes: Arc<Mutex<Vec<usize>>>,
    hangs: Arc<AtomicBool>,
    gate: Arc<Mutex<Gate>>,
}

impl Counting {
    /// From now on each reader of the history waits at a new gate.
    fn hang(&self) -> Gate {
        let gate = Gate::default();
        *self.gate.lock().unwrap() = gate.clone();
        self.hangs.store(true, Ordering::SeqCst);
        gate
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

impl StateRepo for Counting {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.content.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        if space != Space::History {
            return self.content.scan(space, prefix, visit);
        }
        if self.hangs.load(Ordering::SeqCst) {
            let gate = self.gate.lock().unwrap().clone();
            gate.pass_blocking();
        }
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.content.scan(space, prefix, visit)
    }

    // What keeps the history is not meant.
    fn scan_back(
        &self,
        _: Space,
        _: &[u8],
        _: Option<&[u8]>,
        _: Visitor<'_>,
    ) -> Result<(), RepoError> {
        Ok(())
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        self.writes.lock().unwrap().push(self.reads());
        self.content.apply(batch)
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.content.reopen()
    }

    fn close(&self) -> Result<(), RepoError> {
        self.content.close()
    }
}

/// A manager with the key `documents` after so many changes of it, and the stated key
/// `letters`, whose pair is held.
async fn with_ended(changes: usize) -> (KeysManagement, Counting) {
    let repo = Counting::default();
    let manager = on(repo.clone()).await;
    define(&manager, Source::default().round_trip("documents")).await;
    let letters = Source::default().round_trip("letters").stateless(false);
    define(&manager, letters).await;
    let held = manager.get_forward_path_key("letters").await;
    held.expect("it answers");
    for some in (0..changes).step_by(50) {
        let changes = (some..changes.min(some + 50))
            .map(|_| manager.key_changed(Change::of("documents").old("value_1")));
        for ended in join_all(changes).await {
            drop(ended.expect("it completes"));
        }
    }
    (manager, repo)
}

#[tokio::test]
async fn a_page_of_the_history_is_bounded_and_the_pages_hold_each_rotation_once() {
    let (manager, _repo) = with_ended(2_300).await;
    let mut pages = Vec::new();
    let mut sequences = Vec::new();
    let mut page = within(manager.history(usize::MAX)).await.expect("a page");
    loop {
        assert!(page.unreadable.is_empty());
        pages.push(page.rotations.len());
        sequences.extend(page.rotations.iter().map(|report| report.sequence));
        let Some(next) = page.next else {
            break;
        };
        let older = within(manager.history_before(next, usize::MAX)).await;
        page = older.expect("a page");
    }
    assert_eq!(pages, [1_000, 1_000, 300]);
    assert!(sequences.is_sorted_by(|newer, older| newer > older));
    let middle = sequences[1_500];
    let page = within(manager.history_before(middle, 2)).await;
    let page = page.expect("a page");
    let found: Vec<u64> = page.rotations.iter().map(|r| r.sequence).collect();
    assert_eq!(found, sequences[1_501..1_503]);
    assert_eq!(page.next, Some(sequences[1_502]));
    let blocking = manager.clone();
    let same = move || block_on(blocking.history_before(middle, 2));
    let same = tokio::task::spawn_blocking(same).await.expect("no panic");
    assert_eq!(same.expect("a page").rotations, page.rotations);
    for nothing in [
        manager.history(0).await,
        manager.history_before(0, 9).await,
        manager.history_before(1, 9).await,
    ] {
        let nothing = nothing.expect("a page");
        assert!(nothing.rotations.is_empty() && nothing.next.is_none());
    }
}

#[tokio::test]
async fn while_the_history_is_read_other_work_on_the_journal_goes_before_its_next_piece() {
    let (manager, repo) = with_ended(1_000).await;
    let before = repo.reads();
    let gate = repo.hang();
    let reader = manager.clone();
    let listing = tokio::spawn(async move { reader.history(usize::MAX).await });
    gate.arrived(1).await;
    let saver = manager.clone();
    let saved = tokio::spawn(async move { saver.save_state("letters").await });
    until("the save is asked for", async || {
        crate::load::clients::waiting(&manager, "letters").await == 1
    })
    .await;
    // The write is on its way from the actor that has it to the journal's thread.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    repo.writes.lock().unwrap().clear();
    gate.open();
    within(saved).await.expect("no panic").expect("it is saved");
    let listed = within(listing).await.expect("no panic").expect("a page");
    assert_eq!(listed.rotations.len(), 1_000);
    let at_write = repo.writes.lock().unwrap()[0] - before;
    let in_all = repo.reads() - before;
    assert!(in_all >= 1_000, "{in_all} reads");
    assert!(at_write <= PIECE, "it waited for {at_write} reads");
}

#[tokio::test]
async fn what_nobody_waits_for_is_read_no_further() {
    let (manager, repo) = with_ended(1_000).await;
    let before = repo.reads();
    let gate = repo.hang();
    let mut listing = Box::pin(manager.history(usize::MAX));
    assert!(ask_and_go(&mut listing).await.is_none());
    gate.arrived(1).await;
    drop(listing);
    gate.open();
    let last = within(manager.history(1)).await.expect("a page");
    assert_eq!(last.rotations.len(), 1);
    let reads = repo.reads() - before;
    assert!(reads <= 2 * PIECE, "{reads} reads");
}

#[tokio::test]
async fn those_who_wanted_the_history_and_are_gone_use_up_no_places() {
    let (manager, repo) = with_ended(1).await;
    let gate = repo.hang();
    let mut first = Box::pin(manager.history(1));
    assert!(ask_and_go(&mut first).await.is_none());
    gate.arrived(1).await;
    for _ in 0..5_000 {
        let answer = ask_and_go(manager.history(1)).await;
        assert!(answer.is_none(), "a place is free: {answer:?}");
    }
    gate.open();
    assert_eq!(within(first).await.expect("a page").rotations.len(), 1);
}

#[tokio::test]
async fn a_rotation_with_more_steps_than_a_piece_has_records_is_listed_whole() {
    let (manager, _repo) = with_ended(1).await;
    for no in 0..700 {
        let registered = manager
            .register_on_change("documents", &format!("callback {no}"), async |_| {})
            .await;
        registered.expect("it registers");
    }
    let long = within(manager.key_changed(Change::of("documents").old("value_1"))).await;
    let long = long.expect("it completes");
    let listed = within(manager.history(10)).await.expect("a page");
    assert_eq!(listed.rotations.len(), 2);
    assert_eq!(listed.rotations[0], long);
}
