//! The few names of the model, each made once: a clone of one is a count.

use std::sync::LazyLock;

use keyward::key::event::Ticket;
use keyward::key::name::{CallbackName, KeyName, WorkerName};

use keyward::rotation::id::RotationId;
use uuid::Uuid;

pub static WORKERS: LazyLock<Vec<WorkerName>> = LazyLock::new(|| {
    let name = |text: &&str| WorkerName::new(text).expect("a name");
    ["w0", "w1", "w2"].iter().map(name).collect()
});

pub static CALLBACKS: LazyLock<Vec<CallbackName>> = LazyLock::new(|| {
    let name = |text: &&str| CallbackName::new(text).expect("a name");
    ["a", "b"].iter().map(name).collect()
});

pub static KEYS: LazyLock<Vec<KeyName>> = LazyLock::new(|| {
    let name = |text: &&str| KeyName::new(text).expect("a name");
    ["k0", "k1"].iter().map(name).collect()
});

/// Where a name stands among the model's.
pub fn place<T: PartialEq>(name: &T, among: &[T]) -> usize {
    let place = among.iter().position(|other| other == name);
    place.expect("a name of the model")
}

/// The id of the model's rotation of this number.
pub fn rid(number: usize) -> RotationId {
    let number = u128::try_from(number).expect("small");
    RotationId::new(Uuid::from_u128(number + 1))
}

/// The number of a rotation of the model.
pub fn number(id: RotationId) -> usize {
    usize::try_from(id.as_uuid().as_u128() - 1).expect("small")
}

/// Who asks for what. The same question of the same asker has the same number in every state, so
/// that states which differ in nothing else are one; a worker's questions name its incarnation,
/// because an answer to an earlier one of its lives is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Define,
    Join(usize),
    Register {
        worker: usize,
        incarnation: u64,
    },
    Leave(usize),
    Declare(usize),
    Wait(usize),
    Resume(usize),
    Abort(usize),
    /// The removal of this worker's last callback.
    Remove(usize),
}

impl Asked {
    pub fn ask(self) -> Ticket {
        let small = |number: usize| u64::try_from(number).expect("small");
        match self {
            Self::Define => 0,
            Self::Join(worker) => 10 + small(worker),
            Self::Leave(worker) => 20 + small(worker),
            Self::Declare(rotation) => 30 + small(rotation),
            Self::Wait(rotation) => 40 + small(rotation),
            Self::Resume(rotation) => 50 + small(rotation),
            Self::Abort(rotation) => 60 + small(rotation),
            Self::Remove(worker) => 70 + small(worker),
            Self::Register {
                worker,
                incarnation,
            } => 100 + incarnation * 10 + small(worker),
        }
    }

    pub fn of(ticket: Ticket) -> Self {
        let digit = usize::try_from(ticket % 10).expect("small");
        match ticket / 10 {
            0 => Self::Define,
            1 => Self::Join(digit),
            2 => Self::Leave(digit),
            3 => Self::Declare(digit),
            4 => Self::Wait(digit),
            5 => Self::Resume(digit),
            6 => Self::Abort(digit),
            7 => Self::Remove(digit),
            more => Self::Register {
                worker: digit,
                incarnation: more - 10,
            },
        }
    }
}
