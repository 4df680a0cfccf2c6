//! A keeper that is there and does not answer: stopped, as a hanging one is.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::process::{Folder, said};

#[test]
fn a_declaration_that_is_interrupted_before_the_answer_says_how_to_learn_what_became_of_it() {
    let folder = Folder::new("");
    let keeper = folder.serve();
    folder.key("next.key", "value_2");
    keeper.signal(Signal::STOP);
    let mut rotate = folder.keyward(&["rotate", "documents", "--new-file", "next.key"]);
    rotate.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut rotate = rotate.spawn().unwrap();
    let mut id = String::new();
    let mut out = BufReader::new(rotate.stdout.take().unwrap());
    out.read_line(&mut id).unwrap();
    kill_process(Pid::from_child(&rotate), Signal::INT).unwrap();
    let (code, _, errors) = said(&rotate.wait_with_output().unwrap());
    // Connecting to a keeper that is stopped may itself not come to its end: then nothing was declared.
    assert_eq!(code, Some(if id.is_empty() { 4 } else { 1 }), "{errors}");
    let id = id.trim_end();
    if !id.is_empty() {
        for part in [
            "interrupted",
            &format!("keyward show {id}"),
            &format!("--id {id}"),
        ] {
            assert!(errors.contains(part), "{part} is not in {errors}");
        }
    }
    keeper.signal(Signal::CONT);
    // The same command under its id starts nothing twice, whatever became of it.
    let id = if id.is_empty() {
        "018f3a5e-1111-7222-8333-123456789abc"
    } else {
        id
    };
    let again = ["rotate", "documents", "--new-file", "next.key", "--id", id];
    for _ in 0..2 {
        let (code, _, errors) = said(&folder.run(&again));
        assert_eq!(code, Some(0), "{errors}");
    }
    let (_, history, _) = said(&folder.run(&["history", "--json"]));
    let history: serde_json::Value = serde_json::from_str(&history).unwrap();
    assert_eq!(history["rotations"].as_array().unwrap().len(), 1);
    keeper.stop();
}

#[test]
fn a_command_gives_a_keeper_that_does_not_answer_its_time_and_ends_with_4() {
    let folder = Folder::new("");
    let keeper = folder.serve();
    keeper.signal(Signal::STOP);
    let ask = |arguments: &[&str]| {
        let mut command = folder.keyward(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    // Side by side, for each waits as long.
    for asked in [ask(&["get", "documents"]), ask(&["healthcheck"])] {
        let (code, out, errors) = said(&asked.wait_with_output().unwrap());
        assert_eq!((code, out.as_str()), (Some(4), ""), "{errors}");
        let socket = folder.socket();
        assert!(errors.contains(socket.to_str().unwrap()), "{errors}");
    }
    keeper.signal(Signal::CONT);
    assert_eq!(said(&folder.run(&["get", "documents"])).0, Some(0));
    keeper.stop();
}

#[test]
fn more_instances_than_the_configuration_takes_are_refused() {
    let folder = Folder::new("bounds.instances = 1");
    let keeper = folder.serve();
    let worker = |name| ["worker", name, "--on-change", "documents=true"];
    let mut first = folder.keyward(&worker("anna")).spawn().unwrap();
    while !said(&folder.run(&["workers"]))
        .1
        .contains("anna: instance ")
    {
        sleep(Duration::from_millis(20));
    }
    let (code, _, errors) = said(&folder.run(&worker("ben")));
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("(too_many_instances)"), "{errors}");
    first.kill().unwrap();
    first.wait().unwrap();
    keeper.stop();
}
