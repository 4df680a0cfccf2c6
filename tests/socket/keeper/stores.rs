//! Where the keys of a configuration come from, and its master key: each kind with a real one of it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use keyward::Client;

use super::process::{Folder, Keeper, START, said};
use crate::support::{MASTER_KEY, within};

/// Each kind of source, of one value and of a pair.
const KINDS: &str = r#"
[keys.variable]
store.env = "ONE_VALUE"
[keys.variables]
store.env = ["FORWARD_HALF", "BACK_HALF"]
[keys.file]
store.file = "one.key"
[keys.files]
store.file = ["forward.key", "back.key"]
[keys.exact]
store.file = "one.key"
store.exact = true
[keys.command]
store.command = ["sh", "-c", "echo $PASSED; echo not passed: $ONE_VALUE >&2"]
store.pass_env = ["PASSED"]
[keys.below_keys]
"#;

#[test]
fn each_kind_of_store_answers_its_key() {
    let folder = Folder::new("");
    folder.write(&format!("{START}{KINDS}"));
    fs::create_dir(folder.path().join("keys")).unwrap();
    for (name, value) in [
        ("one.key", "of a file\n"),
        ("forward.key", "forward of a file\n"),
        ("back.key", "back of a file\r\n"),
        ("keys/below_keys", "of the default file"),
    ] {
        folder.key(name, value);
    }
    let mut serve = folder.keyward(&["serve"]);
    serve
        .env("ONE_VALUE", "of a variable")
        .env("FORWARD_HALF", "forward of a variable")
        .env("BACK_HALF", "back of a variable")
        .env("PASSED", "of a command");
    let keeper = Keeper::start(serve);
    keeper.says("ready; keys: 7");
    for (key, half, value) in [
        ("variable", "forward", "of a variable"),
        ("variable", "back", "of a variable"),
        ("variables", "forward", "forward of a variable"),
        ("variables", "back", "back of a variable"),
        ("file", "forward", "of a file"),
        ("files", "forward", "forward of a file"),
        ("files", "back", "back of a file"),
        ("exact", "forward", "of a file\n"),
        ("command", "back", "of a command"),
        ("below_keys", "forward", "of the default file"),
    ] {
        let (code, out, errors) = said(&folder.run(&["get", key, "--half", half]));
        assert_eq!((code, out.as_str()), (Some(0), value), "{key}: {errors}");
    }
    keeper.stop();
}

#[test]
fn the_master_key_comes_from_a_variable_a_file_or_a_command() {
    let folder = Folder::new("");
    folder.key("master key", &format!("{MASTER_KEY}\n"));
    for master_key in [
        "env = \"MASTER\"",
        "file = \"master.key\"",
        "file = \"master key\"",
        "command = [\"cat\", \"master key\"]",
        "command = [\"sh\", \"-c\", \"printf %s \\\"$MASTER\\\"\"]\npass_env = [\"MASTER\"]",
    ] {
        folder.write(&format!(
            "data_folder = \"data\"\nsocket = \"s\"\n[master_key]\n{master_key}\n\
             [keys.documents]\nstore.file = \"documents.key\"\n"
        ));
        let mut serve = folder.keyward(&["serve"]);
        // Every one of them opens what the first one has made.
        let keeper = Keeper::start({
            serve.env("MASTER", MASTER_KEY);
            serve
        });
        keeper.says("ready");
        keeper.stop();
    }
    folder.key("master.key", &"another master key ".repeat(3));
    folder.configure("");
    let (code, _, errors) = said(&folder.run(&["serve"]));
    assert_eq!(code, Some(1));
    assert!(errors.contains("(wrong_master_key)"), "{errors}");
}

/// A volume as Kubernetes mounts a secret: the files are links into a folder that a link leads to, which is
/// swapped when the secret changes.
struct Volume(PathBuf);

impl Volume {
    fn at(path: PathBuf, mode: u32) -> Self {
        fs::create_dir(&path).unwrap();
        let volume = Self(path);
        for generation in 0..2 {
            let folder = volume.0.join(format!("..generation_{generation}"));
            fs::create_dir(&folder).unwrap();
            for half in ["forward", "back"] {
                let file = folder.join(half);
                fs::write(&file, format!("{half} {generation}")).unwrap();
                fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            }
        }
        volume.swap(0);
        for half in ["forward", "back"] {
            symlink(Path::new("..data").join(half), volume.0.join(half)).unwrap();
        }
        volume
    }

    fn swap(&self, generation: usize) {
        let made = self.0.join("..data_tmp");
        symlink(format!("..generation_{generation}"), &made).unwrap();
        fs::rename(made, self.0.join("..data")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_secret_is_taken_by_the_named_option_and_both_halves_are_of_one_generation() {
    for mode in [0o644, 0o440] {
        let folder = Folder::new("");
        let volume = Volume::at(folder.path().join("volume"), mode);
        let store = "[keys.mounted.store]\nfile = [\"volume/forward\", \"volume/back\"]\n";
        folder.write(&format!("{START}{store}"));
        let keeper = folder.serve();
        let (code, _, errors) = said(&folder.run(&["get", "mounted"]));
        assert_eq!(code, Some(1));
        let shown = format!("{mode:o}");
        for part in ["(store_failed)", "allow_shared_file", &shown] {
            assert!(errors.contains(part), "{part} is not in {errors}");
        }
        keeper.stop();
        folder.write(&format!("{START}{store}allow_shared_file = true\n"));
        let keeper = folder.serve();
        let client = within(Client::at(folder.socket())).await.unwrap();
        let ends = AtomicBool::new(false);
        let mut seen = [0_u32; 2];
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut turns = (0..2).cycle();
                while !ends.load(Ordering::SeqCst) {
                    volume.swap(turns.next().unwrap());
                    thread::sleep(Duration::from_millis(3));
                }
            });
            for _ in 0..200 {
                let looked = keyward::block_on(client.look("mounted")).unwrap();
                let pair = looked.to_pair();
                let half = |value: &keyward::SecretKeyValue| {
                    let text = value.expose_str().unwrap();
                    text.split_once(' ').unwrap().1.parse::<usize>().unwrap()
                };
                let (forward, back) = (half(pair.forward()), half(pair.back()));
                assert_eq!(forward, back);
                seen[forward] += 1;
            }
            ends.store(true, Ordering::SeqCst);
        });
        println!("generations seen: {seen:?}");
        keeper.stop();
    }
}
