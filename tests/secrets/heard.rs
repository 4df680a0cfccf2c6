//! What was said: the log of everything at level trace, and every text that keyward answered.

use std::fmt::{Debug, Display};
use std::io;
use std::panic;
use std::sync::{Arc, Mutex, OnceLock};

use tracing_subscriber::fmt::MakeWriter;

use crate::canary;

/// The log, in memory.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().expect("no panic under the lock");
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The log of this process: every target at level trace, those of the crate `log` too. Panics on
/// keyward's threads, which are those of the tests' plug-ins, are not printed.
pub fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(log.clone())
            .init();
        tracing::trace!(target: "anybody", "whatever is said is heard");
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or_default();
            if !name.starts_with("keyward") {
                default(panic);
            }
        }));
        log
    })
}

impl Log {
    /// Everything so far.
    pub fn all(&self) -> Vec<u8> {
        self.0.lock().expect("no panic under the lock").clone()
    }

    /// Fails if a key is in it.
    #[track_caller]
    pub fn assert_clean(&self) {
        let all = self.all();
        let text = String::from_utf8_lossy(&all);
        let heard = "TRACE anybody: whatever is said is heard";
        assert!(text.contains(heard), "{text}");
        canary::nowhere("the log", &all);
    }
}

/// Everything that was answered.
#[derive(Clone, Default)]
pub struct Said(Arc<Mutex<String>>);

impl Said {
    /// Takes in what `Debug` shows, on one line and on many.
    pub fn add(&self, shown: &(impl Debug + ?Sized)) {
        self.push(&format!("{shown:?}\n{shown:#?}\n"));
    }

    /// Takes in what an error shows.
    pub fn error<E: Debug + Display>(&self, error: E) {
        self.add(&error);
        self.push(&format!("{error}\n"));
    }

    fn push(&self, text: &str) {
        let mut said = self.0.lock().expect("no panic under the lock");
        said.push_str(text);
    }

    /// Everything so far.
    pub fn all(&self) -> String {
        self.0.lock().expect("no panic under the lock").clone()
    }

    /// Fails if a key is in it.
    #[track_caller]
    pub fn assert_clean(&self) {
        canary::nowhere("what was said", self.all().as_bytes());
    }
}
