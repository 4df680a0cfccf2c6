//! A rotation's header and its steps. Key name and id are told by the place.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::journal::codec::acts::ActV1;
use crate::journal::codec::{Malformed, Plain, Record, TooLarge, decode, encode, frozen, list};
use crate::journal::kind::{Kind, Shape};
use crate::journal::place::{Number, Of, Place};
use crate::key::definition::OnKeyChangedCallbackErrorStrategy as Strategy;
use crate::key::flow::SecretKeyUseCase;
use crate::key::name::{CallbackName, WorkerName};
use crate::key::state::Effect;
use crate::key::versions::id::VersionId;
use crate::repo::space::Space;
use crate::rotation::act::{Act, Acts};
use crate::rotation::plan::{
    BetweenVersions, Declared, Fingerprint, Header, Step, StepKind, VersionPhase,
};
use crate::rotation::state::RotationState;
use crate::rotation::status::CallbackStatus;
use crate::secret::visible::Visible;

frozen!(UseCaseV1 of SecretKeyUseCase { OneWayTrip, RoundTrip });
frozen!(StrategyV1 of Strategy { RaiseImmediately, SkipAndRaise, Skip, Halt });
frozen!(StateV1 of RotationState {
    Waiting, Running, Completed, CompletedWithFailures, Stopped, Aborted, Obsolete
});
frozen!(StatusV1 of CallbackStatus { Pending, InProgress, Failed, Succeeded });
frozen!(StepKindV1 of StepKind { Callback, Memory, Switch });
frozen!(PhaseV1 of VersionPhase { Accepted, Turned, AllWrite });
frozen!(EffectV1 of Effect { Nothing, Decrypted, Reencrypted });

#[derive(Serialize, Deserialize)]
struct HeaderV1 {
    seq: u64,
    place: u64,
    use_case: UseCaseV1,
    strategy: StrategyV1,
    state: StateV1,
    declared_old: Option<[Fingerprint; 2]>,
    declared_new: Option<[Fingerprint; 2]>,
    old_keys: Option<u128>,
    new_keys: Option<u128>,
    begun: bool,
    resumes: u32,
    overtaken: bool,
    accepted_ms: u64,
    ended_ms: Option<u64>,
    steps: u32,
}

/// A header since it is kept who did what: the first schema, and the acts.
#[derive(Serialize, Deserialize)]
struct HeaderV2<'a> {
    header: HeaderV1,
    #[serde(borrow, deserialize_with = "list")]
    acts: Vec<ActV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct StepV1<'a> {
    worker: &'a str,
    callback: &'a str,
    status: StatusV1,
    attempt: u32,
    crashes: u32,
    started_ms: Option<u64>,
    ended_ms: Option<u64>,
    #[serde(borrow)]
    error: Option<&'a str>,
    effect: EffectV1,
    removed: bool,
}

/// A step since there are callbacks of memory: the first schema, and the step's kind.
#[derive(Serialize, Deserialize)]
struct StepV2<'a> {
    #[serde(borrow)]
    step: StepV1<'a>,
    kind: StepKindV1,
}

/// A header since keys may have versions: the second schema, and between which versions the rotation leads.
#[derive(Serialize, Deserialize)]
struct HeaderV3<'a> {
    #[serde(borrow)]
    header: HeaderV2<'a>,
    versions: Option<VersionsV1>,
}

#[derive(Serialize, Deserialize)]
struct VersionsV1 {
    new: [u8; 16],
    old: Option<[u8; 16]>,
    phase: PhaseV1,
}

/// A header and how many steps the plan has: a record that is missing is noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct HeaderRecord {
    pub(in super::super) header: Header,
    pub(in super::super) steps: u32,
}

/// The header of a rotation that has ended.
pub(in super::super) const ENDED_HEADER: Kind = HeaderRecord::KIND.ended("ended header");
/// A step of a rotation that has ended.
pub(in super::super) const ENDED_STEP: Kind = Step::KIND.ended("ended step");

impl Record for HeaderRecord {
    const KIND: Kind = Kind::new(
        Space::Rotations,
        "header",
        "header",
        3,
        (Shape::Rotation, 1),
    );

    fn encode(&self) -> Result<Plain, TooLarge> {
        let header = &self.header;
        let acts = header.acts.all().iter().map(ActV1::from).collect();
        let first = HeaderV1 {
            seq: header.seq,
            place: header.place,
            use_case: header.use_case.into(),
            strategy: header.strategy.into(),
            state: header.state.into(),
            declared_old: header.declared.old,
            declared_new: header.declared.new,
            old_keys: header.old_keys,
            new_keys: header.new_keys,
            begun: header.begun,
            resumes: header.resumes,
            overtaken: header.overtaken,
            accepted_ms: header.accepted_ms,
            ended_ms: header.ended_ms,
            steps: self.steps,
        };
        let versions = header.versions.map(|of| VersionsV1 {
            new: *of.new.as_bytes(),
            old: of.old.map(|old| *old.as_bytes()),
            phase: of.phase.into(),
        });
        let header = first;
        let header = HeaderV2 { header, acts };
        encode(&HeaderV3 { header, versions })
    }

    fn decode(place: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let HeaderV3 { header, versions } = match schema {
            1 => {
                let (header, acts) = (decode(plain)?, Vec::new());
                let (header, versions) = (HeaderV2 { header, acts }, None);
                HeaderV3 { header, versions }
            }
            2 => {
                let (header, versions) = (decode(plain)?, None);
                HeaderV3 { header, versions }
            }
            3 => decode(plain)?,
            other => return Err(Malformed::Schema(other)),
        };
        let HeaderV2 {
            header: frozen,
            acts,
        } = header;
        let acts = acts.into_iter().map(Act::try_from);
        let id_of = |bytes| VersionId::new(Uuid::from_bytes(bytes));
        let Of::Rotation(id, key, _) = &place.of else {
            return Err(Malformed::Bytes);
        };
        let header = Header {
            id: *id,
            key: key.clone(),
            seq: frozen.seq,
            place: frozen.place,
            use_case: frozen.use_case.into(),
            strategy: frozen.strategy.into(),
            state: frozen.state.into(),
            declared: Declared {
                old: frozen.declared_old,
                new: frozen.declared_new,
            },
            old_keys: frozen.old_keys,
            new_keys: frozen.new_keys,
            begun: frozen.begun,
            resumes: frozen.resumes,
            overtaken: frozen.overtaken,
            accepted_ms: frozen.accepted_ms,
            ended_ms: frozen.ended_ms,
            acts: Acts::new(acts.collect::<Result<Vec<_>, _>>()?),
            versions: versions.map(|of| BetweenVersions {
                new: id_of(of.new),
                old: of.old.map(id_of),
                phase: of.phase.into(),
            }),
        };
        let steps = frozen.steps;
        Ok(Self { header, steps })
    }
}

impl Record for Step {
    const KIND: Kind = Kind::new(Space::Rotations, "step", "step", 2, (Shape::Step, 2));

    fn encode(&self) -> Result<Plain, TooLarge> {
        let step = StepV1 {
            worker: self.worker.as_str(),
            callback: self.callback.as_str(),
            status: self.status.into(),
            attempt: self.attempt,
            crashes: self.crashes,
            started_ms: self.started_ms,
            ended_ms: self.ended_ms,
            error: self.error.as_deref(),
            effect: self.effect.into(),
            removed: self.removed,
        };
        let kind = self.kind.into();
        encode(&StepV2 { step, kind })
    }

    fn decode(place: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed> {
        let StepV2 { step: frozen, kind } = match schema {
            1 => {
                let (step, kind) = (decode(plain)?, StepKindV1::Callback);
                StepV2 { step, kind }
            }
            2 => decode(plain)?,
            other => return Err(Malformed::Schema(other)),
        };
        let Of::Rotation(_, _, Number::Step(no)) = &place.of else {
            return Err(Malformed::Bytes);
        };
        Ok(Self {
            no: *no,
            kind: kind.into(),
            worker: WorkerName::new(frozen.worker).map_err(|_| Malformed::Name)?,
            callback: CallbackName::new(frozen.callback).map_err(|_| Malformed::Name)?,
            status: frozen.status.into(),
            attempt: frozen.attempt,
            crashes: frozen.crashes,
            started_ms: frozen.started_ms,
            ended_ms: frozen.ended_ms,
            // Earlier versions wrote it as foreign code had said it.
            error: frozen.error.map(|text| Visible(text).to_string()),
            effect: frozen.effect.into(),
            removed: frozen.removed,
        })
    }
}
