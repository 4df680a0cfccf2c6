//! Messages as large as they may be: what each costs a keeper at most, whatever it holds.

use std::os::unix::net::UnixStream;

use http_body_util::Full;
use hyper::body::Bytes;
use keyward::wire::counted::{Lists, MOST_ENTRIES, check};
use keyward::wire::generated::{CallbackKind, ToKeeper};
use keyward::{CallbackStatus, Client as Operator};

use super::process::Folder;
use crate::ground::{Client, by_hand};
use crate::support::{change, step, until, within};
use crate::work::peer::{Peer, sole};

const LARGE: usize = 8 << 20;

/// So much memory may a message take, whatever it holds: itself, what it is read into, and some.
const MOST: usize = 64 << 20;

const JOIN: &str = "/keyward.v1.Work/Join";

/// A field that has a length, with so many bytes of this inside.
fn field(number: u8, of: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut left = of.len();
    while left >= 0x80 {
        field.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    field.push(u8::try_from(left).unwrap());
    field.extend(of);
    field
}

/// The fields around this, from within.
fn within_fields(numbers: &[u8], of: Vec<u8>) -> Vec<u8> {
    let around = |of: Vec<u8>, number: &u8| field(*number, &of);
    numbers.iter().rev().fold(of, around)
}

/// As many of these as a message may have.
fn many(entry: &[u8]) -> Vec<u8> {
    entry.repeat((LARGE - 64) / entry.len())
}

/// A message, as the library for gRPC has it.
fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    Bytes::from([&[0][..], &length, message].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_8_mib_costs_a_keeper_no_more_than_64_mib_whatever_it_holds() {
    let folder = Folder::new("");
    let keeper = folder.serve();
    let other = Operator::at(folder.socket()).await.unwrap();
    let text = "\u{1}".repeat(LARGE - 64);
    let empty = |number: u8| [number << 3 | 2, 0];
    let clean = [2 << 3 | 2, 2, 3 << 3 | 2, 0];
    let cases: [(&str, &str, Vec<u8>); 8] = [
        (
            "calls that say nothing",
            JOIN,
            within_fields(&[1], many(&empty(5))),
        ),
        (
            "changes that say nothing",
            JOIN,
            within_fields(&[4, 2], many(&empty(2))),
        ),
        ("changes", JOIN, within_fields(&[4, 2], many(&clean))),
        (
            "changes to save",
            JOIN,
            within_fields(&[6], many(&empty(3))),
        ),
        ("unknown fields", JOIN, many(&[15 << 3, 1])),
        ("joins, one after another", JOIN, many(&empty(1))),
        (
            "a name",
            JOIN,
            within_fields(&[1, 1], text.clone().into_bytes()),
        ),
        ("a key", "/keyward.v1.Keys/Get", field(1, text.as_bytes())),
    ];
    for (what, path, message) in cases {
        keeper.forget_most();
        let before = keeper.resident();
        let stream = UnixStream::connect(folder.socket()).unwrap();
        let body = Full::new(framed(&message));
        let said = within(by_hand(stream, path, body)).await;
        let took = keeper.most_resident().saturating_sub(before);
        println!("{what}: {} bytes take {took}; {said:?}", message.len());
        assert!(said.is_some(), "{what}");
        assert!(took < MOST, "{what}: {took}");
        within(other.get_key("documents")).await.unwrap();
    }
    keeper.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_8_mib_costs_a_keeper_no_more_than_64_mib() {
    let folder = Folder::new("");
    let keeper = folder.serve();
    let operator = Operator::at(folder.socket()).await.unwrap();
    let stream = UnixStream::connect(folder.socket()).unwrap();
    let mut anna = Peer::join_over(Client::over(stream).await, sole("anna"))
        .await
        .unwrap();
    anna.register("reencrypt", CallbackKind::Data)
        .await
        .unwrap();
    anna.is_ready().await;
    let id = operator.declare(change()).await.unwrap();
    let call = anna.call().await;
    keeper.forget_most();
    let before = keeper.resident();
    // What may be hex, base64 or markup is read as each.
    anna.fail(&call, &"4d616E&#65;".repeat((LARGE - 4_096) / 11));
    until("it has failed", async || {
        let report = operator.rotation(id).await.unwrap();
        step(&report, "anna", "reencrypt").status == CallbackStatus::Failed
    })
    .await;
    let took = keeper.most_resident().saturating_sub(before);
    println!("a failure of 8 MiB takes {took} bytes");
    assert!(took < MOST, "{took}");
    keeper.stop();
}

#[test]
fn each_list_that_an_instance_may_send_is_counted() {
    // Every list of the messages that an instance may say, as the numbers of the fields that lead to it.
    let mut found = lists_of("ToKeeper", &mut Vec::new());
    found.sort();
    assert_eq!(found, ToKeeper::LISTS);
    let entry = [5 << 3 | 2, 0];
    let with = |entries: usize| within_fields(&[1], entry.repeat(entries));
    assert!(check::<ToKeeper>(&with(MOST_ENTRIES)).is_ok());
    let refused = check::<ToKeeper>(&with(MOST_ENTRIES + 1)).unwrap_err();
    assert_eq!(refused.code(), "invalid_message");
    let torn = [entry.repeat(MOST_ENTRIES + 1), vec![entry[0]]].concat();
    let torn = check::<ToKeeper>(&within_fields(&[1], torn));
    assert!(torn.is_err(), "they would be read up to where it is torn");
    assert!(
        check::<ToKeeper>(&[0xff; 1 << 20]).is_ok(),
        "it is no message"
    );
}

const PROTO: &str = include_str!("../../../src/wire/keyward/v1/keyward.proto");

fn lists_of(message: &str, way: &mut Vec<u32>) -> Vec<Vec<u32>> {
    let begun = PROTO.find(&format!("\nmessage {message} {{\n"));
    let Some(begun) = begun else {
        return Vec::new();
    };
    let body = &PROTO[begun..];
    let body = &body[..body.find("\n}\n").unwrap()];
    let mut found = Vec::new();
    for line in body.lines().map(str::trim) {
        let Some((field, number)) = line
            .strip_suffix(';')
            .and_then(|line| line.split_once(" = "))
        else {
            continue;
        };
        if line.starts_with("//") {
            continue;
        }
        way.push(number.parse().unwrap());
        let words: Vec<&str> = field.split(' ').collect();
        match words[..] {
            ["repeated", ..] => found.push(way.clone()),
            ["optional", of, _] | [of, _] => found.extend(lists_of(of, way)),
            _ => {}
        }
        way.pop();
    }
    found
}
