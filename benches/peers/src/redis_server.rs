//! Redis over a Unix socket, the usual home-made key server. The server is started here, without a
//! port and without persistence, in a folder that is gone afterwards, and ended by its own id.

use std::hint::black_box;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::rc::Rc;

use redis::{Commands, ConnectionAddr};
use tokio::runtime::Runtime;

use crate::Outcome;
use crate::asking::{Asked, at_once, one_by_one, plain_asks};
use crate::keyward_rows::{HELD, HELD_AT_ONCE, HELD_PLAIN};
use crate::promises::REDIS;
use crate::row::{Row, Unit};

const ROWS: [(&str, Unit, &str); 3] = [
    ("Redis: GET, async client", Unit::Call, HELD),
    (
        "Redis: GET, async client, 64 at once",
        Unit::Rate,
        HELD_AT_ONCE,
    ),
    ("Redis: GET, blocking client", Unit::Call, HELD_PLAIN),
];
const INSTALL: &str = "no redis-server here; apt-get install -y redis-server";
const VALUE: [u8; 32] = [7; 32];

/// Three rows; skipped where no `redis-server` is installed.
pub fn rows(asker: &Rc<Runtime>, folder: &Path) -> Outcome<Vec<Row>> {
    let [latency, throughput, blocking] = ROWS;
    let Some(server) = Server::start(folder)? else {
        let skip = |(name, unit, ours)| Row::skipped(name, unit, &REDIS, INSTALL).beside(ours);
        return Ok(ROWS.into_iter().map(skip).collect());
    };
    let server = Rc::new(server);
    let client = redis::Client::open(ConnectionAddr::Unix(folder.join("redis.sock")))?;
    let mut plain = client.get_connection()?;
    let _: () = plain.set("key", &VALUE)?;
    let connected = asker.block_on(client.get_multiplexed_async_connection())?;
    let (mut one, many) = (Shared(connected.clone()), Shared(connected));
    let (first, second) = (Rc::clone(asker), Rc::clone(asker));

    let row = |(name, unit, ours): (&str, Unit, &str),
               mut run: Box<dyn FnMut() -> Outcome<f64>>| {
        // The server lives as long as a row of it does.
        let server = Rc::clone(&server);
        let run = move || {
            let _alive = &server;
            run()
        };
        Row::new(name, unit, &REDIS, run).beside(ours)
    };
    Ok(vec![
        row(latency, Box::new(move || one_by_one(&first, &mut one))),
        row(throughput, Box::new(move || at_once(&second, &many))),
        row(
            blocking,
            Box::new(move || plain_asks(|| checked(plain.get("key")?))),
        ),
    ])
}

fn checked(value: Vec<u8>) -> Outcome<()> {
    if black_box(value) == VALUE {
        Ok(())
    } else {
        Err("Redis answered another value".into())
    }
}

/// One connection that its clones share: what is under way at once is pipelined.
#[derive(Clone)]
struct Shared(redis::aio::MultiplexedConnection);

impl Asked for Shared {
    async fn ask(&mut self) -> Outcome<()> {
        checked(redis::AsyncCommands::get(&mut self.0, "key").await?)
    }
}

struct Server {
    process: Child,
    /// Kept open, because the server writes to it.
    log: BufReader<ChildStdout>,
}

impl Server {
    /// Answers when it accepts connections; none where it is not installed.
    fn start(folder: &Path) -> Outcome<Option<Self>> {
        let started = Command::new("redis-server")
            .args(["--port", "0", "--unixsocketperm", "700"])
            .arg("--unixsocket")
            .arg(folder.join("redis.sock"))
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .args(["--loglevel", "notice", "--dir"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut process = match started {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let log = process.stdout.take().ok_or("redis-server has no log")?;
        let mut server = Self {
            process,
            log: BufReader::new(log),
        };
        server.until_ready()?;
        Ok(Some(server))
    }

    fn until_ready(&mut self) -> Outcome<()> {
        let mut said = String::new();
        loop {
            let begin = said.len();
            if self.log.read_line(&mut said)? == 0 {
                return Err(format!("redis-server ended at its start:\n{said}").into());
            }
            if said[begin..].contains("eady to accept connections") {
                return Ok(());
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
