//! Rows of workers and clients in other processes: a keeper in a process of its own, beside a bare gRPC server in
//! a process of its own, both on Unix sockets.
//!
//! Both are built in one way: RocksDB as its crate builds it, optimised at level 1 where an archive of the
//! development profile is linked (`ROCKSDB_LIB_DIR`); the floors link the same one.

mod bare;
pub mod child;
mod commands;
mod gets;
mod idle;
mod redis;
mod rotations;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use keyward::Client;
use tokio::runtime::{Builder, Runtime};

use crate::Outcome;
use crate::measure::Bench;

/// What is measured here.
pub const ROWS: [&str; 10] = [
    gets::ONE,
    gets::ALONE,
    gets::MANY,
    redis::ONE,
    redis::MANY,
    rotations::STREAMS,
    rotations::MEMORY,
    idle::CONNECTION,
    commands::SERVE,
    commands::GET,
];

/// Measures these rows.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    gets::run(bench)?;
    redis::run(bench)?;
    rotations::run(bench)?;
    idle::run(bench)?;
    commands::run(bench)
}

/// A runtime as `#[tokio::main]` makes it: a client's program has one. Its connections are on other threads than who
/// asks, ours and the floor's.
fn program() -> Outcome<Rc<Runtime>> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    Ok(Rc::new(runtime))
}

/// A process of this bench's own, which ends with this.
struct Other {
    process: Child,
    socket: PathBuf,
}

impl Other {
    /// Starts one, and waits until its socket is there.
    fn start(kind: &str, folder: &Path) -> Outcome<Self> {
        std::fs::create_dir_all(folder)?;
        let mut process = child::command(kind, folder)?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut ready = String::new();
        let said = process.stdout.take().ok_or("no output")?;
        BufReader::new(said).read_line(&mut ready)?;
        if ready.trim() != child::READY {
            return Err(format!("{kind} did not start").into());
        }
        let socket = child::socket(folder);
        Ok(Self { process, socket })
    }

    fn keeper(bench: &Bench, name: &str) -> Outcome<Self> {
        Self::start(child::KEEPER, &bench.folder(name))
    }

    fn bare(bench: &Bench, name: &str) -> Outcome<Self> {
        Self::start(child::BARE, &bench.folder(name))
    }

    async fn client(&self) -> Outcome<Client> {
        Ok(Client::at(&self.socket).await?)
    }

    /// KiB of its memory.
    fn resident(&self) -> Outcome<f64> {
        let file = format!("/proc/{}/status", self.process.id());
        let all = std::fs::read_to_string(file)?;
        let line = all.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|rest| rest.split_whitespace().next());
        Ok(number.ok_or("the kernel does not tell it")?.parse()?)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

/// A command that reads no file and writes no output.
fn quiet(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
