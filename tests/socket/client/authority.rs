//! What a client's requests name as their authority: the socket's path is none that HTTP/2 takes.

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyward::Client;
use tokio::net::UnixListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::within;

/// Answers every request that it is not implemented, and tells its authority.
fn listen(listener: UnixListener) -> UnboundedReceiver<Option<String>> {
    let (told, asked) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let told = told.clone();
            let answer = service_fn(move |request: Request<Incoming>| {
                let authority = request.uri().authority();
                told.send(authority.map(ToString::to_string)).unwrap();
                let answer = Response::builder()
                    .header("content-type", "application/grpc")
                    .header("grpc-status", "12");
                async { Ok::<_, Infallible>(answer.body(Empty::<Bytes>::new()).unwrap()) }
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
    let mut asked = listen(UnixListener::bind(&socket).unwrap());
    let client = within(Client::at(socket)).await.unwrap();
    within(client.get_key("documents")).await.unwrap_err();
    let joined = tokio::spawn(async move { client.join("anna").await.map(drop) });
    for call in ["get", "join"] {
        let authority = within(asked.recv()).await.unwrap();
        assert_eq!(authority.as_deref(), Some("localhost"), "{call}");
    }
    joined.abort();
}
