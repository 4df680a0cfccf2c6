//! What is logged, for all tests of this file: they tell their lines by names of their own.

use std::io;
use std::sync::{LazyLock, Mutex};

use tracing_subscriber::fmt::MakeWriter;

static LOG: LazyLock<Mutex<String>> = LazyLock::new(|| {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(Writer)
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("the only one");
    Mutex::default()
});

/// Begins to log.
pub fn begin() {
    LazyLock::force(&LOG);
}

/// The lines so far that contain all of these.
pub fn lines(words: &[&str]) -> Vec<String> {
    let log = LOG.lock().expect("no panic under the lock");
    let has = |line: &&str| words.iter().all(|word| line.contains(word));
    log.lines().filter(has).map(str::to_owned).collect()
}

#[derive(Clone, Copy)]
struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = LOG.lock().expect("no panic under the lock");
        log.push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}
