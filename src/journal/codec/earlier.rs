//! Records as earlier schemas wrote them are read as what they meant then.

use crate::journal::codec::keys::DeclaredRecord;
use crate::journal::codec::rotation::HeaderRecord;
use crate::journal::codec::samples::{
    DECLARED, callback, decode_at, header, member, place, recorded, step,
};
use crate::journal::codec::{Malformed, Record};
use crate::rotation::act::Acts;
use crate::rotation::instance::{CallbackOf, Sharing};
use crate::rotation::plan::{Declared, Header};
use crate::rotation::roster::{Member, MemberCallback};

/// What the first schema wrote: every worker was sole and in the keeper's process, every callback one of
/// data.
#[test]
fn what_the_first_schema_had_is_sole_and_of_data() {
    let bytes = |hex: &str| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
    let sole = Member {
        sharing: Sharing::Sole,
        elsewhere: false,
        ..member()
    };
    assert_eq!(decode_at(&bytes("fa")), Ok(sole));
    let of = CallbackOf::Data;
    assert_eq!(
        decode_at(&bytes("fbfb00")),
        Ok(MemberCallback { of, ..callback() })
    );
    let read = decode_at(&bytes("0177016302020101040001026e6f0101"));
    assert_eq!(read, Ok(step().of(of)));
}

#[test]
fn a_header_of_the_second_schema_is_of_a_key_without_versions() {
    let written = recorded(header());
    let third = written.encode().unwrap();
    let (second, versions) = third.split_at(third.len() - 1);
    assert_eq!(versions, [0]);
    let read = HeaderRecord::decode(&place(HeaderRecord::KIND), 2, second);
    assert_eq!(read, Ok(written));
}

#[test]
fn what_was_declared_last_is_read_as_the_first_schema_wrote_it() {
    let plain = [&[9, 1][..], &[1; 32], &[2; 32]].concat();
    let (old, new) = (DECLARED.keys.old, None);
    let read = DeclaredRecord {
        keys: Declared { old, new },
        ..DECLARED
    };
    assert_eq!(decode_at(&plain), Ok(read));
    let of_the_second = DeclaredRecord::decode(&place(DeclaredRecord::KIND), 2, &plain);
    assert_eq!(of_the_second, Err(Malformed::Bytes));
}

#[test]
fn of_a_rotation_of_the_first_schema_it_is_not_known_who_did_what() {
    let hex = "09fc7011010001030400010101010101010101010101010101010101010101010101010101010101\
               01010102020202020202020202020202020202020202020202020202020202020202020001feffff\
               ffffffffffffffffffffffffffff010200fd00e897b69a01000001fd01e897b69a01000004";
    let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
    let read = Header {
        acts: Acts::default(),
        ..header()
    };
    assert_eq!(decode_at(&bytes), Ok(recorded(read)));
}
