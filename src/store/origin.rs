//! Where the code of a store comes from: from keyward or from the program. It decides where the store
//! runs, because keyward's own stores share no thread with foreign code.

#![allow(unnameable_types, reason = "no other crate may name them")]

/// Where the code of a store's fetch comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOrigin {
    /// The program's, all of it.
    Foreign,
    /// Of a closure: to say what a fetch is runs keyward's code only, the fetch runs the program's.
    Closure,
    /// keyward's: a fetch never blocks.
    Environment,
    /// keyward's: a fetch may block.
    File,
    /// keyward's: a fetch runs a program.
    Command,
}

/// What only keyward can name, so that no other crate can say that a store is keyward's.
#[derive(Debug, Clone, Copy)]
pub struct AskedByKeyward;
