//! The types that cannot hold a key, with the reason, and those that show nothing at all.

use std::fmt::Debug;
use std::marker::PhantomData;

use keyward::guard;
use keyward::journal::{group, tidy};
use keyward::key::{
    attempt, declared, definition, event as key_event, flow, journal_down, name, state, time,
    waiting,
};
use keyward::management::testing;
use keyward::repo::{conformance, error as repo_error, folder, space};
use keyward::rotation::{
    act, durable, effect, engine, event, half, id, instance, listing, machine as rotation_machine,
    outbox, plan, report, retention, roster, rotations, shared, state as rotation_state, status,
    steps,
};
use keyward::worker::{call, caller, handle, join, lanes, link, process_lanes, ready};
use keyward::{
    ActorName, ActorState, ActorStatus, KeyAnswer, KeyStatus, RosterCallback, WorkerStatus,
};

use crate::types::{Shown, path};

/// Whether a type has `Debug`: where it has, the inherent constant hides the trait's.
struct Probe<T>(PhantomData<T>);

trait Silent {
    const HAS_DEBUG: bool = false;
}

impl<T> Silent for Probe<T> {}

impl<T: Debug> Probe<T> {
    const HAS_DEBUG: bool = true;
}

macro_rules! silent {
    ($shown:ident: $($of:ty),* $(,)?) => {
        $($shown.silent::<$of>(Probe::<$of>::HAS_DEBUG);)*
    };
}

macro_rules! without {
    ($shown:ident, $reason:literal: $($of:ty),* $(,)?) => {
        assert!(!$reason.is_empty());
        $($shown.without.insert(path(std::any::type_name::<$of>()));)*
    };
}

pub(super) fn all(shown: &mut Shown) {
    const { assert!(Probe::<KeyAnswer>::HAS_DEBUG, "the probe sees Debug") };
    silent!(shown:
        attempt::After,
        attempt::Attempt,
        conformance::Check,
        guard::foreign::Foreign<()>,
        guard::plugins::Plugins,
        guard::runtime::RuntimeThread,
        guard::fork::kept_descriptor::Opening,
        guard::foreign_call::Ended<()>,
        guard::foreign_call::Returned,
        guard::thread_pool::Slot,
        guard::thread_pool::ThreadPool,
        handle::Staging,
        keyward::repo::rocks_reader::RocksDbReader,
        call::Call,
        link::WorkerEvent,
        link::WorkerRequest,
        lanes::Lane,
        ready::DueCallback,
        ready::Readiness,
        ready::Ready,
        caller::Caller,
        keyward::wire::counted::CountedCodec<(), ()>,
        keyward::wire::counted::CountedDecoder<()>,
        keyward::secret::visible::Visible<()>,
        keyward::journal::history::HistoryReading,
    );
    without!(shown, "one of a few words":
        testing::Plugin,
        ActorState,
        declared::StoreAnswers,
        definition::OnKeyChangedCallbackErrorStrategy,
        event::OldKeys,
        flow::SecretKeyFlow,
        instance::CallbackOf,
        instance::Sharing,
        flow::SecretKeyUseCase,
        guard::events::Events,
        keyward::Right,
        guard::this_thread::Role,
        rotation_state::RotationEvent,
        rotation_state::RotationState,
        space::Space,
        state::Effect,
        status::CallbackStatus,
        status::StatusEvent,
        keyward::key::versions::state::VersionEvent,
        keyward::VersionState,
        plan::VersionPhase,
    );
    without!(shown, "names, ids, numbers, limits and times":
        definition::KeyBehaviour,
        event::Moment,
        event::Lacks,
        event::StepRef,
        folder::FolderOptions,
        guard::fork::Home,
        guard::fork::kept_descriptor::KeptDescriptor,
        keyward::ChangePlan,
        keyward::Client,
        keyward::ClientBuilder,
        keyward::EventLevel,
        keyward::ServeBounds,
        keyward::ServeOptions,
        keyward::Serving,
        keyward::Grant,
        keyward::Grants,
        keyward::PlannedStep,
        keyward::PlannedVersions,
        guard::fork::kept_file::KeptFile,
        guard::plugins::PluginThreads,
        testing::PluginPanics,
        ActorName,
        id::RotationId,
        instance::GivenCall,
        instance::Instance,
        instance::Process,
        rotations::Answered,
        rotations::Missing,
        group::GroupSize,
        half::Before,
        retention::HistoryLimits,
        retention::SteadyClock,
        tidy::Tidied,
        keyward::KeyFacts,
        name::CallbackName,
        name::KeyName,
        name::WorkerName,
        join::Join,
        keyward::CaughtUp,
        keyward::journal::unreadable::Unreadable,
        repo_error::Holder,
        report::WaitsFor,
        roster::Member,
        roster::MemberCallback,
        roster::Roster,
        rotation_machine::RotationConfig,
        rotations::Active,
        process_lanes::CallLane,
        lanes::Turn,
        time::Time,
        waiting::For,
        KeyStatus,
        keyward::wire::listing::ListingParts,
        keyward::AnsweredVersion,
        keyward::Debt,
        keyward::OpenDebt,
        keyward::VersionId,
        keyward::VersionRules,
        keyward::worker::call_versions::CallVersions,
        event::DeclaredVersion,
        keyward::rotation::rotations::Drain,
        plan::BetweenVersions,
        keyward::InstanceStatus,
        RosterCallback,
        WorkerStatus,
    );
    without!(shown, "fingerprints under a key of the database, and random ids of sealed records":
        declared::Comparison,
        event::Declaration,
        event::EndedRotation,
        plan::Declared,
        plan::Header,
        keyward::key::versions::table::NewVersion,
        keyward::key::versions::table::NoNewVersion,
        keyward::key::versions::table::VersionTable,
        keyward::key::versions::version::Prints,
        keyward::key::versions::version::Version,
        keyward::key::versions::fact::VersionFact,
        keyward::key::versions::table::FirstVersion,
    );
    without!(shown, "numbers and times, and what a person said of a version":
        keyward::Arrow,
        keyward::Cause,
        keyward::Compromised,
        keyward::VersionListing,
    );
    without!(shown, "no keys, and texts that were scrubbed before they came there":
        guard::event_watch::SeenEvent,
        keyward::Reloaded,
        effect::Reply,
        engine::Action,
        engine::Reread,
        engine::RotationEngine,
        event::Recovery,
        instance::InstanceEvent,
        key_event::WriteFailure,
        journal_down::JournalDown,
        ActorStatus,
        effect::RotationEffect,
        event::Event,
        event::StepOutcome,
        key_event::FetchFailure,
        outbox::Outbox,
        plan::Step,
        act::About,
        act::Act,
        act::Acts,
        act::By,
        act::Deed,
        plan::StepKind,
        keyward::CandidatesError<String>,
        keyward::EventStream,
        keyward::KeeperEvent,
        keyward::ReloadReport,
        durable::DurableFacts,
        report::UnreadableRotation,
        rotation_machine::RotationMachine,
        rotations::KeyQueue,
        rotations::Live,
        rotations::Rotations,
        listing::RotationView,
        shared::SharedList<()>,
        steps::Steps,
    );
}
