//! What each of those who are measured promises and does not promise. A figure without these says
//! little: the fastest answer is the one that promises least.

/// What can be promised, with the letter that stands for it in the table: a capital where it holds,
/// a small one where it holds in part or can be had by configuration, a dash where it does not.
pub const LETTERS: [(char, &str); 8] = [
    ('D', "what was acknowledged is on disk"),
    (
        'L',
        "linearizable: an answer was true at some moment between question and answer",
    ),
    ('W', "shared by the workers (threads) of one process"),
    ('P', "shared by processes"),
    ('Z', "buffers with plain keys are wiped"),
    (
        'C',
        "a change that a crash interrupted goes on where it was",
    ),
    (
        'B',
        "bounded: requests have a time limit, and what waits has a limit",
    ),
    (
        'R',
        "a change runs every worker's callback, in order, each with a status",
    ),
];

/// One of those who are measured.
pub struct Promises {
    /// Who it is.
    pub who: &'static str,
    /// Its letters, in the order of [`LETTERS`].
    pub letters: &'static str,
    /// What the letters leave out.
    pub words: &'static str,
}

/// All that promise something, in the order of the table.
pub const ALL: [&Promises; 10] = [
    &KEYWARD,
    &IN_MEMORY,
    &ACTIX,
    &KAMEO,
    &RACTOR,
    &SECRET_MANAGER,
    &REDIS,
    &SINGLE,
    &MULTITHREADED,
    &MULTIPROCESS,
];

pub static KEYWARD: Promises = Promises {
    who: "keyward on RocksDB",
    letters: "DLW-ZCBR",
    words: "every step of a change is synced to disk, sealed, before its callback is called; gets of \
            one key are linearizable over all workers, have a time limit and a bound. Only within \
            one process.",
};

pub static IN_MEMORY: Promises = Promises {
    who: "keyward in memory",
    letters: "-LW-Z-BR",
    words: "the same calls, records and sealing on `MemoryRepo`, which is meant for tests: nothing \
            survives the process.",
};

pub static ACTIX: Promises = Promises {
    who: "actix",
    letters: "-LW-----",
    words: "one message to one actor that answers an `Arc`. No key, store, flow or change is \
            known; no time limit, an unbounded number of askers; a panic of the actor loses its \
            state.",
};

pub static KAMEO: Promises = Promises {
    who: "kameo",
    letters: "-LW---b-",
    words: "as actix; its mailbox is bounded (64), a time limit is the asker's to set and is not \
            set here; a panic stops the actor unless its own code says otherwise, and a supervisor \
            may start it anew without its state.",
};

pub static RACTOR: Promises = Promises {
    who: "ractor",
    letters: "-LW-----",
    words: "as actix; its mailbox is unbounded, a time limit is the asker's to set and is not set \
            here; a panic ends the actor and is told to its supervisor.",
};

pub static SECRET_MANAGER: Promises = Promises {
    who: "secret-manager",
    letters: "dlWp-cB-",
    words: "a read copies 32 bytes out of a ring in the process and waits for nothing. Rotators make \
            keys of their own by the clock and insert them into PostgreSQL (not here: the ring was \
            filled by hand); other processes poll for them, every 5 s by default, so until then \
            they answer the older key. A rotation is one insert, so nothing of it is left half \
            done. Nobody is called when a key changes: old data is read by the version that it was \
            written under, until 256 newer ones have overwritten that.",
};

pub static REDIS: Promises = Promises {
    who: "Redis",
    letters: "dLWP-cb-",
    words: "a value in another process, for any program on the host, plain in that process, in the \
            socket and in the client. On disk only with `appendfsync always`; persistence is off \
            here. A change is one SET: no flows, no callbacks, no old key. The async client limits \
            an answer to 500 ms, the blocking one has no limit.",
};

pub static SINGLE: Promises = Promises {
    who: "ancestor SINGLE",
    letters: "-------r",
    words: "keys-management from PyPI: function calls on a dictionary, without a lock, for a program \
            of one thread. A change calls the callbacks and keeps their statuses for the time of \
            that call only; a crash loses all of it. A state as `save_state` writes it is not read \
            back. At log level debug it prints up to 8 characters of a key.",
};

pub static MULTITHREADED: Promises = Promises {
    who: "ancestor MULTITHREADED",
    letters: "--w----r",
    words: "as SINGLE, with one lock a key. A get takes it twice, once to answer and once to note \
            the flow, so another thread's get may come between. A callback that asks for its own \
            key waits for ever.",
};

pub static MULTIPROCESS: Promises = Promises {
    who: "ancestor MULTIPROCESS",
    letters: "--w----r",
    words: "as MULTITHREADED, with a lock that forked processes share. They share no keys: each has \
            a state of its own.",
};

/// The disk's own row has letters but no line.
pub static DISK: Promises = Promises {
    who: "the disk",
    letters: "D-------",
    words: "",
};
