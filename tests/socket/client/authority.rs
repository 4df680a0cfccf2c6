//! A client before a server that is no keeper: what its requests name as their authority, for the socket's path is none
//! that HTTP/2 takes, and which answers it refuses.

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyward::Client;
use tokio::net::UnixListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::within;

/// Answers every request with this body and status, and tells its authority.
fn listen(
    listener: UnixListener,
    body: &'static [u8],
    status: &'static str,
) -> UnboundedReceiver<Option<String>> {
    let (told, asked) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let told = told.clone();
            let answer = service_fn(move |request: Request<Incoming>| {
                let authority = request.uri().authority();
                told.send(authority.map(ToString::to_string)).unwrap();
                let answer = Response::builder()
                    .header("content-type", "application/grpc")
                    .header(status, "12");
                let body = Full::new(Bytes::from_static(body));
                async { Ok::<_, Infallible>(answer.body(body).unwrap()) }
            });
            let http = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(http.serve_connection(TokioIo::new(stream), answer));
        }
    });
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_name_localhost_as_their_authority() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let mut asked = listen(UnixListener::bind(&socket).unwrap(), b"", "grpc-status");
    let client = within(Client::at(socket)).await.unwrap();
    within(client.get_key("documents")).await.unwrap_err();
    let joined = tokio::spawn(async move { client.join("anna").await.map(drop) });
    for call in ["get", "join"] {
        let authority = within(asked.recv()).await.unwrap();
        assert_eq!(authority.as_deref(), Some("localhost"), "{call}");
    }
    joined.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_more_than_8_mib_is_refused_at_its_first_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    // A message that is not compressed, of 8 MiB and a byte, which never comes.
    let first = &[0, 0, 0x80, 0, 1];
    let _asked = listen(UnixListener::bind(&socket).unwrap(), first, "x-none");
    let client = within(Client::at(socket)).await.unwrap();
    let refused = within(client.get_key("documents")).await.unwrap_err();
    assert_eq!(refused.code(), "message_too_large", "{refused}");
}
