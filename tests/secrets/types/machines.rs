//! Values of the machines, the journal, the repos, the stores and of secrets themselves.

use std::sync::Arc;
use std::time::Duration;

use keyward::crypto::fingerprint::Fingerprinter;
use keyward::journal::database::Database;
use keyward::journal::fact::{Attached, JournalFact};
use keyward::journal::group::JournalWrite;
use keyward::journal::secrets::RotationSecrets;
use keyward::key::definition::KeyBehaviour;
use keyward::key::effect::{Answer, KeyEffect};
use keyward::key::event::{Admitted, Event, FetchedKeys, Request, Supersede};
use keyward::key::machine::KeyMachine;
use keyward::key::name::KeyName;
use keyward::key::state::{
    Held, KeyState, Loaded, RecordChange, Snapshot, Staged, StateChange, StateRecord,
};
use keyward::key::time::Time;
use keyward::key::versions::held::{HeldVersions, VersionValue, VersionValues};
use keyward::key::versions::id::VersionId;
use keyward::key::versions::table::{NewVersion, VersionTable};
use keyward::key::versions::version::{Cause, Prints};
use keyward::key::waiting::{For, Waiter, Waiting};
use keyward::repo::batch::Batch;
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::repo::space::Space;
use keyward::rotation::effect::Fact;
use keyward::rotation::id::RotationId;
use keyward::secret::scrub::Scrubber;
use keyward::secret::text::ForeignText;
use keyward::store::keys_store::{self, Fetching, StoreRequest};
use keyward::{
    AeadCryptoTool, CommandLine, CommandStore, Effect, EnvStore, FileStore, MemoryRepo,
    SecretKeyDefinition, SecretKeyFlow, SecretKeyUseCase, SecretKeyValue, SecretKeys, StateRepo,
    Uuid,
};

use crate::canary::{self, MASTER, OLD_BACK, PRINTED, SET, TOLD};
use crate::types::Shown;

pub(super) fn all(shown: &mut Shown) {
    secrets(shown);
    states(shown);
    machine(shown);
    journal(shown);
    repos(shown);
    stores(shown);
}

fn secrets(shown: &mut Shown) {
    let value = SecretKeyValue::from(TOLD);
    shown.value(&Scrubber::new([value.clone()]));
    shown.value(&ForeignText::from(TOLD).quoting(Scrubber::new([value.clone()])));
    shown.value(&value);
    shown.value(&canary::old());
    shown.value(&SecretKeys::from(canary::old()));
    shown.value(&SecretKeys::from(TOLD));
    let master = SecretKeyValue::from(MASTER);
    let tool = AeadCryptoTool::derive(&master, b"salt");
    shown.value(&tool.expect("a good key"));
    let (tool, key) = Fingerprinter::random().expect("random bytes");
    shown.value(&tool);
    shown.value(&key);
}

fn record() -> StateRecord {
    StateRecord {
        flow: SecretKeyFlow::ForwardPath,
        key: Some(OLD_BACK.into()),
    }
}

fn change() -> StateChange {
    StateChange {
        staged: vec![
            Staged::PreviousKeys(canary::old()),
            Staged::Save {
                asked: Some(SET.into()),
            },
        ],
        effect: Effect::Reencrypted,
        new_keys: Some(canary::new()),
        overtaken: false,
        resumed: None,
    }
}

fn snapshot() -> Snapshot {
    Snapshot::Known {
        flow: Some(SecretKeyFlow::ForwardPath),
        previous: Some(canary::old()),
    }
}

fn ask(request: Request) -> Admitted {
    Admitted {
        ticket: 1,
        request,
        deadline: Time::at(Duration::from_secs(60)),
    }
}

fn versions(shown: &mut Shown) {
    let id = VersionId::from_random([4; 16]);
    let prints = Prints::of([[1; 32], [2; 32]]);
    let facts = VersionTable::begin((NewVersion { id, prints }, Cause::Adopted), None, [], 1);
    let whole = VersionValue::Whole(canary::old());
    let values = VersionValues::from([(id, whole.clone())]);
    shown.value(&whole);
    shown.value(&VersionValue::Back(OLD_BACK.into()));
    let table = VersionTable::of_facts(facts).expect("a table");
    shown.value(&HeldVersions { table, values });
}

fn states(shown: &mut Shown) {
    versions(shown);
    shown.value(&record());
    shown.value(&RecordChange::Put(record()));
    shown.value(&Loaded::Record(record()));
    shown.value(&Held::fresh(canary::old()));
    let mut state = KeyState::default();
    state.load(&record());
    shown.value(&state);
    shown.value(&snapshot());
    for staged in change().staged {
        shown.value(&staged);
    }
    shown.value(&change());
    for answer in [
        Answer::Key {
            value: TOLD.into(),
            flow: SecretKeyFlow::BackPath,
        },
        Answer::Version {
            value: TOLD.into(),
            flow: SecretKeyFlow::BackPath,
            id: VersionId::from_random([4; 16]),
            number: 1,
        },
        Answer::Staged {
            asked: Some(SET.into()),
        },
    ] {
        shown.value(&answer);
        let answer = Ok(answer);
        shown.value(&KeyEffect::Answer { ticket: 1, answer });
    }
    shown.value(&KeyEffect::Write {
        ticket: Some(1),
        change: RecordChange::Put(record()),
    });
    shown.value(&KeyEffect::Snapped {
        ticket: 1,
        snapshot: snapshot(),
    });
    shown.value(&KeyEffect::Proposed {
        ticket: 1,
        applies: true,
        record: Some(RecordChange::Put(record())),
    });
    shown.value(&Supersede::Only(Some(canary::old())));
    let staged = change().staged;
    let waiter = Waiter {
        ask: ask(Request::StageSave { staged }),
        loaded: Some(Loaded::Record(record())),
        fetched: Some(Ok(FetchedKeys {
            keys: canary::old().into(),
            prints: [[0; 32]; 2],
        })),
        waits: For::NextFetch,
    };
    shown.value(&waiter.ask);
    shown.value(&waiter.ask.request);
    shown.value(&waiter);
    let mut waiting = Waiting::default();
    waiting.add(waiter);
    shown.value(&waiting);
}

/// A machine that holds keys, to which everything happens that can bring keys.
fn machine(shown: &mut Shown) {
    let behaviour = KeyBehaviour {
        use_case: SecretKeyUseCase::RoundTrip,
        stateless: false,
        keep_in_cache: true,
        error_strategy: Default::default(),
        store_time_limit: Duration::from_secs(10),
        request_time_limit: Duration::from_secs(15),
        callback_time_limit: Duration::from_secs(30),
        workers_at_once: 1,
        max_requests: 8,
        max_waiting_rotations: 8,
        versions: None,
    };
    let name = KeyName::new("documents").expect("a name");
    let mut machine = KeyMachine::new(name, behaviour);
    let fetched = FetchedKeys {
        keys: canary::old().into(),
        prints: [[1; 32], [2; 32]],
    };
    shown.value(&fetched);
    let forward = Some(SecretKeyFlow::ForwardPath);
    let looks = |ticket| Event::Looked {
        ticket,
        found: Loaded::Record(record()),
    };
    for event in [
        Event::Asked(ask(Request::Get { flow: forward })),
        Event::Fetched {
            fetch: 1,
            answer: Ok(fetched),
            still_running: false,
        },
        Event::Supersede(Supersede::Only(Some(canary::old()))),
        Event::Loaded {
            ticket: 3,
            found: Loaded::Record(record()),
        },
        Event::Saved {
            ticket: None,
            change: RecordChange::Put(record()),
            result: Ok(()),
        },
        Event::Propose {
            ticket: 4,
            change: change(),
        },
        looks(4),
        Event::Propose {
            ticket: 5,
            change: change(),
        },
    ] {
        shown.value(&event);
        for effect in machine.step(event, Time::default()) {
            shown.value(&effect);
        }
    }
    assert!(machine.facts().holds, "the machine holds keys");
    let proposals = "key::proposal::Proposals";
    shown.with_part(&machine, proposals, "Proposals { out: Some(Proposal");
}

fn journal(shown: &mut Shown) {
    let key = KeyName::new("documents").expect("a name");
    for attached in [
        Attached::Keys {
            old: Some(canary::old()),
            new: Some(canary::new()),
        },
        Attached::Snapshot(snapshot()),
        Attached::Record {
            key: key.clone(),
            change: Some(RecordChange::Put(record())),
        },
    ] {
        shown.value(&attached);
        let fact = Fact::Keys(RotationId::new(Uuid::from_u128(7)));
        let fact = JournalFact::new(fact, attached);
        shown.value(&fact);
        shown.value(&JournalWrite::Facts(vec![fact]));
    }
    let save = RecordChange::Put(record());
    shown.value(&JournalWrite::State(key.clone(), save));
    shown.value(&RotationSecrets {
        old: Some(canary::old()),
        new: Some(canary::new()),
        snapshot: Some(snapshot()),
    });
    let database = Database::open(Arc::new(MemoryRepo::new())).expect("it is new");
    shown.value(&database);
    let master = SecretKeyValue::from(MASTER);
    let tool = AeadCryptoTool::derive(&master, &database.id()).expect("a good key");
    let mut journal = database.unlock(Arc::new(tool)).expect("it is new");
    let saved = journal.save_state(&key, &RecordChange::Put(record()));
    saved.expect("it is saved");
    shown.value(&journal.load_state(&key));
    shown.value(&journal.fingerprints());
    shown.value(&journal);
}

fn repos(shown: &mut Shown) {
    let batch = Batch::new()
        .expect(Space::Meta, "fence", None)
        .put(Space::States, "documents", TOLD)
        .delete(Space::Keys, "old");
    for operation in batch.operations() {
        shown.value(operation);
    }
    shown.value(batch.precondition().expect("it has one"));
    shown.value(&batch);
    let repo = MemoryRepo::new();
    repo.apply(&batch).expect("it is open");
    shown.value(&repo);
    let folder = tempfile::tempdir().expect("a folder");
    let options = FolderOptions::new(folder.path().join("data"));
    let repo = RocksDbRepo::open(&options).expect("a new folder");
    shown.value(&repo);
    repo.close().expect("it is open");
    shown.value(&keyward::Verified::default());
}

fn stores(shown: &mut Shown) {
    // No key belongs into arguments and variables; they are not shown all the same.
    let command = CommandStore::new("vault").arg(PRINTED).env("KEY", PRINTED);
    shown.value(&command);
    let command = CommandLine::new("vault").args([PRINTED]);
    shown.value(&command.env("KEY", PRINTED));
    shown.value(&EnvStore::pair("FORWARD", "BACK"));
    shown.value(&FileStore::pair("/keys/forward", "/keys/back"));
    shown.value(&StoreRequest::new("documents"));
    shown.value(&keys_store::Fetched::from(TOLD));
    shown.value(&keys_store::Swap::new(canary::old(), TOLD, "id"));
    shown.value(&Fetching::blocking(|| Ok(TOLD.into())));
    shown.value(&Fetching::future(async { Ok(TOLD.into()) }));
    let captured = SecretKeyValue::from(TOLD);
    let definition = SecretKeyDefinition::one_way("token", move || captured.clone());
    shown.value(&definition);
}
