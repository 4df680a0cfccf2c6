//! A configuration against its page of settings, the library that it sets, and any text.

use std::collections::BTreeSet;
use std::path::Path;

use keyward::{KeysManagement, SecretKeyDefinition, ServeBounds};

use crate::config::Config;
use crate::config::fault::{Fault, Setting};

/// A configuration in which every table stands.
const ALL: &str = "data_folder = \"data\"\nmaster_key.file = \"master.key\"\n[keys.documents]\n\
     [[grants]]\nusers = [0]\nkeys = [\"*\"]\nmay = [\"back\"]\n";

fn read(text: &str) -> Config {
    Config::of(text, Path::new("/etc/keyward/keyward.toml")).unwrap()
}

/// What the page of settings has: each setting with its kind and its default.
fn page() -> Vec<(String, String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| {
        row.split('|')
            .map(|cell| cell.trim().replace('`', ""))
            .collect()
    };
    let rows = rows
        .map(cells)
        .filter(|cells: &Vec<String>| cells.len() == 6);
    rows.map(|cells| (cells[1].clone(), cells[2].clone(), cells[3].clone()))
        .collect()
}

#[test]
fn the_page_of_settings_has_every_setting_with_its_kind_and_default() {
    let default = |setting: &Setting| match setting.default.as_deref() {
        None => "needed".to_owned(),
        Some("") => "none".to_owned(),
        Some(default) => default.to_owned(),
    };
    let known = read(ALL).settings;
    let known = known.iter().map(|setting| {
        (
            setting.pattern.clone(),
            setting.kind.to_owned(),
            default(setting),
        )
    });
    let (known, page): (BTreeSet<_>, BTreeSet<_>) = (known.collect(), page().into_iter().collect());
    let (not_there, not_known) = (known.difference(&page), page.difference(&known));
    assert_eq!(
        not_there.collect::<Vec<_>>(),
        [] as [&(_, _, _); 0],
        "the page lacks these"
    );
    assert_eq!(
        not_known.collect::<Vec<_>>(),
        [] as [&(_, _, _); 0],
        "there are none of these"
    );
}

#[test]
fn a_default_is_that_of_the_library() {
    let config = read(ALL);
    let set = config.manager.set(KeysManagement::builder());
    assert_eq!(
        format!("{set:?}"),
        format!("{:?}", KeysManagement::builder())
    );
    let key = config.keys["documents"].definition("documents").unwrap();
    let plain = SecretKeyDefinition::round_trip("documents", || "value");
    assert_eq!(format!("{key:?}"), format!("{plain:?}"));
    assert_eq!(config.bounds, ServeBounds::default());
}

#[test]
fn any_text_is_a_configuration_or_has_a_fault_at_a_place_of_it() {
    let mut seed = 7_u64;
    let mut next = |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let whole = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/processes/configuration/golden/good.toml"),
    );
    let whole: Vec<char> = whole.unwrap().chars().collect();
    let odd: Vec<char> = "[]{}=.,\"'#\n\u{7}\u{feff}é0-_*".chars().collect();
    for _ in 0..2_000 {
        let mut text = whole.clone();
        for _ in 0..=next(3) {
            let at = next(text.len().max(1));
            match next(3) {
                0 if at < text.len() => drop(text.remove(at)),
                1 => text.insert(at, odd[next(odd.len())]),
                _ => text.truncate(at + 1),
            }
        }
        let text: String = text.into_iter().collect();
        if let Err(faults) = Config::of(&text, Path::new("/etc/keyward/keyward.toml")) {
            let lines = text.split('\n').count();
            assert!(!faults.is_empty(), "{text}");
            for fault in faults {
                assert!(
                    (1..=lines).contains(&fault.line) && fault.column > 0,
                    "{fault}\n{text}"
                );
            }
        }
    }
}

/// What a file of the library lets a program set: the names of its methods that take and answer the whole.
fn setters(file: &str) -> Vec<String> {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(text).unwrap();
    let setters = text.split("pub fn ").skip(1);
    let setters = setters.filter_map(|method| method.split_once("(mut self"));
    let names = setters.filter(|(name, _)| !name.contains('\n'));
    names
        .map(|(name, _)| name.split('<').next().unwrap_or(name).to_owned())
        .collect()
}

#[test]
fn every_bound_that_the_library_lets_a_program_set_is_a_setting() {
    let known: BTreeSet<String> = read(ALL)
        .settings
        .into_iter()
        .map(|setting| setting.pattern)
        .collect();
    // Parts of the program, which no file can name; where they are is what the file says otherwise.
    let plug_ins = ["state_repo", "crypto_tool", "plugin_panics"];
    let elsewhere = |name: &str| match name {
        "data_folder" | "allow_shared_folder" => Some(name.to_owned()),
        "master_key" => Some("master_key.file".to_owned()),
        "restart_intensity" => Some("manager.restarts_within".to_owned()),
        _ => None,
    };
    let manager = setters("src/management/builder.rs");
    let key = setters("src/management/definition.rs");
    assert!(manager.len() > 15 && key.len() > 8, "{manager:?} {key:?}");
    let manager = manager
        .iter()
        .filter(|name| !plug_ins.contains(&name.as_str()))
        .map(|name| elsewhere(name).unwrap_or_else(|| format!("manager.{name}")));
    let key = key.iter().map(|name| format!("keys.NAME.{name}"));
    let bounds = format!("{:?}", ServeBounds::default());
    let bounds = bounds.trim_start_matches("ServeBounds {").split(", ");
    let bounds = bounds.filter_map(|field| field.split_once(':'));
    let bounds = bounds.map(|(name, _)| format!("bounds.{}", name.trim()));
    let lacking = manager.chain(key).chain(bounds);
    let lacking: Vec<String> = lacking.filter(|name| !known.contains(name)).collect();
    assert_eq!(lacking, [""; 0], "no setting sets these");
}

#[test]
fn each_setting_sets_what_it_is_named_for() {
    let seconds = std::time::Duration::from_secs;
    let text = "\n[manager]\nworker_wait = \"101 s\"\nmax_crashes = 102\nmax_callbacks = 103\n\
         max_worker_requests = 104\ninstances_at_once = 105\nreopen_every = \"106 s\"\n\
         history_age = \"107 s\"\nhistory_count = 108\ncall_time_limit = \"109 s\"\n\
         shutdown_grace = \"110 s\"\nrestarts = 111\nrestarts_within = \"112 s\"\n\
         restart_backoff = \"113 s\"\nstore_threads = 114\ncommands_at_once = 115\n\
         async_threads = 116\ncallback_threads = 117\n\
         [keys.whole]\nuse_case = \"round_trip\"\nstateless = false\nkeep_in_cache = false\n\
         error_strategy = \"skip_and_raise\"\nstore_time_limit = \"201 s\"\n\
         request_time_limit = \"202 s\"\ncallback_time_limit = \"203 s\"\nworkers_at_once = 204\n\
         max_requests = 205\nmax_waiting_rotations = 206\n\
         [bounds]\nconnections = 301\nconnections_of_user = 302\nrequests_of_connection = 303\n\
         requests_of_user = 304\nmessage_bytes = 305\noperate_message_bytes = 306\n\
         undecoded_bytes_of_user = 307\ninstances = 308\npatience = \"309 s\"\nsilence = \"310 s\"\n";
    let config = read(&format!("{ALL}{text}"));
    let set = config.manager.set(KeysManagement::builder());
    let wanted = KeysManagement::builder()
        .worker_wait(Some(seconds(101)))
        .max_crashes(102)
        .max_callbacks(103)
        .max_worker_requests(104)
        .instances_at_once(105)
        .reopen_every(seconds(106))
        .history_age(Some(seconds(107)))
        .history_count(Some(108))
        .call_time_limit(seconds(109))
        .shutdown_grace(seconds(110))
        .restart_intensity(111, seconds(112))
        .restart_backoff(seconds(113))
        .store_threads(114)
        .commands_at_once(115)
        .async_threads(116)
        .callback_threads(117);
    assert_eq!(format!("{set:?}"), format!("{wanted:?}"));
    let key = config.keys["whole"].definition("whole").unwrap();
    let wanted = SecretKeyDefinition::round_trip("whole", || "value")
        .stateless(false)
        .keep_in_cache(false)
        .error_strategy(keyward::OnKeyChangedCallbackErrorStrategy::SkipAndRaise)
        .store_time_limit(seconds(201))
        .request_time_limit(seconds(202))
        .callback_time_limit(seconds(203))
        .workers_at_once(204)
        .max_requests(205)
        .max_waiting_rotations(206);
    assert_eq!(format!("{key:?}"), format!("{wanted:?}"));
    let mut bounds = ServeBounds::default();
    bounds.connections = 301;
    bounds.connections_of_user = 302;
    bounds.requests_of_connection = 303;
    bounds.requests_of_user = 304;
    bounds.message_bytes = 305;
    bounds.operate_message_bytes = 306;
    bounds.undecoded_bytes_of_user = 307;
    bounds.instances = 308;
    bounds.patience = seconds(309);
    bounds.silence = seconds(310);
    assert_eq!(config.bounds, bounds);
}

#[test]
fn white_space_that_is_none_of_tomls_is_a_fault_where_it_stands() {
    let complete = "data_folder = \"d\"\nmaster_key.file = \"m\"\n";
    for space in ["\u{b}", "\u{c}", "\u{a0}", "\u{2028}"] {
        for text in [
            space.to_owned(),
            format!("{space}\n"),
            format!("\n{space}"),
            format!("{complete}{space}"),
            format!("{complete}\n{space}\nlog = \"warn\"\n"),
        ] {
            let faults = Config::from_bytes(text.as_bytes(), Path::new("/f")).map(drop);
            let faults = faults.expect_err("it is no TOML");
            let line = text.lines().position(|line| line.contains(space));
            let at = |fault: &Fault| line.is_none_or(|line| fault.line == line + 1);
            assert!(faults.iter().any(at), "{text:?}: {faults:?}");
        }
    }
}

#[test]
fn what_is_not_closed_is_a_fault() {
    for text in [
        "e ='''two\nlines\n",
        "e = [1,\n\n2\n",
        "e = \"\"\"\n",
        "[a\n\n",
        "e = {\n",
    ] {
        let faults = Config::from_bytes(text.as_bytes(), Path::new("/f")).map(drop);
        assert!(!faults.expect_err("it is no TOML").is_empty(), "{text:?}");
    }
}
