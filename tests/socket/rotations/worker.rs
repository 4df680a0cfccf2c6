//! One process of a worker: what its callbacks do stands in a log that is synced line by line.

use std::env;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyward::{Client, Join, KeyChange, Worker};

use crate::support::alone::again;

const SOCKET: &str = "KEYWARD_TEST_SOCKET";
const NAME: &str = "KEYWARD_TEST_WORKER";
const LOGS: &str = "KEYWARD_TEST_LOGS";
/// How many milliseconds each callback of data takes.
pub const TAKES: &str = "KEYWARD_TEST_TAKES";
/// Its first call of data becomes the program anew.
pub const EXECS: &str = "KEYWARD_TEST_EXECS";
const NUMBER: &str = "KEYWARD_TEST_NUMBER";

/// The keys of these tests.
pub const KEYS: [&str; 3] = ["first", "second", "third"];

/// The time of this machine, the same for all of its processes.
pub fn now() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_nanos()
}

/// A process of this worker. Its number is its own in the whole test: the system uses process ids again.
pub fn start(name: &str, number: u32, socket: &Path, logs: &Path) -> Child {
    command(name, number, socket, logs).spawn().unwrap()
}

/// What starts it.
pub fn command(name: &str, number: u32, socket: &Path, logs: &Path) -> Command {
    let mut command = again(process);
    command
        .env(NAME, name)
        .env(NUMBER, number.to_string())
        .env(SOCKET, socket)
        .env(LOGS, logs)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

#[test]
#[ignore = "it is started by the tests beside it"]
fn process() {
    let Some(socket) = env::var_os(SOCKET) else {
        return;
    };
    let name = env::var(NAME).unwrap();
    let file = format!("{name}.{}", env::var(NUMBER).unwrap());
    let log = Log::new(&PathBuf::from(env::var_os(LOGS).unwrap()).join(file));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let worker = loop {
            match joined(Path::new(&socket), &name, &log).await {
                Ok(worker) => break worker,
                // The keeper is not there, or it ends.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        log.line("ready");
        std::future::pending::<()>().await;
        drop(worker);
    });
}

async fn joined(socket: &Path, name: &str, log: &Log) -> Result<Worker, Box<dyn Error>> {
    let client = Client::at(socket).await?;
    let worker = client.join(Join::shared(name)).await?;
    for key in KEYS {
        let of_memory = log.clone();
        let load = move |change: KeyChange| of_memory.call("memory", &change);
        worker.register_in_memory(key, "load", load).await?;
    }
    for key in KEYS {
        let of_data = log.clone();
        let reencrypt = move |change: KeyChange| of_data.call("data", &change);
        worker
            .register_on_change(key, "reencrypt", reencrypt)
            .await?;
    }
    worker.ready().await?;
    Ok(worker)
}

/// How long a callback of data takes that never fails.
fn takes() -> Option<Duration> {
    let takes = env::var(TAKES).ok()?;
    Some(Duration::from_millis(takes.parse().unwrap()))
}

#[derive(Clone)]
struct Log(Arc<Mutex<File>>);

impl Log {
    fn new(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Self(Arc::new(Mutex::new(file.unwrap())))
    }

    fn line(&self, what: &str) {
        let mut file = self.0.lock().unwrap();
        file.write_all(format!("{} {what}\n", now()).as_bytes())
            .unwrap();
        file.sync_data().unwrap();
    }

    /// What a callback does: some time goes by, and one in four fails where it is called first.
    fn call(&self, kind: &str, change: &KeyChange) -> Result<(), &'static str> {
        let handle = &change.key;
        let (id, attempt) = (handle.rotation_id(), handle.attempt());
        let of = format!("{} {kind} {id} {attempt}", handle.name());
        self.line(&format!("begin {of}"));
        if kind == "data" && attempt == 1 && env::var_os(EXECS).is_some() {
            let mut again = Command::new(env::current_exe().unwrap());
            panic!("{}", again.args(env::args().skip(1)).exec());
        }
        if let Some(takes) = takes().filter(|_| kind == "data") {
            sleep(takes);
            self.line(&format!("end {of}"));
            return Ok(());
        }
        let chance = id.as_uuid().into_bytes()[15] ^ handle.worker().as_bytes()[0];
        sleep(Duration::from_millis(u64::from(chance % 16)));
        if kind == "data" && attempt == 1 && chance.is_multiple_of(4) {
            self.line(&format!("fail {of}"));
            return Err("not at the first attempt");
        }
        self.line(&format!("end {of}"));
        Ok(())
    }
}
