//! Listings: in pieces, each rotation as it was at one moment.

use std::time::Duration;

use keyward::Uuid;
use keyward::key::definition::OnKeyChangedCallbackErrorStrategy;
use keyward::key::flow::SecretKeyUseCase;
use keyward::key::name::{CallbackName, KeyName, WorkerName};
use keyward::rotation::durable::DurableFacts;
use keyward::rotation::id::RotationId;
use keyward::rotation::listing::{RotationView, reports};
use keyward::rotation::machine::{RotationConfig, RotationMachine};
use keyward::rotation::plan::{Declared, Header, Step};
use keyward::rotation::state::RotationState;

/// More than any piece has.
const MOST: usize = 1_024;

/// A rotation that waits, with so many steps, of a key of its own.
fn waiting(no: u64, steps: u32) -> (Header, Vec<Step>) {
    let header = Header {
        id: RotationId::new(Uuid::from_u128(u128::from(no))),
        key: KeyName::new(&format!("key {no}")).expect("a name"),
        // Those that were declared first have the highest ids.
        seq: 10_000 - no,
        place: 10_000 - no,
        use_case: SecretKeyUseCase::RoundTrip,
        strategy: OnKeyChangedCallbackErrorStrategy::Halt,
        state: RotationState::Waiting,
        declared: Declared::default(),
        old_keys: None,
        new_keys: None,
        begun: false,
        resumes: 0,
        overtaken: false,
        accepted_ms: 0,
        ended_ms: None,
        acts: Default::default(),
        versions: None,
    };
    let step = |no| {
        let callback = CallbackName::new("callback").expect("a name");
        Step::new(no, WorkerName::main(), callback)
    };
    (header, (0..steps).map(step).collect())
}

fn with(rotations: Vec<(Header, Vec<Step>)>) -> RotationMachine {
    let config = RotationConfig {
        worker_wait: None,
        max_crashes: 5,
        warn_after: None,
        max_callbacks: 1_024,
        instances_at_once: 64,
        reopen_every: Duration::from_secs(5),
    };
    let facts = DurableFacts {
        rotations,
        ..DurableFacts::default()
    };
    RotationMachine::replay(config, facts)
}

fn pieces(machine: &RotationMachine) -> Vec<Vec<RotationView>> {
    let mut pieces = Vec::new();
    let mut behind = None;
    loop {
        let piece = machine.views_behind(behind);
        let Some(last) = piece.last() else {
            return pieces;
        };
        behind = Some(last.id());
        pieces.push(piece);
    }
}

#[test]
fn a_listing_of_many_rotations_comes_in_pieces_that_hold_each_of_them_once() {
    let machine = with((1..=3_000).map(|no| waiting(no, 2)).collect());
    let pieces = pieces(&machine);
    assert!(pieces.len() >= 3);
    assert!(pieces.iter().all(|piece| piece.len() <= MOST));
    let listed = reports(pieces.into_iter().flatten());
    assert_eq!(listed, machine.reports());
    assert_eq!(listed.len(), 3_000);
    assert!(listed.is_sorted_by(|a, b| a.sequence < b.sequence));
}

#[test]
fn rotations_with_many_steps_make_a_piece_as_many_with_few_do() {
    let machine = with((1..=8).map(|no| waiting(no, 40_000)).collect());
    let pieces = pieces(&machine);
    assert!(
        pieces.iter().all(|piece| piece.len() <= 2),
        "{}",
        pieces.len()
    );
    let listed = reports(pieces.into_iter().flatten());
    assert!(listed.iter().all(|report| report.steps.len() == 40_000));
}
