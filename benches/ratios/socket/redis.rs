//! Gets of a held key beside Redis GET over a Unix socket, where a Redis server is installed.

use std::hint::black_box;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::gets::{HELD, value};
use super::{Other, program, quiet};
use crate::Outcome;
use crate::cores::Cores;
use crate::gets::{at_once, one_by_one};
use crate::measure::{Bench, Rounds, Target};

pub const ONE: &str = "held get over the socket, µs / Redis GET over a Unix socket";
pub const MANY: &str =
    "held get over the socket, 64 in flight, a second / Redis GET, 64 connections";

const GETS: u32 = 1_000;
const IN_FLIGHT: u32 = 64;

/// A server, which ends with this.
struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Measures these rows: they are stated beside the others, and have nothing to reach.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    if !bench.wants(ONE) && !bench.wants(MANY) {
        return Ok(());
    }
    let cores = Cores::of_this_thread()?;
    cores.stay_on_first()?;
    let asker = program()?;
    let folder = bench.folder("redis");
    let Some((_redis, socket)) = start(&folder)? else {
        bench.note("no redis-server is installed: its rows are left out");
        return Ok(());
    };
    asker.block_on(set(&socket))?;
    let keeper = Other::keeper(bench, "kr")?;
    let client = asker.block_on(keeper.client())?;
    let gets = bench.size(GETS);
    let mut stream = asker.block_on(UnixStream::connect(&socket))?;
    bench.compare(
        ONE,
        Target::Stated,
        Rounds::Often,
        || {
            one_by_one(&asker, gets, async || {
                black_box(client.get_back_path_key(HELD).await?);
                Ok(())
            })
        },
        || one_by_one(&asker, gets, async || get(&mut stream).await),
    )?;
    let each = (gets / IN_FLIGHT).max(1) * 4;
    bench.compare(
        MANY,
        Target::Stated,
        Rounds::Often,
        || {
            at_once(&asker, each, || {
                let client = client.clone();
                async move {
                    for _ in 0..each {
                        black_box(client.get_back_path_key(HELD).await?);
                    }
                    Ok(())
                }
            })
        },
        || {
            at_once(&asker, each, || {
                let socket = socket.clone();
                async move {
                    let mut stream = UnixStream::connect(socket).await?;
                    for _ in 0..each {
                        get(&mut stream).await?;
                    }
                    Ok(())
                }
            })
        },
    )
}

/// Starts a server that keeps nothing; none where there is no such program.
fn start(folder: &Path) -> Outcome<Option<(Redis, std::path::PathBuf)>> {
    if quiet("redis-server").arg("--version").status().is_err() {
        return Ok(None);
    }
    std::fs::create_dir_all(folder)?;
    let socket = folder.join("socket");
    let process = Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "no"])
        .arg("--unixsocket")
        .arg(&socket)
        .arg("--dir")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let redis = Redis(process);
    for _ in 0..500 {
        if socket.exists() {
            return Ok(Some((redis, socket)));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err("redis-server does not start".into())
}

async fn set(socket: &Path) -> Outcome<()> {
    let mut stream = UnixStream::connect(socket).await?;
    let value = value();
    let text = format!(
        "*3\r\n$3\r\nSET\r\n$4\r\n{HELD}\r\n${}\r\n{value}\r\n",
        value.len()
    );
    stream.write_all(text.as_bytes()).await?;
    stream.read_exact(&mut [0; 5]).await?;
    Ok(())
}

async fn get(stream: &mut UnixStream) -> Outcome<()> {
    stream
        .write_all(b"*2\r\n$3\r\nGET\r\n$4\r\nheld\r\n")
        .await?;
    let mut answer = [0; 5 + 32 + 2];
    stream.read_exact(&mut answer).await?;
    black_box(answer);
    Ok(())
}
