//! A key's machine.

use std::hint::black_box;
use std::time::Duration;

use keyward::key::definition::KeyBehaviour;
use keyward::key::event::{Admitted, Event, FetchedKeys, Request, Ticket};
use keyward::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use keyward::key::machine::KeyMachine;
use keyward::key::name::KeyName;
use keyward::key::time::Time;
use keyward::{OnKeyChangedCallbackErrorStrategy, SecretKeyPair, SecretKeys};

/// How a key behaves by default.
pub fn behaviour() -> KeyBehaviour {
    KeyBehaviour {
        use_case: SecretKeyUseCase::RoundTrip,
        stateless: true,
        keep_in_cache: true,
        error_strategy: OnKeyChangedCallbackErrorStrategy::Halt,
        store_time_limit: Duration::from_secs(10),
        request_time_limit: Duration::from_secs(15),
        callback_time_limit: Duration::from_secs(30),
        workers_at_once: 1,
        max_requests: 1024,
        max_waiting_rotations: 64,
        versions: None,
    }
}

const NOW: Time = Time::at(Duration::from_secs(1));

fn machine() -> KeyMachine {
    KeyMachine::new(KeyName::new("data").expect("a name"), behaviour())
}

fn get(ticket: Ticket, flow: SecretKeyFlow) -> Event {
    Event::Asked(Admitted {
        ticket,
        request: Request::Get { flow: Some(flow) },
        deadline: NOW.after(Duration::from_secs(15)),
    })
}

fn fetched(fetch: u64) -> Event {
    let keys = SecretKeys::Pair(SecretKeyPair::of("a value of a usual length, 32 b"));
    let prints = [[0; 32]; 2];
    Event::Fetched {
        fetch,
        answer: Ok(FetchedKeys { keys, prints }),
        still_running: false,
    }
}

/// Gets of a key that is held.
pub fn held(repeats: u32) -> Box<dyn FnMut()> {
    let mut machine = machine();
    machine.step(get(0, SecretKeyFlow::ForwardPath), NOW);
    machine.step(fetched(1), NOW);
    Box::new(move || {
        for ticket in 1..=repeats {
            let effects = machine.step(get(ticket.into(), SecretKeyFlow::BackPath), NOW);
            assert_eq!(black_box(effects).len(), 1);
        }
    })
}

/// Forward gets, each with a fetch of its own.
pub fn forward(repeats: u32) -> Box<dyn FnMut()> {
    let mut machine = machine();
    Box::new(move || {
        for ticket in 1..=repeats {
            let asks = machine.step(get(ticket.into(), SecretKeyFlow::ForwardPath), NOW);
            let answers = machine.step(fetched(ticket.into()), NOW);
            assert_eq!((black_box(asks).len(), black_box(answers).len()), (1, 1));
        }
    })
}
