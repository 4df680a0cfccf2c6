//! The stream of events, for a caller that watches.

use std::sync::Arc;

use futures_util::stream;
use tonic::{Response, Status};

use crate::guard::event_watch::{Level as SeenLevel, SeenEvent};
use crate::server::connection::Connection;
use crate::server::keeper::Keeper;
use crate::server::operate::shown::Sight;
use crate::server::replies::Pieces;
use crate::wire::generated::{Event, Level};

/// The least level of the events that are wanted.
fn least(level: Level) -> SeenLevel {
    match level {
        Level::Error => SeenLevel::ERROR,
        Level::Warn => SeenLevel::WARN,
        Level::Unspecified | Level::Info => SeenLevel::INFO,
        Level::Debug => SeenLevel::DEBUG,
    }
}

/// Events from now on, until the caller ends the call. What they are about is looked at for each.
pub(super) fn watch(
    keeper: &Arc<Keeper>,
    caller: Arc<Connection>,
    level: Level,
) -> Response<Pieces<Event>> {
    let seen = keeper.events().watch(least(level));
    let state = (seen, Arc::clone(keeper), caller);
    let events = stream::unfold(state, |(mut seen, keeper, caller)| async move {
        let mut left_out = 0_u64;
        loop {
            let event = seen.recv().await?;
            left_out = left_out.saturating_add(event.left_out);
            if is_shown(&keeper, &caller, &event) {
                let event = sent(event, left_out);
                return Some((Ok::<_, Status>(event), (seen, keeper, caller)));
            }
        }
    });
    Response::new(Box::pin(events))
}

/// Events of a key are for those who may operate it, all others for those who may operate every key.
fn is_shown(keeper: &Keeper, caller: &Connection, event: &SeenEvent) -> bool {
    let grants = keeper.grants();
    let sight = Sight::of(&grants, caller.asker());
    let key = event.fields.iter().find(|(name, _)| *name == "key");
    key.map_or_else(|| sight.has_all(), |(_, key)| sight.has(key))
}

fn sent(event: SeenEvent, left_out: u64) -> Event {
    let level = match event.level {
        SeenLevel::ERROR => Level::Error,
        SeenLevel::WARN => Level::Warn,
        SeenLevel::INFO => Level::Info,
        _ => Level::Debug,
    };
    let fields = event.fields.into_iter();
    Event {
        at_ms: event.at_ms,
        level: level.into(),
        text: event.text,
        fields: fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        left_out,
    }
}
