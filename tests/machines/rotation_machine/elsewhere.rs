//! A machine with instances of other processes, with short names for what happens at them.

use std::collections::BTreeSet;

use keyward::rotation::event::{Event, StepOutcome, StepRef};
use keyward::rotation::instance::{CallbackOf, InstanceEvent, Process, Sharing};

use crate::rotation_machine::script::{Coordinator, at, callback, key, rid, worker};

/// A process of this id.
pub fn process(id: u32) -> Process {
    Process {
        id,
        user: 1_000,
        is_known_again: true,
        identity: id.to_be_bytes().to_vec(),
    }
}

pub use CallbackOf::{Data, Memory};

impl Coordinator {
    pub fn join_from(&mut self, name: &str, sharing: Sharing, id: u32) -> Vec<String> {
        self.step(Event::Join {
            ticket: 30,
            worker: worker(name),
            sharing,
            process: Some(process(id)),
        })
    }

    pub fn register_at(
        &mut self,
        name: &str,
        number: u64,
        of: CallbackOf,
        call: &str,
    ) -> Vec<String> {
        self.step(Event::Register {
            ticket: 31,
            worker: worker(name),
            incarnation: number,
            key: key("data"),
            callback: callback(call),
            of,
        })
    }

    pub fn ready(&mut self, name: &str, number: u64) -> Vec<String> {
        self.step(Event::Ready {
            ticket: 32,
            worker: worker(name),
            number,
        })
    }

    /// An instance of a shared worker with one callback, which is ready; answers its number.
    pub fn instance(&mut self, name: &str, id: u32, of: CallbackOf) -> u64 {
        self.join_from(name, Sharing::Shared, id);
        let entry = self
            .machine
            .roster()
            .get(&worker(name))
            .expect("it has joined");
        let mine = entry.instances().map(|one| &one.instance);
        let mine = mine.filter(|one| one.process.id == id && !one.ready);
        let number = mine.map(|one| one.number).max().expect("it has joined");
        self.register_at(name, number, of, "c");
        self.ready(name, number);
        number
    }

    /// It is connected again, and has these calls.
    pub fn returns(
        &mut self,
        name: &str,
        number: u64,
        id: u32,
        has: &[(StepRef, u32)],
    ) -> Vec<String> {
        self.step(Event::Return {
            ticket: 33,
            worker: worker(name),
            number,
            process: process(id),
            has: has.iter().copied().collect::<BTreeSet<_>>(),
        })
    }

    pub fn happens(&mut self, name: &str, number: u64, event: InstanceEvent) -> Vec<String> {
        self.step(Event::Instance {
            worker: worker(name),
            number,
            event,
        })
    }

    /// Step 0 of rotation 1 ended at an instance.
    pub fn ended_at(
        &mut self,
        name: &str,
        number: u64,
        attempt: u32,
        outcome: StepOutcome,
    ) -> Vec<String> {
        self.step_ended_at((name, number), at(1, 0), attempt, outcome)
    }

    pub fn step_ended_at(
        &mut self,
        (name, number): (&str, u64),
        step: StepRef,
        attempt: u32,
        outcome: StepOutcome,
    ) -> Vec<String> {
        let event = InstanceEvent::Ended {
            step,
            attempt,
            outcome,
            returned: true,
        };
        self.happens(name, number, event)
    }

    /// To whom calls were given by what was said.
    pub fn given(said: &[String]) -> Vec<String> {
        let given = said.iter().filter_map(|line| line.strip_prefix("give "));
        given
            .map(|line| line.split(',').next().unwrap_or_default().to_owned())
            .collect()
    }

    /// Rotation 1 in a few words.
    pub fn story(&self) -> String {
        match self.machine.is_live(rid(1)) {
            true => self.report(1),
            false => "ended".to_owned(),
        }
    }
}
