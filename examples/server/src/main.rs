//! A web server that signs tokens with a key which changes while it runs: `GET /sign/TEXT` answers a token,
//! `GET /check/TOKEN` its text, whichever version of the key has signed it, and `GET /key` the id of the version in use.
//!
//! `server embedded ADDRESS FOLDER` keeps the keys itself, has 4 threads, and opens a socket in the folder, so that
//! `keyward rotate` reaches it. `server process ADDRESS` asks the keeper that KEYWARD_SOCKET names; as many
//! processes as wanted serve one address. The handlers and the callback are the same.

use std::env;
use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use keyward::{
    Client, FileStore, Join, KeysManagement, SecretKeyDefinition, ServeOptions, Serving, Worker,
};
use socket2::{Domain, Socket, Type};

mod signing;

use signing::{Refused, Signing};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    actix_web::rt::System::new().block_on(async {
        match arguments[..] {
            ["embedded", address, folder] => embedded(address.parse()?, Path::new(folder)).await,
            ["process", address] => process(address.parse()?).await,
            _ => Err("server embedded ADDRESS FOLDER, or server process ADDRESS".into()),
        }
    })
}

/// One process: the keys, and 4 threads that use them.
async fn embedded(address: SocketAddr, folder: &Path) -> Result<(), Box<dyn Error>> {
    let (keys, socket) = keeper(folder).await?;
    let web = keys.join("web").await?;
    serve(address, 4, Arc::new(web)).await?;
    socket.stop().await;
    Ok(keys.shutdown().await?)
}

async fn keeper(folder: &Path) -> Result<(KeysManagement, Serving), Box<dyn Error>> {
    let keys = KeysManagement::builder()
        .data_folder(folder.join("data"))
        .master_key(FileStore::new(folder.join("master.key")))
        .start()
        .await?;
    let token = FileStore::new(folder.join("token.key"));
    // The server keeps no copy of the key but in its callback of memory, so that nothing has to drain.
    let token = SecretKeyDefinition::one_way("token", token).versions(true);
    keys.define_key(token.drain(Duration::ZERO)).await?;
    let socket = keys
        .serve(ServeOptions::at(folder.join("keyward.sock")))
        .await?;
    Ok((keys, socket))
}

/// One of several processes, each an instance of the worker `web`.
async fn process(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let web = Client::connect().await?.join(Join::shared("web")).await?;
    serve(address, 1, Arc::new(web)).await
}

/// The same for both: the handle is one type.
async fn serve(
    address: SocketAddr,
    threads: usize,
    web: Arc<Worker>,
) -> Result<(), Box<dyn Error>> {
    let signing = Data::new(Signing::with_key_of(web).await?);
    let app = move || {
        App::new()
            .app_data(signing.clone())
            .route("/sign/{text}", web::get().to(sign))
            .route("/check/{token}", web::get().to(check))
            .route("/key", web::get().to(key))
    };
    let server = HttpServer::new(app).workers(threads);
    println!("ready");
    Ok(server.listen(shared_listener(address)?)?.run().await?)
}

async fn sign(signing: Data<Signing>, text: web::Path<String>) -> HttpResponse {
    HttpResponse::Ok().body(signing.sign(&text))
}

async fn check(signing: Data<Signing>, token: web::Path<String>) -> HttpResponse {
    match signing.check(&token).await {
        Ok(text) => HttpResponse::Ok().body(text),
        Err(Refused::Forged) => HttpResponse::Unauthorized().finish(),
        Err(Refused::Unknown(error)) => HttpResponse::ServiceUnavailable().body(error.to_string()),
    }
}

async fn key(signing: Data<Signing>) -> HttpResponse {
    HttpResponse::Ok().body(signing.kid())
}

/// A listener that several processes may have on one address.
fn shared_listener(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
