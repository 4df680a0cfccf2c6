//! The least that a call over a Unix socket costs: tonic's own server and channel, and an answer that is there.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::stream;
use hyper_util::rt::TokioIo;
use keyward::wire::generated::keys_client::KeysClient;
use keyward::wire::generated::{Flow, GetAnswer, GetRequest, Value};
use tokio::net::{UnixListener, UnixStream};
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::gets::{HELD, value};
use crate::Outcome;

/// Answers every call with the same value.
#[derive(Clone)]
struct Bare(Arc<String>);

impl UnaryService<GetRequest> for Bare {
    type Response = GetAnswer;
    type Future = Ready<Result<Response<GetAnswer>, Status>>;

    fn call(&mut self, _: Request<GetRequest>) -> Self::Future {
        let data = self.0.as_bytes().to_vec();
        ready(Ok(Response::new(GetAnswer {
            value: Some(Value { data }),
            flow: Flow::BackPath.into(),
            version: None,
        })))
    }
}

impl tower::Service<http::Request<Body>> for Bare {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let bare = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::default());
            Ok(grpc.unary(bare, request).await)
        })
    }
}

/// Serves on this runtime, as long as it lives.
pub async fn serve(socket: &Path) -> Outcome<()> {
    let listener = UnixListener::bind(socket)?;
    let incoming = stream::unfold(listener, async |listener| {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        Some((accepted, listener))
    });
    let bare = Bare(Arc::new(value()));
    tokio::spawn(Server::builder().serve_with_incoming(bare, Box::pin(incoming)));
    Ok(())
}

/// A client on this runtime.
pub async fn client(socket: &Path) -> Outcome<KeysClient<Channel>> {
    let socket: Arc<Path> = socket.into();
    let connect = service_fn(move |_| {
        let socket = Arc::clone(&socket);
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    Ok(KeysClient::new(
        endpoint.connect_with_connector(connect).await?,
    ))
}

/// What is asked for.
pub fn request() -> GetRequest {
    GetRequest {
        key: HELD.to_owned(),
        flow: Flow::BackPath.into(),
        worker: String::new(),
    }
}

/// A program that connects, asks once, and ends.
pub fn ask_once(socket: &Path) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        client(socket).await?.get(request()).await?;
        Ok(())
    })
}
