//! Events, as a keeper tells them to clients that watch.

use crate::operator::event::{EventLevel, KeeperEvent};
use crate::secret::visible::Visible;
use crate::wire::generated::{Event, Level};

impl From<EventLevel> for Level {
    fn from(level: EventLevel) -> Self {
        match level {
            EventLevel::Error => Self::Error,
            EventLevel::Warn => Self::Warn,
            EventLevel::Info => Self::Info,
            EventLevel::Debug => Self::Debug,
        }
    }
}

impl From<Event> for KeeperEvent {
    /// A level that this version does not know is shown as `info`.
    fn from(event: Event) -> Self {
        let level = match event.level() {
            Level::Error => EventLevel::Error,
            Level::Warn => EventLevel::Warn,
            Level::Unspecified | Level::Info => EventLevel::Info,
            Level::Debug => EventLevel::Debug,
        };
        let shown = |text: String| Visible(text.as_str()).to_string();
        let fields = event.fields.into_iter();
        Self {
            at_ms: event.at_ms,
            level,
            text: shown(event.text),
            fields: fields
                .map(|(name, value)| (shown(name), shown(value)))
                .collect(),
            left_out: event.left_out,
        }
    }
}
