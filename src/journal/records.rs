//! The list of the kinds of records: what lies at a key of the repo, and whether it can be decoded.

#[cfg(feature = "testing")]
use crate::journal::codec::Plain;
use crate::journal::codec::acts::ActsRecord;
use crate::journal::codec::keys::{DeclaredRecord, ENDED_KEYS, ENDED_SNAPSHOT};
use crate::journal::codec::meta::{BatchRecord, CheckRecord, SequenceRecord};
use crate::journal::codec::rotation::{ENDED_HEADER, ENDED_STEP, HeaderRecord};
use crate::journal::codec::versions::CurrentRecord;
use crate::journal::codec::{Malformed, Record};
use crate::journal::kind::Kind;
use crate::journal::place::{Place, layout};
use crate::key::state::{Snapshot, StateRecord};
use crate::key::versions::debt::Debt;
use crate::key::versions::held::VersionValue;
use crate::key::versions::version::Version;
use crate::repo::space::Space;
use crate::rotation::instance::Instance;
use crate::rotation::plan::Step;
use crate::rotation::roster::{Member, MemberCallback};
use crate::secret::value::SecretKeyPair;

/// What can be made of bytes that may be a record of a schema.
type Reads<T> = fn(&Place, u8, &[u8]) -> Result<T, Malformed>;

/// What can be done with a record of a kind.
#[derive(Clone, Copy)]
pub(super) struct Codec {
    /// Decodes it, to see whether that can be done.
    check: Reads<()>,
    /// Decodes it, and encodes it as this version does; none if it is too large then.
    #[cfg(feature = "testing")]
    pub(super) again: Reads<Option<Plain>>,
}

/// Every kind, and what can be done with such a record.
pub(super) const RECORDS: [(Kind, Codec); 21] = [
    entry::<CheckRecord>(CheckRecord::KIND),
    entry::<BatchRecord>(BatchRecord::KIND),
    entry::<SequenceRecord>(SequenceRecord::KIND),
    entry::<ActsRecord>(ActsRecord::KIND),
    entry::<StateRecord>(StateRecord::KIND),
    entry::<DeclaredRecord>(DeclaredRecord::KIND),
    entry::<Member>(Member::KIND),
    entry::<MemberCallback>(MemberCallback::KIND),
    entry::<Instance>(Instance::KIND),
    entry::<HeaderRecord>(HeaderRecord::KIND),
    entry::<Step>(Step::KIND),
    entry::<SecretKeyPair>(SecretKeyPair::KIND),
    entry::<Snapshot>(Snapshot::KIND),
    entry::<HeaderRecord>(ENDED_HEADER),
    entry::<Step>(ENDED_STEP),
    entry::<SecretKeyPair>(ENDED_KEYS),
    entry::<Snapshot>(ENDED_SNAPSHOT),
    entry::<CurrentRecord>(CurrentRecord::KIND),
    entry::<Version>(Version::KIND),
    entry::<VersionValue>(VersionValue::KIND),
    entry::<Debt>(Debt::KIND),
];

const fn entry<R: Record>(kind: Kind) -> (Kind, Codec) {
    let codec = Codec {
        check: |place, schema, plain| R::decode(place, schema, plain).map(drop),
        #[cfg(feature = "testing")]
        again: |place, schema, plain| Ok(R::decode(place, schema, plain)?.encode().ok()),
    };
    (kind, codec)
}

/// What lies at a key of a space; none if this version puts nothing there.
pub(super) fn parse(space: Space, bytes: &[u8]) -> Option<Place> {
    let mut kinds = RECORDS.iter().map(|(kind, _)| *kind);
    kinds.find_map(|kind| {
        let of = (kind.space == space).then(|| layout::parse(kind, bytes));
        of.flatten().map(|of| Place { kind, of })
    })
}

/// Whether the content of the record at a place can be decoded.
pub(super) fn check(place: &Place, schema: u8, plain: &[u8]) -> Result<(), Malformed> {
    let known = RECORDS.iter().find(|(kind, _)| *kind == place.kind);
    known.map_or(Err(Malformed::Bytes), |(_, codec)| {
        (codec.check)(place, schema, plain)
    })
}
