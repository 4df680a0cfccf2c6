//! The client of another process: a worker's handle is the same in both, errors are the same, and the
//! connection may end at any byte.

mod authority;
mod by_id;
mod cut;
mod forked;
mod places;
mod proxy;
mod same;
mod versions;
mod waits;
mod workers;

use std::path::Path;

use keyward::Client;

/// A client of the keeper at this socket, in this very process, which makes no difference to it.
async fn at(socket: &Path) -> Client {
    Client::at(socket).await.expect("the keeper listens")
}
