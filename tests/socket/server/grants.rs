//! Who may what, with real users.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use keyward::wire::generated::{
    BackupRequest, CandidatesRequest, DeclareRequest, EventsRequest, Flow, LookRequest,
    RecoverKeysRequest, ReloadRequest, RemoveRequest, RestartRequest, ResumeRequest,
    RotationsRequest, SaveStateRequest, SaveStatesRequest, StatusRequest, WaitRequest,
};
use keyward::wire::listing::ListingParts;
use keyward::{Change, Grants, Right, SecretKeyDefinition};

use crate::ground::{Client, Ground, OTHER, code, connect_as, grant, is_root};
use crate::support::log::Log;
use crate::support::{define, in_memory};

const ALL: [Right; 6] = [
    Right::Forward,
    Right::Back,
    Right::Work,
    Right::Declare,
    Right::Operate,
    Right::Recover,
];

fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn named(key: &str) -> String {
    key.to_owned()
}

/// What each call about a key is answered to this client: its name, and its code, empty where it is done.
async fn asked(client: &mut Client, key: &str) -> Vec<(&'static str, String)> {
    fn said<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> String {
        answer.map_or_else(|status| code::<T>(Err(status)), |_| String::new())
    }
    let keys = &mut client.keys;
    let look = said(keys.look(LookRequest { key: named(key) }).await);
    let candidates = keys.candidates(CandidatesRequest { key: named(key) });
    let candidates = said(candidates.await);
    let save = said(keys.save_state(SaveStateRequest { key: named(key) }).await);
    let declare = DeclareRequest {
        key: named(key),
        ..DeclareRequest::default()
    };
    let declare = said(keys.declare(declare).await);
    vec![
        ("forward", said(client.get(key).await)),
        ("back", said(client.get_on(key, Flow::BackPath).await)),
        ("none", said(client.get_on(key, Flow::Unspecified).await)),
        ("look", look),
        ("candidates", candidates),
        ("save", save),
        ("declare", declare),
    ]
}

fn done(asked: &[(&'static str, String)]) -> Vec<&'static str> {
    let done = asked.iter().filter(|(_, code)| code != "permission_denied");
    done.map(|(name, _)| *name).collect()
}

#[tokio::test]
async fn without_a_table_the_keepers_own_user_may_everything_and_nobody_else_may_connect() {
    let ground = Ground::new().await;
    let mode = ground.path().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(ground.path().metadata().unwrap().uid(), own());
    let mut client = ground.client().await;
    assert_eq!(done(&asked(&mut client, "documents").await).len(), 7);
    client.operate.status(StatusRequest {}).await.unwrap();
    if is_root() {
        let path = ground.path();
        let refused = std::panic::catch_unwind(|| connect_as(&path, OTHER, &[]));
        assert!(refused.is_err(), "the file's mode keeps others out");
    }
}

#[tokio::test]
async fn each_right_gives_its_calls_and_no_other() {
    for (right, calls) in [
        (Right::Forward, &["forward", "save"][..]),
        (Right::Back, &["back", "candidates"]),
        (Right::Work, &[]),
        (Right::Declare, &["declare"]),
        (Right::Operate, &[]),
        (Right::Recover, &[]),
    ] {
        let grants = Grants::table([grant(own(), [right], &["documents"], &[])]);
        let ground = Ground::with(|options| options.grants(grants)).await;
        let mut client = ground.client().await;
        let asked_of = asked(&mut client, "documents").await;
        assert_eq!(done(&asked_of), calls, "{right}");
        assert_eq!(done(&asked(&mut client, "token").await), [""; 0], "{right}");
    }
    let grants = grant(own(), [Right::Forward, Right::Back], &["documents"], &[]);
    let ground = Ground::with(|options| options.grants(Grants::table([grants]))).await;
    let mut client = ground.client().await;
    let asked_of = asked(&mut client, "documents").await;
    let all = ["forward", "back", "none", "look", "candidates", "save"];
    assert_eq!(done(&asked_of), all);
}

#[tokio::test]
async fn a_refusal_is_the_same_whether_or_not_the_key_exists() {
    let grants = Grants::table([grant(own(), ALL, &["mine-*"], &["*"])]);
    let ground = Ground::with(|options| options.grants(grants)).await;
    let mut client = ground.client().await;
    let mut texts = Vec::new();
    for key in ["documents", "no such key", "", "a\nb"] {
        let refused = client.get(key).await.unwrap_err();
        texts.push(refused.message().to_owned());
        assert_eq!(code::<()>(Err(refused)), "permission_denied", "{key:?}");
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(code(client.get("mine-1").await), "key_not_defined");
    // The same of rotations.
    let id = ground.keys.declare(Change::of("documents")).await.unwrap();
    let unknown = "018f3a5e-1111-7222-8333-123456789abc".to_owned();
    for id in [id.to_string(), unknown] {
        let waited = client.keys.wait(WaitRequest { id: id.clone() }).await;
        assert_eq!(code(waited), "permission_denied");
        let request = ResumeRequest {
            id: id.clone(),
            reason: String::new(),
        };
        assert_eq!(
            code(client.operate.resume(request).await),
            "permission_denied"
        );
        let recovered = client.operate.recover_keys(RecoverKeysRequest { id });
        assert_eq!(code(recovered.await), "permission_denied");
    }
}

#[tokio::test]
async fn what_touches_several_keys_needs_operate_on_all_of_them() {
    for (keys, may) in [(&["documents", "token", "d*"][..], false), (&["*"], true)] {
        let grants = Grants::table([grant(own(), [Right::Operate], keys, &["*"])]);
        let ground = Ground::with(|options| options.grants(grants)).await;
        let Client { mut operate, .. } = ground.client().await;
        let remove = RemoveRequest {
            worker: "anna".to_owned(),
            ..RemoveRequest::default()
        };
        let restart = RestartRequest {
            actor: Some((&keyward::ActorName::Coordinator).into()),
        };
        for code in [
            code(operate.remove(remove).await),
            code(operate.restart(restart).await),
            code(operate.reload(ReloadRequest {}).await),
            code(operate.backup(BackupRequest {}).await),
        ] {
            assert_eq!(code != "permission_denied", may, "{code}");
        }
    }
}

#[tokio::test]
async fn listings_show_what_the_grants_name() {
    let keys = in_memory().await;
    for key in ["documents", "letters"] {
        define(&keys, SecretKeyDefinition::round_trip(key, || "value_1")).await;
        keys.register_on_change(key, key, |_: keyward::KeyChange| Err::<(), _>("no"))
            .await
            .unwrap();
        let changed = keys.key_changed(Change::of(key)).await.unwrap();
        assert_eq!(changed.state, keyward::RotationState::Stopped);
    }
    let grants = Grants::table([grant(own(), [Right::Operate], &["documents"], &[])]);
    let ground = Ground::serve(keys, |options| options.grants(grants)).await;
    let mut client = ground.client().await;
    let answer = client.operate.status(StatusRequest {}).await.unwrap();
    let (mut parts, mut listing) = (answer.into_inner(), ListingParts::default());
    while let Some(part) = parts.message().await.unwrap() {
        listing.take(part).unwrap();
    }
    let status = listing.into_status().unwrap();
    assert_eq!(status.keys.len(), 1);
    assert_eq!(status.rotations.len(), 1);
    assert_eq!(status.rotations[0].key.as_str(), "documents");
    let callbacks = &status.workers[0].callbacks;
    assert_eq!(callbacks.len(), 1);
    assert_eq!(callbacks[0].key.as_str(), "documents");
    let answer = client.operate.rotations(RotationsRequest {}).await.unwrap();
    let (mut parts, mut listing) = (answer.into_inner(), ListingParts::default());
    while let Some(part) = parts.message().await.unwrap() {
        listing.take(part).unwrap();
    }
    assert_eq!(listing.rotations.len(), 1);
}

#[tokio::test]
async fn states_are_saved_of_the_keys_that_the_grants_name() {
    let grants = Grants::table([grant(own(), [Right::Back], &["*"], &[])]);
    let ground = Ground::with(|options| options.grants(grants)).await;
    let mut client = ground.client().await;
    let saved = client.keys.save_states(SaveStatesRequest {}).await;
    assert_eq!(code(saved), "permission_denied");
}

#[tokio::test]
async fn another_user_is_known_by_the_kernels_word_and_is_let_in_as_the_grants_say() {
    if !is_root() {
        return;
    }
    let grants = Grants::table([grant(OTHER, [Right::Forward], &["documents"], &[])]);
    let ground = Ground::with(|options| options.grants(grants)).await;
    let mode = ground.path().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    let mut other = Client::over(ground.connect_as(OTHER)).await;
    assert_eq!(other.get("documents").await.unwrap(), b"value_1");
    assert_eq!(code(other.get("token").await), "permission_denied");
    // Root is a user like others.
    let mut root = ground.client().await;
    assert_eq!(code(root.get("documents").await), "permission_denied");
}

#[tokio::test]
async fn groups_are_granted_too_and_the_overflow_user_is_granted_nothing() {
    if !is_root() {
        return;
    }
    let grants = keyward::Grant::of([Right::Forward])
        .group("100")
        .and_then(|grant| grant.user("65534"))
        .and_then(|grant| grant.key("documents"));
    let grants = Grants::table([grants.unwrap()]);
    let ground = Ground::with(|options| options.grants(grants)).await;
    for (user, groups, may) in [
        (OTHER, &[100][..], true),
        (OTHER, &[101], false),
        (100, &[], true),
        (65_534, &[100], false),
    ] {
        let stream = connect_as(&ground.path(), user, groups);
        let mut client = Client::over(stream).await;
        let got = client.get("documents").await;
        assert_eq!(got.is_ok(), may, "{user} {groups:?}");
    }
}

#[tokio::test]
async fn grants_are_looked_at_for_each_request() {
    let grants = |right| Grants::table([grant(own(), [right], &["documents"], &[])]);
    let first = grants(Right::Forward);
    let ground = Ground::with(|options| options.grants(first)).await;
    let mut client = ground.client().await;
    client.get("documents").await.unwrap();
    ground.serving.set_grants(grants(Right::Back)).unwrap();
    assert_eq!(code(client.get("documents").await), "permission_denied");
    client.get_on("documents", Flow::BackPath).await.unwrap();
    // Others are named now: all may connect.
    let others = Grants::table([grant(OTHER, ALL, &["*"], &["*"])]);
    ground.serving.set_grants(others).unwrap();
    let mode = ground.path().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
}

#[tokio::test]
async fn each_refusal_is_an_event_with_user_process_and_what_was_asked() {
    let log = Log::begin();
    let grants = Grants::table([grant(own(), [Right::Back], &["documents"], &[])]);
    let ground = Ground::with(|options| options.grants(grants)).await;
    let mut client = ground.client().await;
    assert_eq!(code(client.get("documents").await), "permission_denied");
    let (user, process) = (own(), std::process::id());
    let wanted = format!("user={user} process={process} asked=\"get of key documents\"");
    crate::support::until("the refusal is told", async || log.text().contains(&wanted)).await;
}

#[tokio::test]
async fn events_are_told_of_the_keys_that_the_grants_name_and_to_no_others() {
    let grants = Grants::table([grant(own(), [Right::Operate], &["documents"], &[])]);
    let ground = Ground::with(|options| options.grants(grants)).await;
    for key in ["token", "documents"] {
        let fails = |_: keyward::KeyChange| Err::<(), _>("no");
        ground
            .keys
            .register_on_change(key, "fails", fails)
            .await
            .unwrap();
    }
    let mut client = ground.client().await;
    let mut events = client
        .operate
        .events(EventsRequest::default())
        .await
        .unwrap();
    for key in ["token", "documents"] {
        let _stopped = ground.keys.key_changed(Change::of(key)).await.unwrap();
        // Of no key, or of another one.
        assert_eq!(code(client.get("token").await), "permission_denied");
    }
    let mut told = async || crate::support::within(events.get_mut().message()).await;
    let mut stopped = false;
    while !stopped {
        let event = told().await.unwrap().unwrap();
        assert_eq!(
            event.fields.get("key").map(String::as_str),
            Some("documents"),
            "{event:?}"
        );
        stopped = event.fields.contains_key("callback");
    }
    // What is taken back is told no more.
    ground
        .serving
        .set_grants(Grants::table([grant(
            own(),
            [Right::Operate],
            &["token"],
            &[],
        )]))
        .unwrap();
    for key in ["documents", "token"] {
        let _stopped = ground.keys.key_changed(Change::of(key)).await.unwrap();
    }
    let event = told().await.unwrap().unwrap();
    assert_eq!(event.fields["key"], "token");
}

/// Asks for a key over a connection that another process, of another user, has opened and handed over.
#[expect(unsafe_code, reason = "this is what is tested")]
fn asked_in_a_child(stream: std::os::unix::net::UnixStream, user: u32) -> i32 {
    // SAFETY: what the child does needs nothing of its parent's threads.
    match unsafe { libc::fork() } {
        0 => {
            let user = rustix::process::Uid::from_raw(user);
            rustix::thread::set_thread_res_uid(user, user, user).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let got = runtime.unwrap().block_on(async {
                let mut client = Client::over(stream).await;
                client.get("documents").await
            });
            std::process::exit(match got {
                Ok(_) => 10,
                Err(status) if code::<()>(Err(status.clone())) == "permission_denied" => 20,
                Err(_) => 30,
            })
        }
        child => {
            drop(stream);
            let child = rustix::process::Pid::from_raw(child).unwrap();
            let none = rustix::process::WaitOptions::empty();
            let (_, status) = rustix::process::waitpid(Some(child), none)
                .unwrap()
                .unwrap();
            status.exit_status().unwrap_or(-1)
        }
    }
}

#[test]
fn a_connection_that_is_handed_to_another_process_stays_its_openers() {
    if !is_root() {
        return;
    }
    crate::support::alone::alone(
        a_connection_that_is_handed_to_another_process_stays_its_openers,
        || {
            let log = Log::begin();
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let granted = [grant(own(), [Right::Forward], &["documents"], &[])];
            let stranger = grant(OTHER, [Right::Back], &["token"], &[]);
            let grants = Grants::table(granted.into_iter().chain([stranger]));
            let ground = Ground::with(|options| options.grants(grants));
            let ground = runtime.block_on(ground);
            // Its user is granted nothing of this key, and its opener is: it is answered.
            assert_eq!(asked_in_a_child(ground.connect(), OTHER), 10);
            // And the other way round, with the opener's process in the event.
            assert_eq!(asked_in_a_child(ground.connect_as(OTHER), own()), 20);
            let wanted = format!("user={OTHER} process={} asked", std::process::id());
            runtime.block_on(crate::support::until("it is told", async || {
                log.text().contains(&wanted)
            }));
        },
    );
}
