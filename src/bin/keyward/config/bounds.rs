//! The bounds of the socket: `[bounds]`.

use keyward::ServeBounds;

use crate::config::kinds::{AtLeastOne, Limit, Size};
use crate::config::section::Section;

/// Reads the table.
pub fn read(whole: &Section<'_>) -> ServeBounds {
    let section = whole.table("bounds");
    let number = |name, default| section.read(name, AtLeastOne(default)).0;
    let size = |name, default| section.read(name, Size(default)).0;
    let time = |name, default| section.read(name, Limit(default)).0;
    let mut bounds = ServeBounds::default();
    bounds.connections = number("connections", bounds.connections);
    bounds.connections_of_user = number("connections_of_user", bounds.connections_of_user);
    bounds.requests_of_connection = number("requests_of_connection", bounds.requests_of_connection);
    bounds.requests_of_user = number("requests_of_user", bounds.requests_of_user);
    bounds.message_bytes = size("message_bytes", bounds.message_bytes);
    bounds.operate_message_bytes = size("operate_message_bytes", bounds.operate_message_bytes);
    bounds.undecoded_bytes_of_user =
        size("undecoded_bytes_of_user", bounds.undecoded_bytes_of_user);
    bounds.instances = number("instances", bounds.instances);
    bounds.patience = time("patience", bounds.patience);
    bounds.silence = time("silence", bounds.silence);
    section.end();
    bounds
}
