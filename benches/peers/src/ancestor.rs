//! The ancestor, the Python library keys-management: a Python process is started once and told,
//! round by round, what to measure.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;

use crate::Outcome;
use crate::keyward_rows::{CALLBACKS, FORWARD, HELD_PLAIN, NO_FLOW, ONE_WAY, UNCACHED};
use crate::keyward_rows::{change_through, durable_change, memory_change};
use crate::promises::{MULTIPROCESS, MULTITHREADED, Promises, SINGLE};
use crate::row::{Row, Unit};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ancestor.py");
const INSTALL: &str = "no Python with keys-management here; python3 -m venv \
                       ~/.cache/keyward-peers/venv && ~/.cache/keyward-peers/venv/bin/pip install \
                       keys-management==0.1.5";
const GETS: u32 = 10_000;

/// What is asked for, as the script knows it, and keyward's row of the same.
const WORKS: [(&str, &str, &str); 6] = [
    ("held", "get of a held key", HELD_PLAIN),
    ("stated", "get of a held key, stated", HELD_PLAIN),
    ("forward", "forward get", FORWARD),
    ("no-flow", "get without a flow", NO_FLOW),
    ("one-way", "get of a one-way key", ONE_WAY),
    ("uncached", "back-path get, key not kept", UNCACHED),
];
const MODES: [(&str, &Promises); 3] = [
    ("SINGLE", &SINGLE),
    ("MULTITHREADED", &MULTITHREADED),
    ("MULTIPROCESS", &MULTIPROCESS),
];

/// Every get in every mode, and changes through 1 to 1,000 callbacks; skipped where no Python with
/// the library is found.
pub fn rows() -> Outcome<Vec<Row>> {
    let ancestor = Ancestor::start()?.map(|ancestor| Rc::new(RefCell::new(ancestor)));
    let mut rows = Vec::new();
    for (mode, promises) in MODES {
        let row = |name: String, unit, work: String, count| match &ancestor {
            None => Row::skipped(name, unit, promises, INSTALL),
            Some(ancestor) => {
                let ancestor = Rc::clone(ancestor);
                Row::new(name, unit, promises, move || {
                    ancestor.borrow_mut().measure(mode, &work, count)
                })
            }
        };
        for (work, words, ours) in WORKS {
            let name = format!("ancestor {mode}: {words}");
            rows.push(row(name, Unit::Call, work.to_owned(), GETS).beside(ours));
        }
        for callbacks in CALLBACKS {
            let count = 4_000 / callbacks;
            let name = format!("ancestor {mode}: {}", change_through(callbacks));
            let change = |name| {
                let work = format!("change-{callbacks}");
                row(name, Unit::Change, work, count)
            };
            rows.push(change(name.clone()).beside(durable_change(callbacks)));
            if mode == "SINGLE" {
                let name = format!("{name}, beside memory");
                rows.push(change(name).beside(memory_change(callbacks)));
            }
        }
    }
    Ok(rows)
}

struct Ancestor {
    process: Child,
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Ancestor {
    /// Starts the first Python that has the library, if any has.
    fn start() -> Outcome<Option<Self>> {
        for python in pythons() {
            let started = Command::new(python)
                .arg(SCRIPT)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn();
            let Ok(mut process) = started else {
                continue;
            };
            let answers = process.stdout.take().ok_or("Python has no output")?;
            let mut ancestor = Self {
                ask: process.stdin.take(),
                process,
                answers: BufReader::new(answers),
            };
            let ready = ancestor.line()?;
            if let Some(versions) = ready.strip_prefix("ready ") {
                println!("the ancestor: {versions}");
                return Ok(Some(ancestor));
            }
            // The script says what is missing; a Python that cannot run it at all says nothing.
            if ready.is_empty() && ancestor.process.wait()?.code() == Some(1) {
                return Err("ancestor.py failed at its start; its own words are above".into());
            }
        }
        Ok(None)
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Microseconds a call, as the script measured them.
    fn measure(&mut self, mode: &str, work: &str, count: u32) -> Outcome<f64> {
        let ask = self.ask.as_mut().ok_or("Python's input is closed")?;
        writeln!(ask, "{mode} {work} {count}")?;
        ask.flush()?;
        let answer = self.line()?;
        let failed = |_| format!("the script answered {answer:?}");
        Ok(answer.parse::<f64>().map_err(failed)?)
    }
}

impl Drop for Ancestor {
    fn drop(&mut self) {
        // The script ends with its input.
        drop(self.ask.take());
        drop(self.process.wait());
    }
}

/// Where a Python with the library may be, in this order.
fn pythons() -> Vec<OsString> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let in_cache = cache.map(|cache| cache.join("keyward-peers/venv/bin/python3"));
    let named = std::env::var_os("KEYWARD_PEERS_PYTHON");
    named
        .into_iter()
        .chain(in_cache.map(PathBuf::into_os_string))
        .chain(["python3".into()])
        .collect()
}
