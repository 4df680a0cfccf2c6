//! Any bytes as a record of the journal: it is refused, or what it is written as reads as the same record.

use keyward::journal::any_bytes::{KINDS, schema, written_again};

use crate::allocated;

/// A name of one byte and its length are two strings here, and each stands in a set of them.
const MEMORY: (usize, usize) = (160, 4096);

/// The first byte chooses the kind, the second one the schema.
pub fn check(input: &[u8]) {
    let [kind, version, plain @ ..] = input else {
        return;
    };
    let kind = usize::from(*kind) % KINDS;
    let read = || written_again(kind, version % 4, plain);
    let Some(written) = allocated::within(MEMORY, input, read) else {
        return;
    };
    let schema = schema(kind).expect("there is such a kind");
    let again = written_again(kind, schema, &written);
    assert_eq!(again.as_ref(), Some(&written), "it reads as another record");
}
