//! What the managers of one test log.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing_subscriber::fmt::MakeWriter;

/// The log of the managers that are started on this thread while it is there, at level trace: a manager
/// tells its events to the subscriber of the thread that starts it.
pub struct Log {
    text: Text,
    _subscribed: DefaultGuard,
}

/// A second subscriber, always there. Where there is only one, tracing asks that of the current thread
/// whether an event is wanted, for all threads and for good: on the thread of a manager that no test
/// listens to there is none, and the event would never be told.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));

impl Log {
    /// Begins to log.
    pub fn begin() -> Self {
        LazyLock::force(&SECOND);
        let text = Text::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(text.clone())
            .finish();
        let _subscribed = tracing::subscriber::set_default(subscriber);
        Self { text, _subscribed }
    }

    /// The lines so far that contain all of these.
    pub fn lines(&self, words: &[&str]) -> Vec<String> {
        let text = self.text();
        let has = |line: &&str| words.iter().all(|word| line.contains(word));
        text.lines().filter(has).map(str::to_owned).collect()
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        let text = self.text.0.lock().expect("no panic under the lock");
        String::from_utf8_lossy(&text).into_owned()
    }
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = self.0.lock().expect("no panic under the lock");
        text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Text {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
