//! The bytes of every kind of record, as the first version wrote them. If one of these tests
//! fails, databases in the field are no longer read: raise the kind's schema number instead, and
//! keep the old types.

use crate::journal::codec::Record;
use crate::journal::codec::keys::DeclaredRecord;
use crate::journal::codec::meta::SequenceRecord;
use crate::journal::codec::rotation::{ENDED_HEADER, ENDED_STEP, HeaderRecord};
use crate::journal::codec::samples::{
    BATCH, CURRENT, DECLARED, acts, all, between, callback, check, decode_at, decode_header,
    header, instance, member, place, recorded, snapshot, state, step, version, whole,
};
use crate::journal::kind::Kind;
use crate::journal::records::RECORDS;
use crate::key::definition::OnKeyChangedCallbackErrorStrategy;
use crate::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use crate::key::state::{Effect, StateRecord};
use crate::key::versions::debt::Debt;
use crate::key::versions::held::VersionValue;
use crate::rotation::instance::{CallbackOf, Sharing};
use crate::rotation::plan::{Header, Step};
use crate::rotation::roster::{Member, MemberCallback};
use crate::rotation::state::RotationState;
use crate::rotation::status::CallbackStatus;
use crate::secret::value::SecretKeyPair;

const GOLDEN: [&str; 22] = [
    "200505050505050505050505050505050505050505050505050505050505050505",
    "03fb2c01",
    "fdffffffffffffffff",
    "0101046261636b",
    "0200",
    "09010101010101010101010101010101010101010101010101010101010101010101020202020202\
     02020202020202020202020202020202020202020202020202020103030303030303030303030303\
     03030303030303030303030303030303030303040404040404040404040404040404040404040404\
     0404040404040404040404",
    "fa0101",
    "fbfb0001",
    "fb2c01fbe8030103050403010001016b016301070602016b0101",
    "09fc7011010001030400010101010101010101010101010101010101010101010101010101010101\
     01010102020202020202020202020202020202020202020202020202020202020202020001feffff\
     ffffffffffffffffffffffffffff010200fd00e897b69a01000001fd01e897b69a01000004\
     01000004fbe803fb2c01010177010364756500",
    "0177016302020101040001026e6f010101",
    "02666f026261",
    "0001020101660162",
    "0103637574",
    "09fc7011010001030400010101010101010101010101010101010101010101010101010101010101\
     01010102020202020202020202020202020202020202020202020202020202020202020001feffff\
     ffffffffffffffffffffffffffff010200fd00e897b69a01000001fd01e897b69a01000004\
     01000004fbe803fb2c010101770103647565\
     010a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a010b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b02",
    "0177016302020101040001026e6f010101",
    "0403010007016b0500fb2c010000\
     04010101770600fb2c010000\
     0401020177016b01630700fb2c010000\
     0401030177fbfc000800fb2c010000",
    "09fb2c01",
    "030600fb2c010001fb2c01030702fb2c010103fb2c010504fb2c0104036f7073046c65616b02fb2c\
     01020101010101010101010101010101010101010101010101010101010101010101010202020202\
     0202020202020202020202020202020202020202020202020202020104036f7073046c65616b0105",
    "0102666f026261",
    "00026261",
    "fb2c01",
];

#[test]
fn no_record_has_changed_its_bytes() {
    for ((kind, plain), golden) in all().into_iter().zip(GOLDEN) {
        let hex = data_encoding::HEXLOWER.encode(&plain);
        let second = [
            DeclaredRecord::KIND,
            Member::KIND,
            MemberCallback::KIND,
            Step::KIND,
            ENDED_STEP,
        ];
        let schema = match kind {
            HeaderRecord::KIND | ENDED_HEADER => 3,
            kind if second.contains(&kind) => 2,
            _ => 1,
        };
        assert_eq!((kind.schema, hex.as_str()), (schema, golden), "{kind:?}");
    }
}

#[test]
fn every_kind_has_golden_bytes() {
    let all = all();
    for (kind, _) in RECORDS {
        // No version puts keys and snapshots in the history.
        let same = |golden: Kind| (golden.name, golden.schema) == (kind.name, kind.schema);
        assert!(all.iter().any(|(golden, _)| same(*golden)), "{kind:?}");
    }
}

#[test]
fn every_golden_record_is_read_back() {
    let bytes: Vec<Vec<u8>> = GOLDEN
        .map(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap())
        .into();
    assert_eq!(decode_at(&bytes[0]), Ok(check()));
    assert_eq!(decode_at(&bytes[1]), Ok(BATCH));
    assert_eq!(decode_at(&bytes[2]), Ok(SequenceRecord { next: u64::MAX }));
    assert_eq!(decode_at(&bytes[3]), Ok(state()));
    assert_eq!(
        DeclaredRecord::decode(&place(DeclaredRecord::KIND), 2, &bytes[5]),
        Ok(DECLARED)
    );
    assert_eq!(
        Member::decode(&place(Member::KIND), 2, &bytes[6]),
        Ok(member())
    );
    let of_callback = place(MemberCallback::KIND);
    assert_eq!(
        MemberCallback::decode(&of_callback, 2, &bytes[7]),
        Ok(callback())
    );
    assert_eq!(decode_at(&bytes[8]), Ok(instance()));
    assert_eq!(decode_header(&bytes[9]), Ok(recorded(header())));
    assert_eq!(decode_header(&bytes[14]), Ok(recorded(between())));
    assert_eq!(decode_at(&bytes[16]), Ok(acts()));
    assert_eq!(decode_at(&bytes[17]), Ok(CURRENT));
    assert_eq!(decode_at(&bytes[18]), Ok(version()));
    assert_eq!(decode_at(&bytes[19]), Ok(whole()));
    assert_eq!(decode_at(&bytes[20]), Ok(VersionValue::Back("ba".into())));
    assert_eq!(decode_at(&bytes[21]), Ok(Debt::since(300)));
    assert_eq!(Step::decode(&place(Step::KIND), 2, &bytes[10]), Ok(step()));
    let pair = SecretKeyPair::new("fo", "ba");
    assert_eq!(decode_at(&bytes[11]), Ok(pair));
    assert_eq!(decode_at(&bytes[12]), Ok(snapshot()));
}

#[test]
fn an_error_text_that_was_stored_as_it_came_is_read_visible() {
    let error = Some("no\nINFO all is \u{202e}well".to_owned());
    let plain = Step { error, ..step() }.encode().unwrap();
    let read = Step::decode(&place(Step::KIND), 2, &plain).unwrap().error;
    assert_eq!(read.as_deref(), Some("no\\nINFO all is \\u{202e}well"));
}

fn decoded(plain: &[u8]) -> Header {
    decode_header(plain).unwrap().header
}

#[test]
fn no_variant_has_changed_its_number() {
    for (number, state) in (0..).zip([
        RotationState::Waiting,
        RotationState::Running,
        RotationState::Completed,
        RotationState::CompletedWithFailures,
        RotationState::Stopped,
        RotationState::Aborted,
        RotationState::Obsolete,
    ]) {
        let header = Header { state, ..header() };
        let plain = recorded(header.clone()).encode().unwrap();
        assert_eq!(plain[8], number);
        assert_eq!(decoded(&plain), header);
    }
    for (number, strategy) in (0..).zip(OnKeyChangedCallbackErrorStrategy::ALL) {
        let header = Header {
            strategy,
            ..header()
        };
        let plain = recorded(header.clone()).encode().unwrap();
        assert_eq!(plain[7], number);
        assert_eq!(decoded(&plain), header);
    }
    let one_way = Header {
        use_case: SecretKeyUseCase::OneWayTrip,
        ..header()
    };
    let plain = recorded(one_way.clone()).encode().unwrap();
    assert_eq!(plain[6], 0);
    assert_eq!(decoded(&plain), one_way);
    for (number, status) in (0..).zip([
        CallbackStatus::Pending,
        CallbackStatus::InProgress,
        CallbackStatus::Failed,
        CallbackStatus::Succeeded,
    ]) {
        let step = Step { status, ..step() };
        let plain = step.encode().unwrap();
        assert_eq!(plain[4], number);
        assert_eq!(Step::decode(&place(Step::KIND), 2, &plain), Ok(step));
    }
    for (number, effect) in (0..).zip([Effect::Nothing, Effect::Decrypted, Effect::Reencrypted]) {
        let step = Step { effect, ..step() };
        let plain = step.encode().unwrap();
        assert_eq!(plain[plain.len() - 3], number);
        assert_eq!(Step::decode(&place(Step::KIND), 2, &plain), Ok(step));
    }
    for (number, of) in (0..).zip([CallbackOf::Data, CallbackOf::Memory]) {
        let (step, callback) = (step().of(of), MemberCallback { of, ..callback() });
        assert_eq!(step.encode().unwrap().last(), Some(&number));
        assert_eq!(callback.encode().unwrap().last(), Some(&number));
    }
    for (number, sharing) in (0..).zip([Sharing::Sole, Sharing::Shared]) {
        let member = Member {
            sharing,
            ..member()
        };
        assert_eq!(member.encode().unwrap()[1], number);
    }
    let flows = [
        SecretKeyFlow::Default,
        SecretKeyFlow::ForwardPath,
        SecretKeyFlow::BackPath,
    ];
    for (number, flow) in (0..).zip(flows) {
        let state = StateRecord { flow, key: None };
        let plain = state.encode().unwrap();
        assert_eq!(plain[0], number);
        assert_eq!(decode_at(&plain), Ok(state));
    }
}
