//! Peers that do not do what a client does: each is cut off, with an event, and no other peer notices.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use tokio::sync::mpsc;

use crate::ground::{Ground, by_hand};
use crate::support::log::Log;
use crate::support::{LIMIT, until, within};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const GET: &str = "/keyward.v1.Keys/Get";

/// Waits until the keeper has cut this connection.
async fn is_cut(mut stream: UnixStream) {
    let cut = tokio::task::spawn_blocking(move || {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut read = [0; 4096];
        loop {
            match stream.read(&mut read) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(_) => return true,
            }
        }
    });
    assert!(cut.await.unwrap(), "the keeper leaves it open");
}

async fn impatient() -> Ground {
    Ground::bounded(|bounds| {
        bounds.patience = Duration::from_millis(300);
        bounds.silence = Duration::from_millis(900);
    })
    .await
}

#[tokio::test]
async fn garbage_half_a_preface_and_silence_are_cut_off_with_an_event_and_nobody_else_notices() {
    let log = Log::begin();
    let ground = impatient().await;
    let mut other = ground.client().await;
    other.get("documents").await.unwrap();
    for said in [
        &b""[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &PREFACE[..7],
        PREFACE,
        &[0xff; 4096],
        &[PREFACE, SETTINGS].concat(),
        &[PREFACE, SETTINGS, &[0xff; 64]].concat(),
    ] {
        let before = log.lines(&["a connection was cut"]).len();
        let mut stream = ground.connect();
        stream.write_all(said).unwrap();
        is_cut(stream).await;
        other.get("documents").await.unwrap();
        until("it is told", async || {
            log.lines(&["a connection was cut"]).len() > before
        })
        .await;
    }
}

#[tokio::test]
async fn a_message_that_does_not_come_to_its_end_is_cut_off() {
    let log = Log::begin();
    let ground = impatient().await;
    let mut other = ground.client().await;
    other.get("documents").await.unwrap();
    let begun = Instant::now();
    for half in [&[0, 0][..], &[0, 0, 0, 0, 9, 1, 2]] {
        let (send, frames) = mpsc::channel::<Result<Frame<Bytes>, std::io::Error>>(1);
        send.send(Ok(Frame::data(Bytes::copy_from_slice(half))))
            .await
            .unwrap();
        let frames = futures_util::stream::unfold(frames, |mut frames| async move {
            frames.recv().await.map(|frame| (frame, frames))
        });
        let body = StreamBody::new(Box::pin(frames));
        let said = within(by_hand(ground.connect(), GET, body)).await;
        assert!(
            matches!(said.as_deref(), None | Some("request_incomplete")),
            "{said:?}"
        );
        drop(send);
    }
    assert!(begun.elapsed() >= Duration::from_millis(600));
    other.get("documents").await.unwrap();
    until("it is told", async || {
        log.lines(&["a connection was cut", "had not come whole"])
            .len()
            == 2
    })
    .await;
}

#[tokio::test]
async fn a_message_of_a_declared_gibibyte_is_refused_at_its_first_bytes() {
    let ground = Ground::new().await;
    let mut declared = vec![0];
    declared.extend((1_u32 << 30).to_be_bytes());
    declared.extend([0; 64]);
    for path in [
        GET,
        "/keyward.v1.Operate/Status",
        "/grpc.health.v1.Health/Check",
    ] {
        let body = Full::new(Bytes::from(declared.clone()));
        let said = within(by_hand(ground.connect(), path, body)).await;
        assert_eq!(said.as_deref(), Some("message_too_large"), "{path}");
    }
}

#[tokio::test]
async fn a_call_that_there_is_not_is_unimplemented() {
    let ground = Ground::new().await;
    for path in [
        "/",
        "/keyward.v1.Keys/Nothing",
        "/keyward.v2.Keys/Get",
        "/a/b/c",
    ] {
        let said = by_hand(ground.connect(), path, Full::new(Bytes::new())).await;
        let said = said.unwrap();
        assert!(
            ["unimplemented", "Unimplemented"].contains(&said.as_str()),
            "{path} {said}"
        );
    }
}

#[tokio::test]
async fn messages_that_are_none_are_refused_and_nothing_panics() {
    let log = Log::begin();
    let ground = Ground::new().await;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for no in 0..200_u32 {
        let bytes: Vec<u8> = (0..no)
            .map(|_| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random.to_le_bytes()[0]
            })
            .collect();
        let mut message = vec![u8::from(no % 7 == 0)];
        message.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        message.extend(bytes);
        let path = ["Keys/Get", "Keys/Declare", "Operate/Remove"][usize::try_from(no).unwrap() % 3];
        let path = format!("/keyward.v1.{path}");
        let said = within(by_hand(
            ground.connect(),
            &path,
            Full::new(Bytes::from(message)),
        ))
        .await;
        assert!(said.is_some(), "{no}");
    }
    assert_eq!(log.lines(&["panick"]), [""; 0]);
    ground.client().await.get("documents").await.unwrap();
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_cut_after_the_time_of_silence() {
    let ground = impatient().await;
    let mut stream = ground.connect();
    stream.write_all(&[PREFACE, SETTINGS].concat()).unwrap();
    // The headers of a request, so that only the silence is left: POST, http, /, localhost.
    let headers = [0x83, 0x86, 0x84, 0x41, 9];
    let block = [&headers[..], b"localhost"].concat();
    let length = u8::try_from(block.len()).unwrap();
    let frame = [&[0, 0, length, 1, 5, 0, 0, 0, 1][..], &block].concat();
    stream.write_all(&frame).unwrap();
    let begun = Instant::now();
    is_cut(stream).await;
    assert!(
        begun.elapsed() >= Duration::from_millis(300),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_answers_pings_is_not_cut_however_long_it_asks_nothing() {
    let ground = Ground::bounded(|bounds| bounds.silence = Duration::from_millis(300)).await;
    let mut idle = ground.client().await;
    idle.get("documents").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    // It does not connect anew.
    idle.get("documents").await.unwrap();
}

#[tokio::test]
async fn a_peer_that_never_reads_is_cut_off_and_others_are_answered_meanwhile() {
    let log = Log::begin();
    let ground = impatient().await;
    let mut other = ground.client().await;
    other.get("documents").await.unwrap();
    let stream = ground.connect();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    let mut writing = stream.try_clone().unwrap();
    // Pings without end: each is to be answered, and no answer is read.
    let flood = tokio::task::spawn_blocking(move || {
        writing.write_all(&[PREFACE, SETTINGS].concat())?;
        let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8].repeat(1_000);
        loop {
            writing.write_all(&ping)?;
        }
        #[expect(unreachable_code, reason = "it says what the errors above are")]
        Ok::<(), std::io::Error>(())
    });
    let begun = Instant::now();
    while !flood.is_finished() {
        other.get("documents").await.unwrap();
        assert!(begun.elapsed() < LIMIT, "it is not cut");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let error = flood.await.unwrap().unwrap_err();
    assert_ne!(error.kind(), ErrorKind::WouldBlock, "{error}");
    until("it is told", async || {
        !log.lines(&["a connection was cut"]).is_empty()
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_within_the_users_bound() {
    let keys = crate::support::in_memory().await;
    let large = || "v".repeat(1 << 20);
    let large = keyward::SecretKeyDefinition::round_trip("large", large);
    crate::support::define(&keys, large).await;
    let mut bounds = keyward::ServeBounds::default();
    bounds.undecoded_bytes_of_user = 3 << 20;
    let ground = Ground::serve(keys, |options| options.bounds(bounds)).await;
    // The window of HTTP/2 is all that is taken of each answer.
    let stream = ground.connect();
    stream.set_nonblocking(true).unwrap();
    let io = hyper_util::rt::TokioIo::new(tokio::net::UnixStream::from_std(stream).unwrap());
    let executor = hyper_util::rt::TokioExecutor::new();
    let mut http = hyper::client::conn::http2::Builder::new(executor);
    http.initial_stream_window_size(1_024)
        .initial_connection_window_size(1 << 16);
    let (mut send, connection) = http.handshake(io).await.unwrap();
    tokio::spawn(connection);
    let mut held = Vec::new();
    let mut codes = Vec::new();
    for _ in 0..4 {
        let message = [&[0, 0, 0, 0, 9, 10, 5][..], b"large", &[16, 2]].concat();
        let request = http::Request::post(format!("http://localhost{GET}"))
            .header("content-type", "application/grpc")
            .body(Full::new(Bytes::from(message)))
            .unwrap();
        let answer = within(send.send_request(request)).await.unwrap();
        let mut body = answer.into_body();
        let first = within(body.frame()).await.unwrap().unwrap();
        match first.trailers_ref() {
            Some(trailers) => codes.push(crate::ground::grpc_status(trailers)),
            None => held.push(body),
        }
    }
    assert_eq!(
        held.len(),
        2,
        "two of a mebibyte and their prefixes fit in three"
    );
    assert_eq!(codes, [Some("busy".to_owned()), Some("busy".to_owned())]);
    drop(held);
    ground.client().await.get("large").await.unwrap();
}

#[tokio::test]
async fn a_peer_that_reads_and_makes_no_room_for_an_answer_is_cut_off_with_an_event() {
    let log = Log::begin();
    let patience = Duration::from_millis(500);
    let ground = Ground::bounded(|bounds| bounds.patience = patience).await;
    // One who has nothing to be told is not meant.
    let mut idle = ground.client().await;
    let only_errors = keyward::wire::generated::EventsRequest {
        level: keyward::wire::generated::Level::Error.into(),
    };
    let events = idle.operate.events(only_errors).await.unwrap();
    let stream = ground.connect();
    stream.set_nonblocking(true).unwrap();
    let io = hyper_util::rt::TokioIo::new(tokio::net::UnixStream::from_std(stream).unwrap());
    let executor = hyper_util::rt::TokioExecutor::new();
    let mut http = hyper::client::conn::http2::Builder::new(executor);
    http.initial_stream_window_size(0);
    let (mut send, connection) = http.handshake(io).await.unwrap();
    // It reads all that comes, and answers pings.
    let connection = tokio::spawn(connection);
    let message = [&[0, 0, 0, 0, 13, 10, 9][..], b"documents", &[16, 2]].concat();
    let request = http::Request::post(format!("http://localhost{GET}"))
        .header("content-type", "application/grpc")
        .body(Full::new(Bytes::from(message)))
        .unwrap();
    let answer = within(send.send_request(request)).await.unwrap();
    assert_eq!(answer.status(), 200);
    let _held = answer.into_body();
    let _ended = within(connection).await.unwrap();
    until("it is told", async || {
        let told = ["a connection was cut", "made no room for an answer"];
        !log.lines(&told).is_empty()
    })
    .await;
    idle.get("documents").await.unwrap();
    drop(events);
}
