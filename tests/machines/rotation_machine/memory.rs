//! Steps of memory: every instance that is not gone and has registered the callback is called.

use keyward::key::state::Effect;
use keyward::rotation::event::{Event, StepOutcome};
use keyward::rotation::instance::{InstanceEvent, Sharing};
use keyward::rotation::machine::{RotationConfig, RotationMachine};
use keyward::rotation::report::WaitsFor;

use crate::rotation_machine::elsewhere::{Data, Memory};
use crate::rotation_machine::script::{
    Coordinator, Strategy, at, behaviour, callback, config, done, failed, rid, worker,
};

fn ok() -> StepOutcome {
    done(Effect::Nothing)
}

/// So many instances of a shared worker with a callback of memory, and a rotation that has begun.
fn begun(instances: u32) -> (Coordinator, Vec<u64>) {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    let numbers = (1..=instances)
        .map(|id| c.instance("web", id, Memory))
        .collect();
    c.declare(1);
    c.snapped(1);
    (c, numbers)
}

#[test]
fn every_instance_is_called_side_by_side_and_the_step_has_succeeded_when_each_has() {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    let numbers: Vec<u64> = (1..=3).map(|id| c.instance("web", id, Memory)).collect();
    c.declare(1);
    let given = Coordinator::given(&c.snapped(1));
    let each = numbers
        .iter()
        .map(|number| format!("r1/0 attempt 1 to web#{number}.c"));
    assert_eq!(given, each.collect::<Vec<_>>());
    for number in &numbers {
        assert!(c.story().contains("InProgress attempt 1]"), "{}", c.story());
        let said = c.ended_at("web", *number, 1, ok());
        assert!(
            said.iter().any(|line| line.starts_with("heard")),
            "{said:?}"
        );
    }
    assert_eq!(c.story(), "ended");
}

#[test]
fn so_many_instances_are_called_at_once_and_no_more() {
    let mut c = Coordinator::new();
    c.machine = RotationMachine::new(RotationConfig {
        instances_at_once: 2,
        ..config()
    });
    c.define("data", behaviour(Strategy::Halt));
    let numbers: Vec<u64> = (1..=3).map(|id| c.instance("web", id, Memory)).collect();
    c.declare(1);
    assert_eq!(Coordinator::given(&c.snapped(1)).len(), 2);
    let said = c.ended_at("web", numbers[0], 1, ok());
    assert_eq!(
        Coordinator::given(&said),
        [format!("r1/0 attempt 1 to web#{}.c", numbers[2])]
    );
}

/// Regression: what an instance had done was kept in its record for each rotation of its life.
#[test]
fn what_an_instance_has_done_for_a_step_that_has_ended_is_forgotten_with_its_next_call() {
    let (mut c, numbers) = begun(1);
    for rotation in 1..=3 {
        if rotation > 1 {
            c.declare(rotation);
            c.snapped(rotation);
        }
        let calls = &c.journal.instances[&(worker("web"), numbers[0])].calls;
        assert_eq!(calls.keys().collect::<Vec<_>>(), [&at(rotation, 0)]);
        c.step_ended_at(("web", numbers[0]), at(rotation, 0), 1, ok());
    }
    assert_eq!(c.story(), "ended");
}

#[test]
fn who_registers_while_the_step_is_open_is_added() {
    let (mut c, numbers) = begun(1);
    let late = c.instance("web", 2, Memory);
    assert!(
        c.journal.instances[&(worker("web"), late)]
            .calls
            .contains_key(&at(1, 0))
    );
    c.ended_at("web", numbers[0], 1, ok());
    assert!(c.story().contains("InProgress"), "{}", c.story());
    c.ended_at("web", late, 1, ok());
    assert_eq!(c.story(), "ended");
}

#[test]
fn one_that_fails_fails_the_step_when_the_others_have_ended_and_is_named() {
    let (mut c, numbers) = begun(2);
    c.ended_at("web", numbers[0], 1, failed());
    assert!(
        c.story().contains("InProgress"),
        "the other is waited for: {}",
        c.story()
    );
    let late = c.instance("web", 3, Memory);
    assert!(
        c.journal.instances[&(worker("web"), late)].calls.is_empty(),
        "it is not called any more"
    );
    c.ended_at("web", numbers[1], 1, ok());
    let named = format!("(instance {} (process 1))", numbers[0]);
    assert!(c.story().contains(&named), "{}", c.story());
    assert!(c.story().starts_with("r1 stopped"), "{}", c.story());
}

#[test]
fn a_process_that_ends_in_its_call_leaves_the_set_and_counts_one_crash() {
    let (mut c, numbers) = begun(2);
    c.happens("web", numbers[0], InstanceEvent::ProcessEnded);
    assert!(
        c.story().contains("InProgress attempt 1 crashes 1"),
        "{}",
        c.story()
    );
    c.ended_at("web", numbers[1], 1, ok());
    assert_eq!(c.story(), "ended");
}

#[test]
fn after_five_crashes_it_has_failed() {
    let (mut c, numbers) = begun(6);
    for number in &numbers[..5] {
        c.happens("web", *number, InstanceEvent::ProcessEnded);
    }
    assert!(
        c.story().contains("InProgress"),
        "one still runs: {}",
        c.story()
    );
    c.ended_at("web", numbers[5], 1, ok());
    assert!(c.story().contains("(too many attempts)"), "{}", c.story());
}

#[test]
fn an_absent_one_is_waited_for_a_time_and_then_the_step_has_failed() {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    let (a, other) = (c.instance("web", 1, Memory), c.instance("web", 2, Memory));
    c.happens("web", other, InstanceEvent::Absent);
    c.seconds += 30;
    c.declare(1);
    c.snapped(1);
    c.ended_at("web", a, 1, ok());
    c.seconds += 59;
    c.step(Event::Tick);
    assert!(c.story().contains("InProgress"), "{}", c.story());
    c.seconds += 1;
    c.step(Event::Tick);
    assert!(c.story().contains("(instance absent)"), "{}", c.story());
    let given = c.returns("web", other, 2, &[]);
    assert!(Coordinator::given(&given).is_empty());
}

#[test]
fn an_absent_one_that_comes_back_in_time_is_called() {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    let a = c.instance("web", 1, Memory);
    c.happens("web", a, InstanceEvent::Absent);
    c.declare(1);
    assert!(Coordinator::given(&c.snapped(1)).is_empty());
    assert!(c.story().contains("Pending"), "{}", c.story());
    c.seconds += 59;
    let said = c.returns("web", a, 1, &[]);
    assert_eq!(Coordinator::given(&said).len(), 1);
}

#[test]
fn a_report_names_each_instance_that_is_absent_or_not_ready() {
    let (mut c, numbers) = begun(3);
    let waits = |c: &Coordinator| c.machine.report(rid(1)).expect("it lives").waits_for;
    let runs = WaitsFor::Callback {
        worker: worker("web"),
        callback: callback("c"),
    };
    let missed = |instance: u64| WaitsFor::Instance {
        worker: worker("web"),
        callback: callback("c"),
        instance,
    };
    assert_eq!(waits(&c), std::slice::from_ref(&runs));
    c.happens("web", numbers[1], InstanceEvent::Absent);
    assert_eq!(waits(&c), [runs, missed(numbers[1])]);

    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    let numbers = [c.instance("web", 1, Data), c.instance("web", 2, Data)];
    for number in numbers {
        c.happens("web", number, InstanceEvent::Absent);
    }
    c.declare(1);
    c.snapped(1);
    assert_eq!(
        waits(&c),
        numbers.map(missed),
        "one of data that is not begun waits for any"
    );
    c.happens("web", numbers[0], InstanceEvent::ProcessEnded);
    assert_eq!(waits(&c), [missed(numbers[1])]);
}

#[test]
fn with_no_instance_left_the_step_is_taken_out_of_the_plan() {
    let (mut c, numbers) = begun(1);
    c.ended_at("web", numbers[0], 1, ok());
    c.happens("web", numbers[0], InstanceEvent::ProcessEnded);
    c.declare(2);
    c.snapped(2);
    let ended = &c.journal.ended[&rid(2)].1;
    assert!(ended[0].removed && ended[0].attempt == 0, "{ended:?}");
}

#[test]
fn if_one_ended_in_its_call_the_step_waits_for_another() {
    let (mut c, numbers) = begun(1);
    c.happens("web", numbers[0], InstanceEvent::ProcessEnded);
    assert!(
        c.story().contains("0 web.c Pending attempt 1 crashes 1]"),
        "{}",
        c.story()
    );
    let next = c.instance("web", 2, Memory);
    assert!(
        c.story().contains("InProgress attempt 2 crashes 1"),
        "{}",
        c.story()
    );
    c.happens("web", next, InstanceEvent::ProcessEnded);
    c.seconds += 60;
    c.step(Event::Tick);
    assert!(c.story().contains("(worker gone)"), "{}", c.story());
}

#[test]
fn an_effect_or_a_staged_change_is_a_failure() {
    for outcome in [
        done(Effect::Decrypted),
        done(Effect::Reencrypted),
        StepOutcome::Done {
            effect: Effect::Nothing,
            staged: true,
        },
    ] {
        let (mut c, numbers) = begun(1);
        let said = c.ended_at("web", numbers[0], 1, outcome);
        assert!(
            !said.iter().any(|line| line.starts_with("propose")),
            "{said:?}"
        );
        assert!(c.story().contains("stopped"), "{}", c.story());
    }
}

#[test]
fn a_keepers_restart_calls_nothing_again_whose_process_lives() {
    let (mut c, numbers) = begun(3);
    c.ended_at("web", numbers[0], 1, ok());
    let mut c = c.crash();
    c.define("data", behaviour(Strategy::Halt));
    for (number, id) in (1..).zip(&numbers).map(|(id, number)| (*number, id)) {
        let has: &[_] = if id == 2 { &[(at(1, 0), 1)] } else { &[] };
        let given = Coordinator::given(&c.returns("web", number, id, has));
        assert_eq!(
            given.len(),
            usize::from(id == 3),
            "only what never got there"
        );
    }
    c.ended_at("web", numbers[1], 1, ok());
    c.ended_at("web", numbers[2], 1, ok());
    assert_eq!(c.story(), "ended");
}

#[test]
fn a_failure_is_durable_before_the_step_has_failed() {
    let (mut c, numbers) = begun(2);
    c.ended_at("web", numbers[0], 1, failed());
    let mut c = c.crash();
    c.define("data", behaviour(Strategy::Halt));
    assert!(Coordinator::given(&c.returns("web", numbers[0], 1, &[])).is_empty());
    c.returns("web", numbers[1], 2, &[(at(1, 0), 1)]);
    c.ended_at("web", numbers[1], 1, ok());
    assert!(
        c.story().contains("Failed attempt 1 (instance"),
        "{}",
        c.story()
    );
}

#[test]
fn no_step_of_data_begins_while_one_of_memory_is_open() {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    let data = c.instance("files", 1, Data);
    let memory = c.instance("web", 2, Memory);
    c.declare(1);
    let given = Coordinator::given(&c.snapped(1));
    assert_eq!(given, [format!("r1/1 attempt 1 to web#{memory}.c")]);
    let said = c.step_ended_at(("web", memory), at(1, 1), 1, ok());
    assert_eq!(
        Coordinator::given(&said),
        [format!("r1/0 attempt 1 to files#{data}.c")]
    );
}

#[test]
fn past_its_limit_a_call_of_memory_has_failed_and_that_instance_is_not_called_until_it_has_returned()
 {
    let (mut c, numbers) = begun(2);
    c.ended_at("web", numbers[0], 1, ok());
    c.seconds += 35;
    c.step(Event::Tick);
    assert!(
        c.story().contains("Failed attempt 1 (still running)"),
        "{}",
        c.story()
    );
    let given = Coordinator::given(&c.resume(1));
    assert_eq!(given, [format!("r1/0 attempt 2 to web#{}.c", numbers[0])]);
    c.ended_at("web", numbers[0], 2, ok());
    let step = at(1, 0);
    let said = c.happens(
        "web",
        numbers[1],
        InstanceEvent::Returned { step, attempt: 1 },
    );
    assert_eq!(
        Coordinator::given(&said),
        [format!("r1/0 attempt 2 to web#{}.c", numbers[1])]
    );
}

#[test]
fn an_instance_that_registers_later_is_caught_up_before_its_registration_is_answered() {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    let memory = c.instance("web", 1, Memory);
    let data = c.instance("files", 2, Data);
    c.declare(1);
    c.snapped(1);
    c.ended_at("web", memory, 1, ok());
    c.step_ended_at(("files", data), at(1, 1), 1, failed());
    assert!(c.story().starts_with("r1 stopped"), "{}", c.story());
    c.join_from("web", Sharing::Shared, 3);
    let late = c
        .machine
        .roster()
        .get(&worker("web"))
        .expect("it is there")
        .instances()
        .map(|one| one.instance.number)
        .max()
        .expect("one");
    let said = c.register_at("web", late, Memory, "c");
    assert!(
        said.iter()
            .any(|line| line == &format!("catch web#{late}.c up with r1/0")),
        "{said:?}"
    );
    assert!(
        !said.iter().any(|line| line.starts_with("reply 31")),
        "{said:?}"
    );
    let error = Some("no".to_owned());
    let step = at(1, 0);
    let said = c.happens("web", late, InstanceEvent::CaughtUp { step, error });
    assert!(
        said.iter()
            .any(|line| line.contains("caught up 1, 1 failed")),
        "{said:?}"
    );
}

#[test]
fn an_instance_is_caught_up_in_the_order_of_the_rotations_and_nothing_of_it_is_journaled() {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    let memory = c.instance("web", 1, Memory);
    let data = c.instance("files", 2, Data);
    for rotation in 1..=3 {
        c.declare(rotation);
        c.snapped(rotation);
        c.step_ended_at(("web", memory), at(rotation, 0), 1, ok());
        c.step_ended_at(("files", data), at(rotation, 1), 1, failed());
    }
    c.join_from("web", Sharing::Shared, 3);
    let web = c.machine.roster().get(&worker("web")).expect("it is there");
    let late = web.instances().map(|one| one.instance.number).max();
    let late = late.expect("one");
    let mut said = c.register_at("web", late, Memory, "c");
    let registered = (c.journal.clone(), c.story());
    for rotation in 1..=3 {
        let this = format!("catch web#{late}.c up with r{rotation}/0");
        let caught: Vec<_> = said
            .iter()
            .filter(|line| line.starts_with("catch "))
            .collect();
        assert_eq!(caught, [&this], "{said:?}");
        let (step, error) = (at(rotation, 0), None);
        said = c.happens("web", late, InstanceEvent::CaughtUp { step, error });
    }
    assert!(
        said.iter()
            .any(|line| line.contains("caught up 3, 0 failed")),
        "{said:?}"
    );
    assert_eq!((c.journal.clone(), c.story()), registered);
}

#[test]
fn after_five_processes_that_ended_in_it_a_callback_is_not_caught_up_any_more() {
    let mut c = Coordinator::new();
    c.define("data", behaviour(Strategy::Halt));
    let memory = c.instance("web", 1, Memory);
    let data = c.instance("files", 2, Data);
    c.declare(1);
    c.snapped(1);
    c.ended_at("web", memory, 1, ok());
    c.step_ended_at(("files", data), at(1, 1), 1, failed());
    for id in 3..=8 {
        c.join_from("web", Sharing::Shared, id);
        let late = c
            .machine
            .roster()
            .get(&worker("web"))
            .expect("it is there")
            .instances()
            .map(|one| one.instance.number)
            .max()
            .expect("one");
        let said = c.register_at("web", late, Memory, "c");
        let left_out = said.iter().any(|line| line == "left out web.c after 5");
        assert_eq!(left_out, id == 8, "{said:?}");
        c.happens("web", late, InstanceEvent::ProcessEnded);
    }
}

#[test]
fn a_callback_of_memory_of_the_keepers_own_process_is_called_as_any_other_there() {
    let mut c = Coordinator::with(Strategy::Halt, &[("w0", &["a"])]);
    c.register_at("w0", 1, Memory, "m");
    c.declare(1);
    let said = c.snapped(1);
    assert!(
        said.iter().any(|line| line.starts_with("prepare r1/1")),
        "memory first: {said:?}"
    );
    c.prepared(1, 1);
    c.ended(1, 1, done(Effect::Decrypted));
    assert!(c.story().contains("1 w0.m Failed"), "{}", c.story());
    c.resume(1);
    c.prepared(1, 1);
    c.ended(1, 1, ok());
    assert!(c.story().contains("1 w0.m Succeeded"), "{}", c.story());
}

#[test]
fn a_step_whose_instances_have_all_ended_while_the_keeper_was_away_goes_on_with_a_new_one() {
    for variant in 0..16 {
        let (before_define, join_first, one_done, absent_first) = (
            variant & 1 > 0,
            variant & 2 > 0,
            variant & 4 > 0,
            variant & 8 > 0,
        );
        let (mut c, numbers) = begun(2);
        if absent_first {
            for number in &numbers {
                c.happens("web", *number, InstanceEvent::Absent);
            }
        }
        if one_done {
            c.ended_at("web", numbers[0], 1, ok());
        }
        let mut c = c.crash();
        let ended = |c: &mut Coordinator| {
            for number in &numbers {
                c.happens("web", *number, InstanceEvent::ProcessEnded);
            }
        };
        if before_define {
            ended(&mut c);
        }
        c.define("data", behaviour(Strategy::Halt));
        let mut new = join_first.then(|| c.instance("web", 9, Memory));
        if !before_define {
            ended(&mut c);
        }
        let new = *new.get_or_insert_with(|| c.instance("web", 9, Memory));
        c.step(Event::Tick);
        let has = c.journal.instances[&(worker("web"), new)]
            .calls
            .contains_key(&at(1, 0));
        assert!(has, "{variant}: {}", c.story());
        let attempt = c.journal.instances[&(worker("web"), new)].calls[&at(1, 0)].attempt;
        c.ended_at("web", new, attempt, ok());
        assert_eq!(c.story(), "ended", "{variant}");
    }
}
