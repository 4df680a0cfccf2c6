//! Peers that do what no client does, without end: a real keeper's memory and descriptors stay within bounds, and the
//! calls of others go on as they do without such peers.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use keyward::Client;

use super::process::{Folder, Keeper};
use crate::ground::by_hand;
use crate::support::alone::LONGEST;
use crate::support::{until, within};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// What each cuts a peer off for comes sooner than by default.
const CONFIGURATION: &str = "[bounds]\npatience = \"500 ms\"\nsilence = \"1500 ms\"\n";

/// So much memory may peers take of which no message is whole and no answer read: what the bounds of a user give, and
/// some.
const MOST: usize = 192 << 20;

/// So many descriptors may be open beside those of a keeper at rest: two for each connection that it takes, and some.
const DESCRIPTORS: usize = 2 * 1_024 + 64;

/// So often others ask while bad peers are at work.
const CALLS: usize = 200;

/// How far bad peers are.
#[derive(Clone, Default)]
struct Siege {
    /// How many of them have come to their end.
    rounds: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Siege {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::SeqCst)
    }

    fn count(&self) {
        self.rounds.fetch_add(1, Ordering::SeqCst);
    }

    fn rounds(&self) -> usize {
        self.rounds.load(Ordering::SeqCst)
    }
}

/// Reads to the end of the connection.
fn is_cut(stream: &mut UnixStream, siege: &Siege) {
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let mut read = [0; 4_096];
    while siege.goes_on() {
        match stream.read(&mut read) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// As many calls as are made beside bad peers.
async fn calls(client: &Client, keeper: &Keeper) -> (Duration, usize) {
    let begun = Instant::now();
    let mut descriptors = 0;
    for _ in 0..CALLS {
        let key = within(client.get_forward_path_key("documents")).await;
        assert_eq!(key.unwrap().expose(), b"value_1");
        descriptors = descriptors.max(keeper.descriptors());
    }
    (begun.elapsed(), descriptors)
}

/// So many threads have bad peers, one after another.
fn besieged(what: &str, threads: usize, peer: fn(&Path, &Siege)) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = Folder::new(CONFIGURATION);
        let keeper = folder.serve();
        let client = within(Client::at(folder.socket())).await.unwrap();
        let (alone, at_rest) = calls(&client, &keeper).await;
        let before = keeper.resident();
        keeper.forget_most();
        let siege = Siege::default();
        let peers = (0..threads).map(|_| {
            let (path, siege) = (folder.socket(), siege.clone());
            tokio::task::spawn_blocking(move || {
                while siege.goes_on() {
                    peer(&path, &siege);
                    siege.count();
                }
            })
        });
        let peers: Vec<_> = peers.collect();
        // The calls are made while each thread has a peer, and until each has had two.
        let (mut beside, mut most) = (Duration::MAX, 0);
        let begun = Instant::now();
        loop {
            let (took, open) = calls(&client, &keeper).await;
            (beside, most) = (beside.min(took), most.max(open));
            if siege.rounds() >= 2 * threads {
                break;
            }
            assert!(begun.elapsed() < LONGEST, "{what}: {} rounds", siege.rounds());
        }
        siege.is_over.store(true, Ordering::SeqCst);
        for peer in peers {
            peer.await.unwrap();
        }
        let took = keeper.most_resident().saturating_sub(before);
        println!(
            "{what}: {} peers; {CALLS} calls in {beside:?}, alone in {alone:?}; {most} descriptors, at rest {at_rest}; \
             {took} bytes",
            siege.rounds()
        );
        assert!(took < MOST, "{what}: {took}");
        assert!(most <= at_rest + DESCRIPTORS, "{what}: {most}, at rest {at_rest}");
        until("their descriptors are closed", async || keeper.descriptors() <= at_rest).await;
        calls(&client, &keeper).await;
        keeper.stop();
    });
}

#[test]
fn peers_that_say_nothing_take_little_of_a_keeper_and_are_cut() {
    // Some are refused beyond the bound, and told so.
    besieged("silence", 4, |path, siege| {
        let streams = (0..300).map_while(|_| UnixStream::connect(path).ok());
        for mut stream in streams.collect::<Vec<_>>() {
            is_cut(&mut stream, siege);
        }
    });
}

#[test]
fn peers_that_write_garbage_take_little_of_a_keeper_and_are_cut() {
    besieged("garbage", 4, |path, siege| {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let words = std::iter::repeat_with(|| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random.to_le_bytes()
        });
        let garbage: Vec<u8> = words.take(8_192).flatten().collect();
        for start in [&[][..], PREFACE, &[PREFACE, SETTINGS].concat()] {
            let mut stream = UnixStream::connect(path).unwrap();
            // It may be cut before all is written.
            drop(stream.write_all(&[start, &garbage].concat()));
            is_cut(&mut stream, siege);
        }
    });
}

#[test]
fn peers_that_are_half_open_take_little_of_a_keeper_and_are_cut() {
    besieged("half open", 4, |path, siege| {
        let half = [PREFACE, SETTINGS, &[0, 0, 40, 1, 4, 0, 0, 0, 1, 0x83]].concat();
        let streams = (0..50).map(|_| {
            let mut stream = UnixStream::connect(path).unwrap();
            drop(stream.write_all(&half));
            drop(stream.shutdown(Shutdown::Write));
            stream
        });
        for mut stream in streams.collect::<Vec<_>>() {
            is_cut(&mut stream, siege);
        }
    });
}

#[test]
fn peers_that_read_nothing_take_little_of_a_keeper_and_are_cut() {
    besieged("unread", 4, |path, siege| {
        let mut stream = UnixStream::connect(path).unwrap();
        stream
            .set_write_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        drop(stream.write_all(&[PREFACE, SETTINGS].concat()));
        // Each is to be answered, and no answer is read.
        let pings = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8].repeat(1_000);
        while siege.goes_on() {
            match stream.write(&pings) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => break,
                Ok(_) => {}
            }
        }
    });
}

/// Sends a message by hand, whatever is answered.
fn sends(path: &Path, call: &str, message: Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let stream = UnixStream::connect(path).unwrap();
        drop(within(by_hand(stream, call, Full::new(Bytes::from(message)))).await);
    });
}

#[test]
fn peers_with_giant_messages_take_a_bounded_part_of_a_keeper() {
    // One more, and there would be room for nothing else of their user.
    besieged("giant messages", 7, |path, _| {
        // Calls that say nothing, as many as there is room for, within a join.
        let length = 8 << 20;
        let mut message = vec![0];
        message.extend(u32::to_be_bytes(length));
        message.extend([1 << 3 | 2, 0xfb, 0xff, 0xff, 0x03]);
        message.resize(5 + usize::try_from(length).unwrap(), 0);
        for entry in message[10..].chunks_mut(2) {
            entry[0] = 5 << 3 | 2;
        }
        sends(path, "/keyward.v1.Work/Join", message);
    });
}

#[test]
fn peers_that_declare_a_gibibyte_take_little_of_a_keeper() {
    besieged("a gibibyte", 8, |path, _| {
        let mut message = vec![0];
        message.extend(u32::to_be_bytes(1 << 30));
        message.resize(1 << 16, 0);
        for call in [
            "/keyward.v1.Keys/Declare",
            "/keyward.v1.Work/Join",
            "/keyward.v1.Operate/Status",
        ] {
            sends(path, call, message.clone());
        }
    });
}

#[test]
fn peers_that_come_and_go_take_little_of_a_keeper() {
    besieged("coming and going", 4, |path, _| {
        let streams = (0..200).map_while(|_| UnixStream::connect(path).ok());
        drop(streams.collect::<Vec<_>>());
    });
}
