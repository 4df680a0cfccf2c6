//! Any bytes as records and as places, for tests and fuzz targets, with the feature `testing` only.

use uuid::Uuid;

use crate::journal::kind::{Kind, Shape};
use crate::journal::place::{Number, Of, OfVersions, Place, layout};
use crate::journal::records::{self, RECORDS};
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::versions::id::VersionId;
use crate::repo::space::Space;
use crate::rotation::id::RotationId;

/// How many kinds of records there are.
pub const KINDS: usize = RECORDS.len();

/// The number of a kind's schema that this version writes.
pub fn schema(kind: usize) -> Option<u8> {
    RECORDS.get(kind).map(|(kind, _)| kind.schema)
}

/// Reads bytes as a record of a kind, by its place in the list, and writes that as this version does; none where
/// they are refused, or where the record is too large for that.
pub fn written_again(kind: usize, schema: u8, plain: &[u8]) -> Option<Vec<u8>> {
    let (kind, codec) = RECORDS.get(kind)?;
    let written = (codec.again)(&place(*kind)?, schema, plain).ok()??;
    Some(written.to_vec())
}

/// The bytes of the place that these are; none if they are none.
pub fn place_again(space: Space, bytes: &[u8]) -> Option<Vec<u8>> {
    records::parse(space, bytes).map(|place| place.bytes())
}

/// The bytes of the place in the order of the history that these are; none if they are none.
pub fn order_again(bytes: &[u8]) -> Option<Vec<u8>> {
    let (sequence, id, key) = layout::parse_order(bytes)?;
    Some(layout::order_bytes(sequence, id, &key))
}

/// The rotation and the key that a place in a space of rotations tells, whichever version made it.
pub fn rotation_at(space: Space, bytes: &[u8]) -> Option<(RotationId, KeyName)> {
    layout::rotation_at(space, bytes)
}

/// A place of this kind.
fn place(kind: Kind) -> Option<Place> {
    let id = RotationId::new(Uuid::from_u128(7));
    let version = VersionId::new(Uuid::from_u128(9));
    let (key, worker) = (KeyName::new("k").ok()?, WorkerName::new("w").ok()?);
    let of = match kind.shape {
        Shape::One => Of::Database,
        Shape::Key => Of::Key(key),
        Shape::Worker => Of::Worker(worker),
        Shape::Callback => Of::Callback(worker, key, CallbackName::new("c").ok()?),
        Shape::Instance => Of::Instance(worker, 7),
        Shape::Rotation => Of::Rotation(id, key, Number::None),
        Shape::Step => Of::Rotation(id, key, Number::Step(6)),
        Shape::Keys => Of::Rotation(id, key, Number::Keys(8)),
        Shape::Versions => Of::Versions(key, OfVersions::Current),
        Shape::Version => Of::Versions(key, OfVersions::Version(version)),
        Shape::Debt => Of::Versions(key, OfVersions::Debt(version, worker)),
    };
    Some(Place { kind, of })
}
