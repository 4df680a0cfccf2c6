//! The crate `secret-manager`: a ring of versioned keys in the process, read without messages. Its
//! feature `arc-swap` is on, with which it reads fastest.

use std::hint::black_box;

use secret_manager::{InMemorySecretGroup, SecretGroup};

use crate::asking::plain_calls;
use crate::keyward_rows::HELD_PLAIN;
use crate::promises::SECRET_MANAGER;
use crate::row::{Row, Unit};

const CALLS: u32 = 1_000_000;

/// `current` reads the newest key, `resolve` the one of a version, the old one here.
pub fn rows() -> Vec<Row> {
    let ring = || {
        let ring = InMemorySecretGroup::<256, 32>::new(0, [7; 32]);
        ring.apply(1, [8; 32]);
        ring
    };
    let (current, resolved) = (ring(), ring());
    let current = move || {
        plain_calls(CALLS, || {
            black_box(black_box(&current).current());
            Ok(())
        })
    };
    let resolve = move || {
        plain_calls(CALLS, || {
            let key = black_box(&resolved).resolve(black_box(0));
            black_box(key.ok_or("the old version is gone")?);
            Ok(())
        })
    };
    vec![
        Row::new(
            "secret-manager: current",
            Unit::Call,
            &SECRET_MANAGER,
            current,
        )
        .beside(HELD_PLAIN),
        Row::new(
            "secret-manager: resolve",
            Unit::Call,
            &SECRET_MANAGER,
            resolve,
        )
        .beside(HELD_PLAIN),
    ]
}
