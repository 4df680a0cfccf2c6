//! A keeper that is older or newer than the command line.

use std::convert::Infallible;
use std::path::Path;

use http::{HeaderMap, HeaderValue, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyward::wire::generated::{
    ListingPart, RotationHeader, RotationState, Strategy, listing_part,
};
use prost::Message;
use serde_json::Value;
use tokio::net::UnixListener;

use crate::command_line::program::{Ran, keyward, ran};
use crate::command_line::schema::assert_documented;

/// Listens there, and answers each call with these bytes and this status.
fn answer(socket: &Path, body: Bytes, status: &'static str) {
    let listener = UnixListener::bind(socket).unwrap();
    let answered = move |_: http::Request<Incoming>| {
        let body = body.clone();
        async move {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static(status));
            let body = Full::new(body).with_trailers(async { Some(Ok(trailers)) });
            let answer = Response::builder().header("content-type", "application/grpc");
            Ok::<_, Infallible>(answer.body(body).unwrap())
        }
    };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let served = http.serve_connection(TokioIo::new(stream), service_fn(answered.clone()));
            tokio::spawn(served);
        }
    });
}

async fn ask(socket: &Path, arguments: &[&str]) -> Ran {
    ran(keyward(
        &[arguments, &["--socket", socket.to_str().unwrap()]].concat(),
    ))
    .await
}

/// A message as it is sent.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, message].concat()
}

fn rotation(state: i32) -> Vec<u8> {
    let header = RotationHeader {
        id: "018f3a5e-1111-7222-8333-123456789abc".to_owned(),
        key: "documents".to_owned(),
        sequence: 1,
        state,
        strategy: Strategy::Halt.into(),
        ..RotationHeader::default()
    };
    let part = Some(listing_part::Part::Rotation(header));
    ListingPart { part }.encode_to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_keeper_that_does_not_know_a_call_is_told_of_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    const UNIMPLEMENTED: &str = "12";
    answer(&socket, Bytes::new(), UNIMPLEMENTED);
    for arguments in [
        &["status"][..],
        &["get", "documents"],
        &["events"],
        &["backup"],
        &["reload"],
        &["recover", "018f3a5e-1111-7222-8333-123456789abc"],
        &["worker", "anna", "--on-change", "documents=true"],
    ] {
        let ran = ask(&socket, arguments).await;
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{arguments:?}");
        for part in [
            "does not know this call",
            "versions",
            socket.to_str().unwrap(),
        ] {
            assert!(ran.err.contains(part), "{arguments:?}: {}", ran.err);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_newer_keeper_what_is_not_known_is_left_out_or_told_of() {
    let folder = tempfile::tempdir().unwrap();
    // A field of number 999 in a part, and a part of that number.
    let unknown = [0xba, 0x3e, 0x02, b'h', b'i'];
    let known = rotation(RotationState::Running.into());
    let newer = [framed(&[&known[..], &unknown].concat()), framed(&unknown)].concat();
    let socket = folder.path().join("s");
    answer(&socket, newer.into(), "0");
    let ran = ask(&socket, &["rotations"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("documents"), "{}", ran.out);
    let ran = ask(&socket, &["rotations", "--json"]).await;
    let object: Value = serde_json::from_str(&ran.out).unwrap();
    assert_documented("rotations", &object);

    // A state that there is not yet may mean anything: it is not guessed.
    let socket = folder.path().join("t");
    answer(&socket, framed(&rotation(99)).into(), "0");
    let ran = ask(&socket, &["rotations"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    for part in ["(invalid_answer)", "rotation.state", "versions"] {
        assert!(ran.err.contains(part), "{}", ran.err);
    }
}
