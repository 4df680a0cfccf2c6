//! Keys from commands, and what becomes of their processes.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use keyward::secret::scrub::Scrubber;
use keyward::secret::value::SecretKeyValue;
use keyward::store::command::CommandStore;
use keyward::store::error::StoreError;
use keyward::store::keys_store::{Fetching, KeysStore, StoreRequest};

use crate::stores::{LONG, MIB, error, eventually, runtime, value};

fn sh(script: &str) -> CommandStore {
    CommandStore::new("sh")
        .arg("-c")
        .arg(script)
        .time_limit(LONG)
}

/// What an error says to a reader that knows no keys.
fn said(error: &StoreError) -> String {
    error.described(&Scrubber::default())
}

/// Whether a process runs; one that ended and waits for its parent does not.
fn runs(process: &str) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat"))
        .ok()
        .and_then(|stat| {
            stat.rsplit_once(") ")
                .map(|(_, rest)| rest.starts_with('Z'))
        })
        .is_some_and(|ended| !ended)
}

fn is_in_the_process_table(process: &str) -> bool {
    Path::new("/proc").join(process).exists()
}

/// The process ids that a script wrote into a file, once all of them are there.
fn processes(path: &Path, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    eventually("the script names its processes", || {
        let text = fs::read_to_string(path).unwrap_or_default();
        found = text.lines().map(str::to_owned).collect();
        found.len() == count && text.ends_with('\n')
    });
    found
}

#[test]
fn one_final_line_end_is_not_part_of_the_key() {
    assert_eq!(value(&sh("echo key")), b"key");
    assert_eq!(value(&sh("printf 'key\\r\\n'")), b"key");
    assert_eq!(value(&sh("printf 'key\\n\\n'")), b"key\n");
    assert_eq!(value(&sh("printf 'k\\377\\000y'")), b"k\xff\0y");
    assert_eq!(value(&sh("echo key").exact()), b"key\n");
}

#[test]
fn arguments_pass_through_no_shell() {
    let awkward = "$HOME `id` \"; echo > *";
    let store = CommandStore::new("printf").args(["%s", awkward]);
    assert_eq!(value(&store), awkward.as_bytes());
}

#[test]
fn success_without_output_is_an_invalid_key() {
    assert_eq!(error(&sh("true")).code(), "invalid_key");
    assert_eq!(error(&sh("echo")).code(), "invalid_key");
    assert_eq!(error(&sh("exec >&-; true")).code(), "invalid_key");
}

#[test]
fn a_key_may_have_one_mebibyte_and_no_byte_more() {
    assert_eq!(value(&sh("head -c 1048576 /dev/zero; echo")).len(), MIB);
    let longer = error(&sh("head -c 1048577 /dev/zero"));
    assert_eq!(longer.code(), "invalid_key");
}

#[test]
fn a_command_that_prints_without_end_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("process");
    let script = format!("echo $$ > {}; exec yes canary", path.display());
    let endless = error(&sh(&script));
    assert_eq!(endless.code(), "invalid_key");
    for process in processes(&path, 1) {
        eventually("the process is reaped", || {
            !is_in_the_process_table(&process)
        });
    }
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let error = error(&CommandStore::new("keyward-no-such-program"));
    assert!(matches!(error, StoreError::Start { .. }));
    assert_eq!(error.code(), "store_failed");
    let text = error.to_string();
    assert!(text.contains("keyward-no-such-program"), "{text}");
    let path = format!("looked for in PATH={}", std::env::var("PATH").unwrap());
    assert!(text.contains(&path), "{text}");
}

#[test]
fn a_failed_command_says_how_it_ended_and_what_it_said() {
    let exit = error(&sh("echo the vault is shut >&2; exit 7"));
    assert_eq!(exit.code(), "store_failed");
    let text = said(&exit);
    assert!(text.contains("exit status: 7"), "{text}");
    assert!(text.contains("the vault is shut"), "{text}");
    assert!(!format!("{exit} {exit:?}").contains("vault"), "{exit}");
    let signal = error(&sh("kill -9 $$")).to_string();
    assert!(signal.contains("signal: 9"), "{signal}");
}

#[test]
fn what_a_failed_command_printed_as_key_is_not_in_its_error() {
    let script = "echo first; echo canary-key-0123456789; \
                  echo bad key: canary-key-0123456789, sorry >&2; exit 1";
    let error = error(&sh(script));
    let text = format!("{error} {error:?} {}", said(&error));
    assert!(!text.contains("canary"), "{text}");
    assert!(
        text.contains("withheld: the text contains a key value"),
        "{text}"
    );
}

#[test]
fn a_key_that_only_the_asker_knows_is_found_before_the_text_is_shortened() {
    // The text is cut after 1 KiB, in the middle of the key.
    let key = "canary-key-0123456789-canary-key-0123456789";
    let script = format!("head -c 960 /dev/zero | tr '\\0' . >&2; echo {key} >&2; exit 1");
    let scrubber = Scrubber::new([SecretKeyValue::from(key)]);
    let text = error(&sh(&script)).described(&scrubber);
    assert!(
        text.contains("withheld: the text contains a key value"),
        "{text}"
    );
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn half_a_key_at_the_end_of_what_is_kept_is_not_shown() {
    // 64 KiB end within the last of these keys, and all the others are scrubbed away.
    let script = "key=$(head -c 3000 /dev/zero | tr '\\0' q); echo $key; \
                  for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23; \
                  do printf %s $key >&2; done; exit 1";
    let text = said(&error(&sh(script)));
    assert!(!text.contains("qqq"), "{text}");
}

#[test]
fn an_error_that_cannot_be_looked_through_with_certainty_is_withheld() {
    let script = "seq 1000 2000; echo 1500 >&2; exit 1";
    let text = said(&error(&sh(script)));
    assert!(!text.contains("1500"), "{text}");
    assert!(text.contains("withheld"), "{text}");
}

#[test]
fn a_flood_on_the_standard_error_stops_nothing() {
    assert_eq!(
        value(&sh("head -c 3000000 /dev/zero >&2; echo key")),
        b"key"
    );
    let failed = said(&error(&sh("yes long words | head -c 3000000 >&2; exit 1")));
    assert!(failed.contains("long words"), "{failed}");
    assert!(failed.len() < 2048, "{}", failed.len());
}

#[test]
fn its_environment_is_path_home_and_what_is_named() {
    let names = |store: &CommandStore| -> BTreeSet<String> {
        String::from_utf8(value(store))
            .unwrap()
            .lines()
            .filter_map(|line| line.split_once('=').map(|(name, _)| name.to_owned()))
            .collect()
    };
    let always: BTreeSet<_> = ["PATH", "HOME"]
        .into_iter()
        .filter(|name| std::env::var_os(name).is_some())
        .map(str::to_owned)
        .collect();
    let plain = CommandStore::new("env");
    assert_eq!(names(&plain), always);

    let passed = "CARGO_MANIFEST_DIR";
    assert!(std::env::var_os(passed).is_some());
    let more = plain.env("GIVEN", "1").pass_env(passed);
    let more = more.pass_env("KW_NO_SUCH");
    let expected = always
        .into_iter()
        .chain(["GIVEN".to_owned(), passed.to_owned()]);
    assert_eq!(names(&more), expected.collect());
}

#[test]
fn its_standard_input_is_empty() {
    assert_eq!(value(&sh("cat; echo key")), b"key");
}

#[test]
fn it_inherits_no_descriptor() {
    let file = fs::File::open("/dev/null").unwrap();
    // A duplicate has no close-on-exec.
    let open = rustix::io::dup(&file).unwrap();
    let script = format!(
        "[ -e /proc/$$/fd/{} ] && echo leaked || echo clean",
        open.as_raw_fd()
    );
    let inherited = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(inherited.stdout, b"leaked\n");
    assert_eq!(value(&sh(&script)), b"clean");
}

#[test]
fn a_passed_time_limit_kills_the_whole_group_and_leaves_no_zombie() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("processes");
    let script = format!(
        "sh -c 'sleep 1000; true' & echo $! > {0}; echo $$ >> {0}; trap '' TERM; wait",
        path.display()
    );
    let limit = Duration::from_secs(2);
    let error = error(&sh(&script).time_limit(limit));
    assert!(matches!(error, StoreError::TimedOut { .. }), "{error}");
    assert_eq!(error.code(), "store_failed");
    let processes = processes(&path, 2);
    eventually("both are killed", || !processes.iter().any(|id| runs(id)));
    eventually("the leader is reaped", || {
        !is_in_the_process_table(&processes[1])
    });
}

#[test]
fn a_command_that_hangs_says_what_it_had_written_until_then() {
    let script = "echo canary-key-0123456789; echo waiting for the vault >&2";
    for (more, words) in [
        ("sleep 1000", "waiting for the vault"),
        (
            "echo got canary-key-0123456789 >&2; sleep 1000",
            "(withheld: the text contains a key value)",
        ),
    ] {
        let hangs = sh(&format!("{script}; {more}"));
        let error = error(&hangs.time_limit(Duration::from_secs(2)));
        assert!(matches!(error, StoreError::TimedOut { .. }), "{error}");
        let text = format!("{error} {error:?} {}", said(&error));
        assert!(text.contains(words), "{text}");
        assert!(text.contains("sh did not end within 2s"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn a_dropped_fetch_kills_the_whole_group() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("processes");
    let script = format!(
        "sleep 1000 & echo $! > {0}; echo $$ >> {0}; wait",
        path.display()
    );
    let Fetching::Async(fetch) = sh(&script).fetch(&StoreRequest::new("a key")) else {
        panic!("a command is waited for without a thread");
    };
    let runtime = runtime();
    let started = path.clone();
    let found = runtime.block_on(async move {
        let seen = tokio::task::spawn_blocking(move || processes(&started, 2));
        tokio::select! {
            _ = fetch => panic!("the command ended by itself"),
            found = seen => found.unwrap(),
        }
    });
    eventually("both are killed", || !found.iter().any(|id| runs(id)));
    eventually("the leader is reaped", || {
        !is_in_the_process_table(&found[1])
    });
}

#[test]
fn a_process_left_behind_neither_delays_the_key_nor_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("process");
    let script = format!("sleep 1000 & echo $! > {}; echo key", path.display());
    let begin = Instant::now();
    assert_eq!(value(&sh(&script)), b"key");
    assert!(begin.elapsed() < LONG / 2);
    let left = processes(&path, 1);
    eventually("it is killed", || !runs(&left[0]));
}

#[test]
fn a_process_that_left_the_group_does_not_delay_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("process");
    let script = format!(
        "setsid sh -c 'echo $$ > {0}; exec sleep 1000' & while [ ! -s {0} ]; do :; done; echo key",
        path.display()
    );
    let begin = Instant::now();
    assert_eq!(value(&sh(&script)), b"key");
    assert!(begin.elapsed() < LONG / 2);
    let left = processes(&path, 1);
    let id = rustix::process::Pid::from_raw(left[0].parse().unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_command_that_closes_its_output_is_waited_for() {
    let store = sh("echo key; exec >&- 2>&-; sleep 0.3; exit 3");
    assert!(matches!(error(&store), StoreError::Command { .. }));
}

#[test]
fn a_command_that_succeeded_is_reaped_at_once() {
    let process = String::from_utf8(value(&sh("echo $$"))).unwrap();
    assert!(!is_in_the_process_table(&process));
}

#[test]
fn without_a_runtime_a_fetch_is_an_error_and_no_panic() {
    let Fetching::Async(fetch) = sh("echo key").fetch(&StoreRequest::new("a key")) else {
        panic!("a command is waited for without a thread");
    };
    let ended = futures_util::FutureExt::now_or_never(fetch).unwrap();
    assert!(matches!(ended, Err(StoreError::Start { .. })));
}

#[test]
fn arguments_and_variables_are_not_in_its_debug_text() {
    let store = sh("canary").env("NAME", "canary");
    assert!(!format!("{store:?}").contains("canary"));
}
