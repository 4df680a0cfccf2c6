//! Any bytes, as each message, through each translation: refused or taken, and nothing else happens.

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::proptest;
use prost::Message;

use crate::key::answer::KeyAnswer;
use crate::key::flow::SecretKeyUseCase;
use crate::operator::actor::ActorName;
use crate::operator::status::RecoveredKeys;
use crate::secret::value::SecretKeys;
use crate::wire::ends::{end, staged};
use crate::wire::generated::{
    self, Ended, GetAnswer, ListingPart, RecoverKeysAnswer, RestartRequest, ToInstance, ToKeeper,
    ValueOrPair, answer, to_instance, to_keeper,
};
use crate::wire::listing::ListingParts;
use crate::wire::tests::samples;
use crate::worker::call::Call;
use crate::worker::change::Change;

fn from_client(message: ToKeeper) {
    let use_case = SecretKeyUseCase::RoundTrip;
    match message.said {
        Some(to_keeper::Said::Join(join)) => {
            for call in &join.calls {
                let _ = call.named();
            }
        }
        Some(to_keeper::Said::Ended(Ended { call, outcome })) => {
            let _ = call.map(|call| call.named());
            let _ = end(outcome, use_case);
        }
        Some(to_keeper::Said::AskForSave(ask)) => {
            let _ = staged(ask.staged, use_case);
        }
        Some(to_keeper::Said::Declare(declare)) => {
            let _ = declare.change.map(Change::try_from);
        }
        _ => {}
    }
}

fn from_keeper(message: ToInstance) {
    match message.said {
        Some(to_instance::Said::Call(call)) => {
            let _ = Call::try_from(call);
        }
        Some(to_instance::Said::Answer(generated::Answer {
            answer: Some(answer::Answer::Refused(refusal)),
            ..
        })) => {
            let _ = crate::key::keeper_error::KeeperError::from(refusal).to_string();
        }
        _ => {}
    }
}

fn through_all(bytes: &[u8]) {
    let _ = ToKeeper::decode(bytes).map(from_client);
    let _ = ToInstance::decode(bytes).map(from_keeper);
    let _ = ListingPart::decode(bytes).map(|part| {
        let mut listing = ListingParts::default();
        let _ = listing.take(part.clone());
        let _ = listing.take(part);
        listing.into_status().map(drop)
    });
    let _ = ValueOrPair::decode(bytes).map(SecretKeys::try_from);
    let _ = GetAnswer::decode(bytes).map(KeyAnswer::try_from);
    let _ = generated::DeclareRequest::decode(bytes).map(Change::try_from);
    let _ = RecoverKeysAnswer::decode(bytes).map(RecoveredKeys::try_from);
    let restart = RestartRequest::decode(bytes).map(|restart| restart.actor);
    let _ = restart.map(|actor| actor.map(ActorName::try_from));
}

/// A message with everything in it, so that a changed byte meets every field.
fn whole() -> Vec<Vec<u8>> {
    let call = generated::Call::from(&samples::call());
    let said = Some(to_instance::Said::Call(call));
    let ended = Ended {
        call: Some(generated::CallRef::new(samples::call().step, 1)),
        outcome: Some(generated::ended::Outcome::Succeeded(generated::Succeeded {
            effect: 2,
            staged: vec![(&crate::key::state::Staged::Clean).into()],
        })),
    };
    let join = generated::Join {
        worker: "w".to_owned(),
        sharing: 1,
        wait_for_name: true,
        instance: 7,
        calls: vec![generated::CallRef::new(samples::call().step, 1)],
    };
    let message = |said| ToKeeper { said: Some(said) }.encode_to_vec();
    vec![
        ToInstance { said }.encode_to_vec(),
        message(to_keeper::Said::Ended(ended)),
        message(to_keeper::Said::Join(join)),
    ]
}

proptest! {
    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        through_all(&bytes);
    }

    #[test]
    fn any_byte_of_a_message_changed_or_its_end_cut(at in any::<usize>(), byte in any::<u8>(), cut in any::<bool>()) {
        for mut bytes in whole() {
            let at = at % bytes.len();
            if cut {
                bytes.truncate(at);
            } else {
                bytes[at] = byte;
            }
            through_all(&bytes);
        }
    }
}
