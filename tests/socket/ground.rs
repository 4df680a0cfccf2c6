//! A manager that is served over a socket in a temporary folder, and ways to ask it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};

use http::{Request, Uri};
use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyward::wire::generated::keys_client::KeysClient;
use keyward::wire::generated::operate_client::OperateClient;
use keyward::wire::generated::{Flow, GetRequest, Refusal};
use keyward::{
    Grant, KeysManagement, Right, SecretKeyDefinition, ServeBounds, ServeOptions, Serving,
};
use rustix::process::{Gid, Uid};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use crate::support::{define, in_memory};

/// A user that is not the one of this process.
pub const OTHER: u32 = 4_711;

/// A served manager with the keys `documents` (round trip) and `token` (one way).
pub struct Ground {
    pub keys: KeysManagement,
    pub serving: Serving,
    pub folder: TempDir,
}

impl Ground {
    /// Served as it is by default.
    pub async fn new() -> Self {
        Self::with(|options| options).await
    }

    /// Served within these bounds.
    pub async fn bounded(change: impl FnOnce(&mut ServeBounds)) -> Self {
        let mut bounds = ServeBounds::default();
        change(&mut bounds);
        Self::with(|options| options.bounds(bounds)).await
    }

    /// Served with these options.
    pub async fn with(change: impl FnOnce(ServeOptions) -> ServeOptions) -> Self {
        let keys = in_memory().await;
        define(
            &keys,
            SecretKeyDefinition::round_trip("documents", || "value_1"),
        )
        .await;
        define(&keys, SecretKeyDefinition::one_way("token", || "a token")).await;
        Self::serve(keys, change).await
    }

    /// This manager, served with these options.
    pub async fn serve(
        keys: KeysManagement,
        change: impl FnOnce(ServeOptions) -> ServeOptions,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let options = change(ServeOptions::at(folder.path().join("s")));
        let serving = keys.serve(options).await.unwrap();
        Self {
            keys,
            serving,
            folder,
        }
    }

    /// The socket's path.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// A connection of this user.
    pub fn connect(&self) -> StdStream {
        StdStream::connect(self.path()).unwrap()
    }

    /// A connection of another user: the kernel has it so.
    pub fn connect_as(&self, user: u32) -> StdStream {
        connect_as(&self.path(), user, &[])
    }

    /// A client of this user.
    pub async fn client(&self) -> Client {
        Client::over(self.connect()).await
    }
}

/// Connects as a user of these groups. The credentials of a thread are its own, and the kernel keeps those
/// with which a socket was connected.
pub fn connect_as(path: &Path, user: u32, groups: &[u32]) -> StdStream {
    let (path, groups) = (path.to_owned(), groups.to_vec());
    let connected = std::thread::spawn(move || {
        let groups: Vec<Gid> = groups.into_iter().map(Gid::from_raw).collect();
        rustix::thread::set_thread_groups(&groups).unwrap();
        let (user, group) = (Uid::from_raw(user), Gid::from_raw(user));
        rustix::thread::set_thread_res_gid(group, group, group).unwrap();
        rustix::thread::set_thread_res_uid(user, user, user).unwrap();
        StdStream::connect(path).unwrap()
    });
    connected.join().unwrap()
}

/// Whether this test may take on other users.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A client over one connection, which it does not make anew.
#[derive(Clone)]
pub struct Client {
    pub keys: KeysClient<Channel>,
    pub operate: OperateClient<Channel>,
    pub channel: Channel,
}

impl Client {
    /// Over this connection.
    pub async fn over(stream: StdStream) -> Self {
        stream.set_nonblocking(true).unwrap();
        let mut stream = Some(UnixStream::from_std(stream).unwrap());
        let connector = tower::service_fn(move |_: Uri| {
            let stream = stream.take().map(TokioIo::new);
            async move { stream.ok_or_else(|| std::io::Error::other("the connection has ended")) }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        let channel = endpoint.connect_with_connector(connector).await.unwrap();
        Self {
            keys: KeysClient::new(channel.clone()),
            operate: OperateClient::new(channel.clone()),
            channel,
        }
    }

    /// The forward half of a key.
    pub async fn get(&mut self, key: &str) -> Result<Vec<u8>, Status> {
        self.get_on(key, Flow::ForwardPath).await
    }

    /// A key on a flow.
    pub async fn get_on(&mut self, key: &str, flow: Flow) -> Result<Vec<u8>, Status> {
        let request = GetRequest {
            key: key.to_owned(),
            flow: flow.into(),
            worker: String::new(),
        };
        let answer = self.keys.get(request).await?.into_inner();
        Ok(answer.value.unwrap().data.clone())
    }
}

/// The code that an error of the keeper has.
#[track_caller]
pub fn code<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    let status = answer.expect_err("it is refused");
    match Refusal::of_status(&status) {
        Some(refusal) => refusal.code,
        None => format!("{:?}", status.code()),
    }
}

/// The code that the trailers or headers of an answer have: `grpc-status`, and the reason in its details.
pub fn grpc_status(headers: &http::HeaderMap) -> Option<String> {
    let status = Status::from_header_map(headers)?;
    let refusal = Refusal::of_status(&status);
    Some(refusal.map_or_else(|| format!("{:?}", status.code()), |refusal| refusal.code))
}

/// One request by hand, with this body; answers its code.
pub async fn by_hand<B>(stream: StdStream, path: &str, body: B) -> Option<String>
where
    B: hyper::body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    stream.set_nonblocking(true).unwrap();
    let io = TokioIo::new(UnixStream::from_std(stream).unwrap());
    let http = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
    let (mut send, connection) = http.await.ok()?;
    let connection = tokio::spawn(connection);
    let request = Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap();
    let answer = send.send_request(request).await.ok()?;
    let of_head = grpc_status(answer.headers());
    let body = answer.into_body().collect().await.ok();
    connection.abort();
    of_head.or_else(|| grpc_status(body?.trailers()?))
}

/// A grant of these rights to a user, on these keys and workers.
pub fn grant(
    user: u32,
    rights: impl IntoIterator<Item = Right>,
    keys: &[&str],
    workers: &[&str],
) -> Grant {
    let grant = Grant::of(rights).user(&user.to_string()).unwrap();
    let grant = keys
        .iter()
        .fold(grant, |grant, key| grant.key(key).unwrap());
    let with = |grant: Grant, worker: &&str| grant.worker(worker).unwrap();
    workers.iter().fold(grant, with)
}
