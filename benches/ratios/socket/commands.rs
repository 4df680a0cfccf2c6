//! Whole commands: a start until a client is answered, and one get.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::child::{self, ASK, OPEN};
use super::{Other, quiet};
use crate::Outcome;
use crate::measure::{Bench, Rounds, Target, millis};

pub const SERVE: &str =
    "keyward serve on an empty folder until ready, ms / a process that opens the database";
pub const GET: &str = "keyward get, ms / a process that connects and asks once";

const KEYWARD: &str = env!("CARGO_BIN_EXE_keyward");
const PATIENCE: Duration = Duration::from_secs(20);
const SETTLED: Duration = Duration::from_millis(100);

/// Measures these rows.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    if bench.wants(SERVE) {
        serve(bench)?;
    }
    if bench.wants(GET) {
        get(bench)?;
    }
    Ok(())
}

fn serve(bench: &mut Bench) -> Outcome<()> {
    let (ours, floors) = (bench.folder("served"), bench.folder("opened"));
    let mut number = 0;
    let mut opened = 0;
    bench.compare(
        SERVE,
        Target::AtMost(1.5),
        Rounds::Often,
        || {
            number += 1;
            start(&ours.join(number.to_string()))
        },
        || {
            opened += 1;
            let folder = floors.join(opened.to_string());
            std::fs::create_dir_all(&folder)?;
            ended(&mut child::command(OPEN, &folder)?)
        },
    )
}

/// Milliseconds of a start, until its socket takes a connection.
fn start(folder: &Path) -> Outcome<f64> {
    ended(quiet(KEYWARD).arg("init").arg(folder))?;
    // A key file that was written just now is read again a moment later: it could still change unseen.
    std::thread::sleep(SETTLED);
    let begun = Instant::now();
    let config = folder.join("keyward.toml");
    let mut process = quiet(KEYWARD)
        .arg("serve")
        .arg("--config")
        .arg(config)
        .spawn()?;
    let socket = folder.join("keyward.sock");
    while UnixStream::connect(&socket).is_err() {
        if begun.elapsed() > PATIENCE {
            process.kill()?;
            return Err("keyward serve does not start".into());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let took = millis(begun.elapsed());
    process.kill()?;
    process.wait()?;
    Ok(took)
}

fn get(bench: &mut Bench) -> Outcome<()> {
    let (keeper, floor) = (Other::keeper(bench, "kc")?, Other::bare(bench, "bc")?);
    let folder = bench.folder("bc");
    let look = || {
        let mut command = Command::new(KEYWARD);
        command
            .args(["get", super::gets::HELD, "--socket"])
            .arg(&keeper.socket);
        ended(command.stdout(Stdio::null()))
    };
    let ask = || ended(&mut child::command(ASK, &folder)?);
    bench.compare(GET, Target::AtMost(1.5), Rounds::Often, look, ask)?;
    drop(floor);
    Ok(())
}

/// Milliseconds of a process from its start to its end.
fn ended(command: &mut Command) -> Outcome<f64> {
    let begun = Instant::now();
    let status = command.status()?;
    if !status.success() {
        return Err(format!("{command:?} ended with {status}").into());
    }
    Ok(millis(begun.elapsed()))
}
