//! Any bytes as each message of the wire that has a type in the library: it is refused, or what is sent of that
//! reads as the same.

use keyward::KeeperEvent;
use keyward::key::answer::KeyAnswer;
use keyward::key::flow::SecretKeyUseCase;
use keyward::key::keeper_error::KeeperError;
use keyward::operator::actor::ActorName;
use keyward::operator::status::RecoveredKeys;
use keyward::secret::value::SecretKeys;
use keyward::wire::ends::end;
use keyward::wire::generated::{
    self, CallRef, DeclareRequest, Ended, Event, GetAnswer, ListingPart, RecoverKeysAnswer,
    Refusal, ToInstance, ToKeeper, ValueOrPair, to_instance, to_keeper,
};
use keyward::wire::listing::ListingParts;
use keyward::wire::parts::{history_parts, plan_parts, report_parts, status_parts};
use keyward::worker::call::Call;
use keyward::worker::change::Change;
use prost::Message;
use prost::bytes::Bytes;
use tonic::{Code, Status};

use crate::allocated;

/// An empty message in a list has two bytes, and is a struct here, which a list that grows has three times.
const MEMORY: (usize, usize) = (200, 4096);

/// Each reads a kind of message.
const MESSAGES: [fn(&[u8]); 10] = [
    to_keeper,
    to_instance,
    |bytes| listing(bytes, status_of),
    |bytes| listing(bytes, history_of),
    |bytes| listing(bytes, plan_of),
    |bytes| listing(bytes, report_of),
    answers,
    declaration,
    refusal,
    event,
];

/// The first byte chooses the kind of message.
pub fn check(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else {
        return;
    };
    if let Some(message) = MESSAGES.get(usize::from(*kind) % MESSAGES.len()) {
        message(bytes);
    }
}

/// Reads a message as a type of the library, and what is sent of that once more.
fn again<M: Message + Default, T>(
    bytes: &[u8],
    read: impl Fn(M) -> Option<T>,
    send: impl Fn(&T) -> M,
) {
    let one = allocated::within(MEMORY, bytes, || M::decode(bytes).ok().and_then(&read));
    let Some(one) = one else {
        return;
    };
    let sent = send(&one).encode_to_vec();
    let message = M::decode(sent.as_slice()).expect("what was encoded decodes");
    let two = read(message).expect("what was sent is taken");
    assert_eq!(send(&two).encode_to_vec(), sent, "it reads as another one");
}

fn to_keeper(bytes: &[u8]) {
    for use_case in [SecretKeyUseCase::RoundTrip, SecretKeyUseCase::OneWayTrip] {
        let read = |message: ToKeeper| match message.said? {
            to_keeper::Said::Ended(Ended { call, outcome }) => {
                let (step, attempt) = call?.named().ok()?;
                let (call_end, runs) = end(outcome, use_case).ok()?;
                Some((CallRef::new(step, attempt), call_end, runs))
            }
            to_keeper::Said::Join(join) => {
                for call in join.calls {
                    let Ok((step, attempt)) = call.named() else {
                        continue;
                    };
                    assert_eq!(
                        CallRef::new(step, attempt).named().ok(),
                        Some((step, attempt))
                    );
                }
                None
            }
            _ => None,
        };
        again(bytes, read, |(call, call_end, runs)| {
            let ended = Ended::new(call.clone(), call_end, *runs);
            let said = ended.map(to_keeper::Said::Ended);
            ToKeeper { said }
        });
    }
}

fn to_instance(bytes: &[u8]) {
    let read = |message: ToInstance| match message.said? {
        to_instance::Said::Call(call) => Call::try_from(call).ok(),
        _ => None,
    };
    again(bytes, read, |call| {
        let said = Some(to_instance::Said::Call(generated::Call::from(call)));
        ToInstance { said }
    });
}

/// Takes the messages of a stream, each with its length before it.
fn taken(mut bytes: &[u8]) -> Option<ListingParts> {
    let mut listing = ListingParts::default();
    while !bytes.is_empty() {
        let part = ListingPart::decode_length_delimited(&mut bytes).ok()?;
        listing.take(part).ok()?;
    }
    Some(listing)
}

fn together(parts: Vec<ListingPart>) -> Option<ListingParts> {
    let mut listing = ListingParts::default();
    for part in parts {
        listing.take(part).ok()?;
    }
    Some(listing)
}

/// Reads a listing, and what is sent of it once more.
fn listing(bytes: &[u8], again: impl Fn(ListingParts) -> Option<Vec<ListingPart>>) {
    let Some(one) = allocated::within(MEMORY, bytes, || taken(bytes)) else {
        return;
    };
    let Some(sent) = again(one) else {
        return;
    };
    let two = together(sent.clone()).expect("what was sent is taken");
    assert_eq!(again(two), Some(sent), "it reads as another one");
}

fn status_of(listing: ListingParts) -> Option<Vec<ListingPart>> {
    Some(status_parts(&listing.into_status().ok()?).collect())
}

fn history_of(listing: ListingParts) -> Option<Vec<ListingPart>> {
    Some(history_parts(&listing.into_history().ok()?).collect())
}

fn plan_of(listing: ListingParts) -> Option<Vec<ListingPart>> {
    Some(plan_parts(&listing.into_plan().ok()?))
}

fn report_of(listing: ListingParts) -> Option<Vec<ListingPart>> {
    Some(report_parts(&listing.into_report().ok()?))
}

/// What a get, a look, and a recovery answer.
fn answers(bytes: &[u8]) {
    let keys = |keys: ValueOrPair| SecretKeys::try_from(keys).ok();
    again(bytes, keys, |keys| ValueOrPair::from(keys));
    let answer = |answer: GetAnswer| KeyAnswer::try_from(answer).ok();
    again(bytes, answer, |answer| GetAnswer::from(answer));
    let recovered = |answer: RecoverKeysAnswer| RecoveredKeys::try_from(answer).ok();
    again(bytes, recovered, |keys| RecoverKeysAnswer::from(keys));
    let actor = |actor: generated::ActorName| ActorName::try_from(actor).ok();
    again(bytes, actor, |actor| generated::ActorName::from(actor));
}

fn declaration(bytes: &[u8]) {
    let change = |request: DeclareRequest| Change::try_from(request).ok();
    again(bytes, change, |change| {
        DeclareRequest::try_from(change).expect("it has values, and no store")
    });
}

/// An error as the details of a status have it.
fn refusal(bytes: &[u8]) {
    let status = Status::with_details(Code::Unknown, "text", Bytes::copy_from_slice(bytes));
    let read = || Refusal::of_status(&status);
    let Some(refusal) = allocated::within(MEMORY, bytes, read) else {
        return;
    };
    let sent = Status::from(refusal.clone());
    assert_eq!(Refusal::of_status(&sent).as_ref(), Some(&refusal));
    let error = KeeperError::from(refusal.clone());
    assert_eq!(error.is_retriable(), refusal.retriable);
}

fn event(bytes: &[u8]) {
    let read = || Event::decode(bytes).map(KeeperEvent::from);
    if let Ok(event) = allocated::within(MEMORY, bytes, read) {
        let fields = event.fields.iter().flat_map(|(name, value)| [name, value]);
        for text in fields.chain([&event.text]) {
            assert!(!text.contains(char::is_control), "{text:?} would be shown");
        }
    }
}
