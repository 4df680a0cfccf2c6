//! The caller of a request.

use std::sync::Arc;

use tonic::{Request, Status};

use crate::server::connection::Connection;

/// The connection over which a request came.
///
/// # Errors
/// Never: each request has it from the start.
pub(super) fn caller<T>(request: &Request<T>) -> Result<Arc<Connection>, Status> {
    let connection = request.extensions().get::<Arc<Connection>>();
    connection
        .cloned()
        .ok_or_else(|| Status::internal("the request has no connection"))
}
