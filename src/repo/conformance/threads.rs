//! Checks with several threads: atomic to readers, and one writer wins.

use std::sync::Barrier;
use std::thread;

use crate::repo::batch::Batch;
use crate::repo::conformance::RepoPlace;
use crate::repo::conformance::seen::{Violation, all, must_be, must_fail};
use crate::repo::error::RepoError;
use crate::repo::space::Space;

pub(super) fn atomic_to_readers(place: &dyn RepoPlace) -> Result<(), Violation> {
    let repo = place.open()?;
    let batch = |round: u32| {
        (0..8_u8).fold(Batch::new(), |batch, key| {
            batch.put(Space::States, [key], round.to_be_bytes())
        })
    };
    repo.apply(&batch(0))?;
    let rounds = 100;
    thread::scope(|scope| {
        let writing = scope.spawn(|| (1..=rounds).try_for_each(|round| repo.apply(&batch(round))));
        while !writing.is_finished() {
            let mut values: Vec<_> = all(&*repo, Space::States, b"")?
                .into_iter()
                .map(|(_, value)| value)
                .collect();
            must_be("keys in one scan", values.len(), 8)?;
            values.dedup();
            must_be("rounds in one scan", values.len(), 1)?;
        }
        join(writing)?;
        let last = repo.get(Space::States, &[7])?;
        must_be("the last round", last, Some(rounds.to_be_bytes().to_vec()))
    })
}

pub(super) fn one_writer_wins(place: &dyn RepoPlace) -> Result<(), Violation> {
    let repo = place.open()?;
    let (writers, rounds) = (4_u8, 25_u8);
    for round in 0..rounds {
        let expected = repo.get(Space::Meta, b"fence")?;
        let start = Barrier::new(usize::from(writers));
        let ended = thread::scope(|scope| {
            let claim = |writer: u8| {
                let batch = Batch::new()
                    .expect(Space::Meta, "fence", expected.clone())
                    .put(Space::Meta, "fence", [round, writer])
                    .put(Space::Roster, [round, writer], "won");
                start.wait();
                repo.apply(&batch)
            };
            let started: Vec<_> = (0..writers)
                .map(|w| scope.spawn(move || claim(w)))
                .collect();
            started
                .into_iter()
                .map(join_result)
                .collect::<Result<Vec<_>, _>>()
        })?;
        let mut winners = Vec::new();
        for (writer, ended) in (0..writers).zip(ended) {
            match ended {
                Ok(()) => winners.push(vec![round, writer]),
                failed => must_fail("a writer that lost", "precondition_failed", failed)?,
            }
        }
        must_be("winners", winners.len(), 1)?;
        must_be("the fence", repo.get(Space::Meta, b"fence")?, winners.pop())?;
    }
    let won = all(&*repo, Space::Roster, b"")?.len();
    must_be("what the winners wrote", won, usize::from(rounds))
}

fn join_result<T>(thread: thread::ScopedJoinHandle<'_, T>) -> Result<T, Violation> {
    thread
        .join()
        .map_err(|_| Violation("the repo panicked".to_owned()))
}

fn join(thread: thread::ScopedJoinHandle<'_, Result<(), RepoError>>) -> Result<(), Violation> {
    Ok(join_result(thread)??)
}
