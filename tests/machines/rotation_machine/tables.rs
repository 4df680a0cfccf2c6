//! The two transition tables, in full: what is not listed cannot happen.

use keyward::rotation::state::{RotationEvent, RotationState};
use keyward::rotation::status::{CallbackStatus, StatusEvent};

#[test]
fn a_callbacks_status_moves_along_this_table_and_no_other_way() {
    use CallbackStatus::{Failed, InProgress, Pending, Succeeded};
    use StatusEvent::{Call, Fail, Interrupt, Resume, Succeed};
    let table = [
        (Pending, Call, InProgress),
        (Pending, Fail, Failed),
        (Pending, Resume, Pending),
        (InProgress, Succeed, Succeeded),
        (InProgress, Fail, Failed),
        (InProgress, Interrupt, Pending),
        (Failed, Resume, Pending),
    ];
    for from in [Pending, InProgress, Failed, Succeeded] {
        for event in [Call, Succeed, Fail, Interrupt, Resume] {
            let row = table.iter().find(|row| (row.0, row.1) == (from, event));
            assert_eq!(
                event.apply_to(from),
                row.map(|row| row.2),
                "{from} {event:?}"
            );
        }
    }
}

#[test]
fn a_rotations_state_moves_along_this_table_and_no_other_way() {
    use RotationEvent::{Abort, Begin, Complete, CompleteWithFailures, Overtake, Resume, Stop};
    use RotationState::{
        Aborted, Completed, CompletedWithFailures, Obsolete, Running, Stopped, Waiting,
    };
    let table = [
        (Waiting, Begin, Running),
        (Waiting, Overtake, Obsolete),
        (Waiting, Abort, Aborted),
        (Running, Complete, Completed),
        (Running, CompleteWithFailures, CompletedWithFailures),
        (Running, Stop, Stopped),
        (Running, Abort, Aborted),
        (Stopped, Resume, Waiting),
        (Stopped, Overtake, Obsolete),
        (Stopped, Abort, Aborted),
        (CompletedWithFailures, Resume, Waiting),
        (CompletedWithFailures, Overtake, Obsolete),
        (CompletedWithFailures, Abort, Aborted),
        (Obsolete, Abort, Aborted),
    ];
    let states = [
        Waiting,
        Running,
        Completed,
        CompletedWithFailures,
        Stopped,
        Aborted,
        Obsolete,
    ];
    let events = [
        Begin,
        Complete,
        CompleteWithFailures,
        Stop,
        Resume,
        Abort,
        Overtake,
    ];
    for from in states {
        for event in events {
            let row = table.iter().find(|row| (row.0, row.1) == (from, event));
            assert_eq!(
                event.apply_to(from),
                row.map(|row| row.2),
                "{from} {event:?}"
            );
        }
    }
}

#[test]
fn a_rotation_is_unfinished_as_long_as_callbacks_of_it_may_be_called() {
    use RotationState::{
        Aborted, Completed, CompletedWithFailures, Obsolete, Running, Stopped, Waiting,
    };
    for state in [Waiting, Running, Stopped, CompletedWithFailures] {
        assert!(state.is_unfinished(), "{state}");
    }
    for state in [Completed, Aborted, Obsolete] {
        assert!(!state.is_unfinished(), "{state}");
    }
}
