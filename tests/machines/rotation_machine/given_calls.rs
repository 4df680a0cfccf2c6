//! Calls of data at instances of other processes: one has it at a time, and no other is given it while that
//! process may run it.

use keyward::key::state::Effect;
use keyward::rotation::event::{Event, StepOutcome};
use keyward::rotation::instance::{InstanceEvent, Sharing};
use keyward::rotation::roster::WorkerEntry;

use crate::rotation_machine::elsewhere::Data;
use crate::rotation_machine::script::{Coordinator, Strategy, at, behaviour, done, failed, worker};

const NO: &[String] = &[];

/// Two instances of a shared worker, and a rotation that has begun: the first has the call.
fn begun() -> (Coordinator, [u64; 2]) {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    let (a, b) = (c.instance("web", 1, Data), c.instance("web", 2, Data));
    c.declare(1);
    let given = c.snapped(1);
    assert_eq!(
        Coordinator::given(&given),
        [format!("r1/0 attempt 1 to web#{a}.c")]
    );
    (c, [a, b])
}

fn ok() -> StepOutcome {
    done(Effect::Nothing)
}

#[test]
fn a_call_of_data_is_durable_with_who_is_given_it() {
    let (c, [a, _]) = begun();
    let durable = &c.journal.instances[&(worker("web"), a)];
    let call = &durable.calls[&at(1, 0)];
    assert_eq!((call.attempt, call.done), (1, false));
    assert!(
        c.story().contains("0 web.c InProgress attempt 1"),
        "{}",
        c.story()
    );
}

#[test]
fn what_one_instance_has_no_other_is_given_also_while_it_is_absent_and_across_keepers() {
    let (mut c, [a, b]) = begun();
    c.happens("web", a, InstanceEvent::Absent);
    c.seconds += 10;
    assert_eq!(Coordinator::given(&c.step(Event::Tick)), NO);
    let mut c = c.crash();
    c.define("data", behaviour(Strategy::Halt));
    assert_eq!(Coordinator::given(&c.returns("web", b, 2, &[])), NO);
    assert_eq!(
        c.story().matches("InProgress attempt 1").count(),
        1,
        "no crash"
    );
    c.seconds += 10;
    assert_eq!(
        Coordinator::given(&c.returns("web", a, 1, &[(at(1, 0), 1)])),
        NO
    );
    let said = c.ended_at("web", a, 1, ok());
    assert!(
        said.iter()
            .any(|line| line.starts_with(&format!("heard r1/0 attempt 1 of web#{a}"))),
        "{said:?}"
    );
    assert_eq!(c.story(), "ended");
    let durable = &c.journal.instances[&(worker("web"), a)];
    assert!(durable.calls.is_empty(), "with its end");
}

#[test]
fn the_end_of_a_process_is_a_crash_and_another_one_is_given_the_call() {
    let (mut c, [a, b]) = begun();
    let said = c.happens("web", a, InstanceEvent::ProcessEnded);
    assert_eq!(
        Coordinator::given(&said),
        [format!("r1/0 attempt 2 to web#{b}.c")]
    );
    assert!(c.story().contains("attempt 2 crashes 1"), "{}", c.story());
    assert!(!c.journal.instances.contains_key(&(worker("web"), a)));
    let late = c.ended_at("web", a, 1, ok());
    assert_eq!(late, NO, "it is gone");
}

#[test]
fn after_five_processes_in_a_row_that_ended_in_it_a_step_has_failed() {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    let first = c.instance("web", 1, Data);
    c.declare(1);
    c.snapped(1);
    c.happens("web", first, InstanceEvent::ProcessEnded);
    for id in 2..=5 {
        let next = c.instance("web", id, Data);
        assert!(c.story().contains("InProgress"), "{}", c.story());
        c.happens("web", next, InstanceEvent::ProcessEnded);
    }
    assert!(
        c.story()
            .contains("stopped [0 web.c Failed attempt 5 crashes 5 (too many attempts)]"),
        "{}",
        c.story()
    );
}

#[test]
fn what_was_never_handed_over_is_no_crash_and_is_given_again() {
    let (mut c, [a, b]) = begun();
    c.happens("web", a, InstanceEvent::Absent);
    let said = c.returns("web", a, 1, &[]);
    assert_eq!(
        Coordinator::given(&said),
        [format!("r1/0 attempt 2 to web#{b}.c")],
        "it was given one longest ago"
    );
    assert!(!c.story().contains("crashes"));
}

/// One instance, which has the call.
fn only_one() -> (Coordinator, u64) {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    let a = c.instance("web", 1, Data);
    c.declare(1);
    c.snapped(1);
    (c, a)
}

fn uncalled(attempt: u32) -> InstanceEvent {
    let step = at(1, 0);
    InstanceEvent::Uncalled { step, attempt }
}

#[test]
fn what_was_not_handed_over_though_its_instance_is_connected_is_given_to_it_again() {
    let (mut c, a) = only_one();
    for attempt in 2..5 {
        let said = c.happens("web", a, uncalled(attempt - 1));
        let again = format!("r1/0 attempt {attempt} to web#{a}.c");
        assert_eq!(Coordinator::given(&said), [again]);
    }
    c.happens("web", a, InstanceEvent::Absent);
    let said = c.happens("web", a, uncalled(4));
    assert_eq!(
        Coordinator::given(&said),
        NO,
        "nothing connects it any more"
    );
    assert!(!c.story().contains("crashes"));
}

#[test]
fn what_an_earlier_connection_did_not_hand_over_makes_no_instance_absent_that_is_back() {
    let (mut c, a) = only_one();
    c.happens("web", a, InstanceEvent::Absent);
    let again = |attempt: u32| [format!("r1/0 attempt {attempt} to web#{a}.c")];
    assert_eq!(Coordinator::given(&c.returns("web", a, 1, &[])), again(2));
    assert_eq!(
        Coordinator::given(&c.happens("web", a, uncalled(1))),
        NO,
        "it has attempt 2"
    );
    let said = c.happens("web", a, uncalled(2));
    assert_eq!(Coordinator::given(&said), again(3));
}

#[test]
fn only_its_own_process_takes_an_instance_up() {
    let (mut c, [a, b]) = begun();
    for (number, id) in [(a, 9), (b, 1), (77, 1)] {
        let said = c.returns("web", number, id, &[]);
        assert!(said[0].contains("error unknown_instance"), "{said:?}");
    }
}

#[test]
fn past_its_limit_an_attempt_has_failed_and_nobody_is_called_until_it_has_returned() {
    let (mut c, [a, b]) = begun();
    c.seconds += 34;
    c.step(Event::Tick);
    assert!(c.story().contains("InProgress"));
    c.seconds += 1;
    c.step(Event::Tick);
    assert!(
        c.story()
            .contains("stopped [0 web.c Failed attempt 1 (still running)]"),
        "{}",
        c.story()
    );
    let mut c = c.crash();
    c.define("data", behaviour(Strategy::Halt));
    c.returns("web", b, 2, &[]);
    let said = c.resume(1);
    assert_eq!(Coordinator::given(&said), NO);
    c.seconds += 30;
    assert_eq!(Coordinator::given(&c.step(Event::Tick)), NO);
    c.returns("web", a, 1, &[(at(1, 0), 1)]);
    let step = at(1, 0);
    let said = c.happens("web", a, InstanceEvent::Returned { step, attempt: 1 });
    assert_eq!(Coordinator::given(&said).len(), 1, "{said:?}");
    assert!(c.story().contains("InProgress attempt 2"), "{}", c.story());
}

#[test]
fn the_five_seconds_after_the_limit_count_anew_from_a_keepers_start() {
    let (mut c, [a, _]) = begun();
    c.seconds += 34;
    c.step(Event::Tick);
    let mut c = c.crash();
    c.define("data", behaviour(Strategy::Halt));
    c.returns("web", a, 1, &[(at(1, 0), 1)]);
    c.seconds += 34;
    c.step(Event::Tick);
    assert!(c.story().contains("InProgress attempt 1"), "{}", c.story());
    c.seconds += 1;
    c.step(Event::Tick);
    assert!(
        c.story().contains("Failed attempt 1 (still running)"),
        "{}",
        c.story()
    );
}

#[test]
fn who_waits_too_long_for_an_earlier_call_to_return_has_failed_as_well() {
    let (mut c, [_, b]) = begun();
    c.seconds += 35;
    c.step(Event::Tick);
    c.resume(1);
    c.seconds += 59;
    c.step(Event::Tick);
    assert!(c.story().contains("Pending"), "{}", c.story());
    c.happens("web", b, InstanceEvent::Absent);
    c.returns("web", b, 2, &[]);
    c.seconds += 1;
    c.step(Event::Tick);
    assert!(c.story().contains("(still running)"), "{}", c.story());
    assert!(c.story().contains("stopped"));
}

#[test]
fn a_late_end_counts_while_its_attempt_is_in_progress() {
    let (mut c, [a, _]) = begun();
    c.happens("web", a, InstanceEvent::Absent);
    c.seconds += 34;
    c.returns("web", a, 1, &[(at(1, 0), 1)]);
    c.ended_at("web", a, 1, failed());
    assert!(c.story().contains("Failed attempt 1 (no)"), "{}", c.story());
    let said = c.ended_at("web", a, 1, ok());
    assert!(
        said.iter().any(|line| line.starts_with("heard")),
        "it counts no more: {said:?}"
    );
    assert!(c.story().contains("Failed attempt 1 (no)"));
}

#[test]
fn a_step_without_an_instance_waits_from_when_it_is_due_and_a_join_postpones_that_once() {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    let a = c.instance("web", 1, Data);
    c.happens("web", a, InstanceEvent::ProcessEnded);
    c.seconds += 100;
    c.declare(1);
    c.snapped(1);
    c.seconds += 59;
    c.step(Event::Tick);
    assert!(
        c.story().contains("Pending"),
        "from when it is due: {}",
        c.story()
    );
    c.join_from("web", Sharing::Shared, 2);
    c.seconds += 59;
    c.step(Event::Tick);
    assert!(
        c.story().contains("Pending"),
        "a join postpones it: {}",
        c.story()
    );
    c.join_from("web", Sharing::Shared, 3);
    c.seconds += 1;
    c.step(Event::Tick);
    assert!(c.story().contains("(worker gone)"), "once: {}", c.story());
}

#[test]
fn an_instance_is_called_when_it_is_ready_and_the_one_that_was_given_one_longest_ago() {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    let a = c.instance("web", 1, Data);
    let said = c.join_from("web", Sharing::Shared, 2);
    assert!(
        said.iter()
            .any(|line| line.starts_with("connected 30 web#")),
        "{said:?}"
    );
    let all = c
        .machine
        .roster()
        .get(&worker("web"))
        .into_iter()
        .flat_map(WorkerEntry::instances);
    let b = all
        .map(|one| one.instance.number)
        .max()
        .expect("it has joined");
    c.register_at("web", b, Data, "c");
    c.declare(1);
    let said = c.snapped(1);
    assert_eq!(
        Coordinator::given(&said),
        [format!("r1/0 attempt 1 to web#{a}.c")]
    );
    c.ended_at("web", a, 1, ok());
    c.declare(2);
    let said = c.snapped(2);
    assert_eq!(
        Coordinator::given(&said),
        [format!("r2/0 attempt 1 to web#{a}.c")],
        "the other is not ready"
    );
    c.step_ended_at(("web", a), at(2, 0), 1, ok());
    c.ready("web", b);
    c.declare(3);
    let said = c.snapped(3);
    assert_eq!(
        Coordinator::given(&said),
        [format!("r3/0 attempt 1 to web#{b}.c")]
    );
}

#[test]
fn a_name_is_shared_only_as_it_was_while_an_instance_is_there() {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    c.join_from("anna", Sharing::Sole, 1);
    let said = c.join_from("anna", Sharing::Sole, 2);
    assert!(said[0].contains("worker_name_taken"), "{said:?}");
    let said = c.join_from("anna", Sharing::Shared, 2);
    assert!(said[0].contains("other_sharing"), "{said:?}");
    assert!(c.join("anna")[0].contains("worker_name_taken"));
    let number = c
        .machine
        .roster()
        .get(&worker("anna"))
        .expect("it is there")
        .instances()
        .next()
        .expect("one")
        .instance
        .number;
    c.happens("anna", number, InstanceEvent::Absent);
    let said = c.join_from("anna", Sharing::Sole, 2);
    assert!(
        said[0].contains("worker_name_taken"),
        "absent is not gone: {said:?}"
    );
    c.happens("anna", number, InstanceEvent::Dropped);
    let said = c.join_from("anna", Sharing::Shared, 2);
    assert!(
        said.iter().any(|line| line.starts_with("connected")),
        "{said:?}"
    );
}

#[test]
fn a_process_that_joins_without_its_number_has_called_exec() {
    let (mut c, [a, _]) = begun();
    c.happens("web", a, InstanceEvent::Absent);
    let said = c.join_from("web", Sharing::Shared, 1);
    assert_eq!(Coordinator::given(&said).len(), 1, "{said:?}");
    assert!(c.story().contains("attempt 2 crashes 1"), "{}", c.story());
}

#[test]
fn a_dropped_handle_frees_the_name_and_what_runs_still_counts() {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    c.join_from("anna", Sharing::Sole, 1);
    let number = 2;
    c.register_at("anna", number, Data, "c");
    c.ready("anna", number);
    c.declare(1);
    assert_eq!(Coordinator::given(&c.snapped(1)).len(), 1);
    let said = c.happens("anna", number, InstanceEvent::Dropped);
    assert!(
        !said.iter().any(|line| line.starts_with("gone")),
        "{said:?}"
    );
    assert!(
        c.join_from("anna", Sharing::Sole, 2)
            .iter()
            .any(|line| line.starts_with("connected"))
    );
    let said = c.ended_at("anna", number, 1, ok());
    assert!(
        said.iter().any(|line| line == "gone anna#2, when written"),
        "{said:?}"
    );
    assert_eq!(c.story(), "ended");
}

#[test]
fn a_worker_leaves_with_its_last_instance() {
    let (mut c, [a, b]) = begun();
    c.ended_at("web", a, 1, ok());
    let leave = |number| Event::Leave {
        ticket: 9,
        worker: worker("web"),
        incarnation: Some(number),
        by: Default::default(),
    };
    let said = c.step(leave(a));
    assert!(said[0].contains("other_instances"), "{said:?}");
    c.happens("web", a, InstanceEvent::Dropped);
    let said = c.step(leave(b));
    assert!(
        said.iter().any(|line| line.starts_with("left web")),
        "{said:?}"
    );
    assert!(c.journal.instances.is_empty());
}

#[test]
fn an_operator_removes_an_instance_and_its_call_is_made_elsewhere_without_a_crash() {
    let (mut c, [a, b]) = begun();
    c.happens("web", a, InstanceEvent::Absent);
    let said = c.step(Event::RemoveInstance {
        ticket: 9,
        worker: worker("web"),
        number: a,
        by: Default::default(),
    });
    assert_eq!(
        Coordinator::given(&said),
        [format!("r1/0 attempt 2 to web#{b}.c")]
    );
    assert!(!c.story().contains("crashes"), "{}", c.story());
    let said = c.returns("web", a, 1, &[(at(1, 0), 1)]);
    assert!(said[0].contains("unknown_instance"), "{said:?}");
}

#[test]
fn at_a_shutdown_what_another_process_runs_stays_in_progress() {
    let (mut c, [a, _]) = begun();
    c.step(Event::Close);
    c.step(Event::Interrupt);
    let mut c = c.crash();
    c.define("data", behaviour(Strategy::Halt));
    assert!(c.story().contains("InProgress attempt 1]"), "{}", c.story());
    c.returns("web", a, 1, &[(at(1, 0), 1)]);
    c.ended_at("web", a, 1, ok());
    assert_eq!(c.story(), "ended");
}

#[test]
fn an_effect_of_another_process_is_durable_with_its_step_before_its_end_is_heard() {
    let (mut c, [a, _]) = begun();
    let said = c.ended_at("web", a, 1, done(Effect::Reencrypted));
    assert!(
        said.iter().any(|line| line.starts_with("propose")),
        "{said:?}"
    );
    assert!(
        !said.iter().any(|line| line.starts_with("heard")),
        "{said:?}"
    );
    assert!(
        !c.journal.instances[&(worker("web"), a)].calls.is_empty(),
        "with its end, and not before"
    );
    let said = c.ended_at("web", a, 1, done(Effect::Reencrypted));
    assert!(
        !said.iter().any(|line| line.starts_with("heard")),
        "told once more: {said:?}"
    );
    let said = c.proposed(1, 0, true);
    assert!(
        said.iter().any(|line| line.starts_with("heard r1/0")),
        "{said:?}"
    );
    assert!(c.journal.instances[&(worker("web"), a)].calls.is_empty());
}
