//! What a client calls the keeper: HTTP/2 takes `localhost`, and no path of a socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::ground::Ground;
use crate::support::LIMIT;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const HEADERS: u8 = 1;
const RESET: u8 = 3;

/// A request with this authority, by hand.
fn request(authority: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/keyward.v1.Keys/Get"),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        // A literal that is not indexed, with a new name.
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    let length = u32::try_from(block.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[HEADERS, 4, 0, 0, 0, 1]].concat();
    [PREFACE, SETTINGS, &head, &block].concat()
}

/// The first frame about the request: its type and its content.
fn answered(mut stream: UnixStream, authority: &str) -> (u8, Vec<u8>) {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(&request(authority)).unwrap();
    if authority == "localhost" {
        // An empty message: what is asked is refused, by the service and no longer by HTTP/2.
        let message = [0, 0, 5, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0];
        stream.write_all(&message).unwrap();
    }
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut content = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut content).unwrap();
        if head[8] == 1 {
            return (head[3], content);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_of_the_socket_as_the_authority_is_a_protocol_error_and_localhost_is_none() {
    let ground = Ground::new().await;
    let path = ground.path().to_str().unwrap().to_owned();
    let ask = async |authority: String| {
        let stream = ground.connect();
        let asked = tokio::task::spawn_blocking(move || answered(stream, &authority));
        asked.await.unwrap()
    };
    let (kind, content) = ask(path).await;
    assert_eq!((kind, content), (RESET, vec![0, 0, 0, 1]), "PROTOCOL_ERROR");
    assert_eq!(ask("localhost".to_owned()).await.0, HEADERS);
    let page = include_str!("../../../src/docs/protocol.md");
    assert!(page.contains("\"grpc.default_authority\", \"localhost\""));
}
