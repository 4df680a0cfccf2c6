//! Key files that are replaced, swapped or rewritten while they are read.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use keyward::store::error::StoreError;
use keyward::store::file::FileStore;

use crate::stores::{error, fetched, value};

/// How long each race is run.
const RACE: Duration = Duration::from_secs(3);

/// What a generation's key is: long, so that half of one is seen.
fn key(generation: u64) -> Vec<u8> {
    format!("{generation:020}").repeat(50).into_bytes()
}

/// The generation of a whole key.
fn generation(key: &[u8]) -> u64 {
    let text = str::from_utf8(key).unwrap();
    assert_eq!(text.len(), 1_000, "half a key: {text}");
    let number = text[..20].parse().unwrap();
    assert_eq!(key, self::key(number), "a mixed key: {text}");
    number
}

/// The generations of a pair's halves.
fn generations(store: &FileStore) -> Result<(u64, u64), StoreError> {
    let pair = fetched(store)?.to_pair();
    let of = |half: &keyward::SecretKeyValue| generation(half.expose());
    Ok((of(pair.forward()), of(pair.back())))
}

fn write(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// Runs `change` over and over on a thread of its own while `look` is called; the number of looks.
fn race(mut change: impl FnMut(u64) + Send, mut look: impl FnMut()) -> u32 {
    let ends = AtomicBool::new(false);
    thread::scope(|threads| {
        threads.spawn(|| {
            for turn in 1.. {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                change(turn);
            }
        });
        let (begun, mut looks) = (Instant::now(), 0);
        // The other thread must end, too, if a look fails.
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while begun.elapsed() < RACE {
                look();
                looks += 1;
            }
        }));
        ends.store(true, Ordering::SeqCst);
        if let Err(panic) = looked {
            std::panic::resume_unwind(panic);
        }
        looks
    })
}

/// A folder laid out as Kubernetes lays out a mounted secret: each file is a link through `..data`,
/// which is a link to the folder of a generation.
struct Mounted {
    folder: tempfile::TempDir,
    files: [&'static str; 2],
}

impl Mounted {
    fn with(files: [&'static str; 2]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let link = folder.path().join(file.replace('/', "-"));
            symlink(Path::new("..data").join(file), link).unwrap();
        }
        Self { folder, files }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn store(&self) -> FileStore {
        let [forward, back] = self.files.map(|file| self.path(&file.replace('/', "-")));
        FileStore::pair(forward, back)
    }

    fn generation(&self, number: u64) -> PathBuf {
        self.path(&format!("..{number}"))
    }

    fn make(&self, number: u64) {
        for file in self.files {
            let path = self.generation(number).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            write(&path, &key(number));
        }
    }

    fn swap(&self, number: u64) {
        let next = self.path("..data_tmp");
        symlink(format!("..{number}"), &next).unwrap();
        fs::rename(next, self.path("..data")).unwrap();
    }
}

const LAYOUTS: [[&str; 2]; 2] = [["forward", "back"], ["forward/key", "back/key"]];

#[test]
fn both_halves_behind_a_link_that_flips_are_of_one_generation() {
    for files in LAYOUTS {
        let mounted = Mounted::with(files);
        mounted.make(0);
        mounted.make(1);
        mounted.swap(0);
        let store = mounted.store();
        thread::sleep(Duration::from_millis(200));
        let looks = race(
            |turn| mounted.swap(turn % 2),
            || {
                let (forward, back) = generations(&store).unwrap();
                assert_eq!(forward, back);
            },
        );
        println!("{files:?}: {looks} looks");
    }
}

#[test]
fn both_halves_behind_a_link_to_ever_new_folders_are_of_one_generation() {
    for files in LAYOUTS {
        let mounted = Mounted::with(files);
        mounted.make(0);
        mounted.swap(0);
        let store = mounted.store();
        let looks = race(
            |turn| {
                mounted.make(turn);
                mounted.swap(turn);
                fs::remove_dir_all(mounted.generation(turn - 1)).unwrap();
            },
            || {
                let (forward, back) = generations(&store).unwrap();
                assert_eq!(forward, back);
            },
        );
        println!("{files:?}: {looks} looks");
    }
}

#[test]
fn a_mounted_secret_is_taken_by_the_named_option() {
    for mode in [0o644, 0o440] {
        let mounted = Mounted::with(LAYOUTS[0]);
        mounted.make(0);
        for file in mounted.files {
            let open = Permissions::from_mode(mode);
            fs::set_permissions(mounted.generation(0).join(file), open).unwrap();
        }
        mounted.swap(0);
        let refused = error(&mounted.store());
        assert!(
            matches!(refused, StoreError::SharedFile { .. }),
            "{refused}"
        );
        let allowed = mounted.store().allow_shared_file();
        assert_eq!(generations(&allowed).unwrap(), (0, 0));
    }
}

#[test]
fn two_files_that_are_replaced_shortly_after_one_another_are_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let [forward, back] = ["forward", "back"].map(|name| folder.path().join(name));
    let next = folder.path().join("next");
    write(&forward, &key(0));
    write(&back, &key(0));
    let store = FileStore::pair(&forward, &back);
    // On a busy machine a replacement may take longer than can be bridged.
    let slow = Arc::new(Mutex::new(BTreeSet::new()));
    let (of_writer, mut mixed) = (Arc::clone(&slow), BTreeSet::new());
    race(
        |turn| {
            write(&next, &key(turn));
            let begun = Instant::now();
            fs::rename(&next, &forward).unwrap();
            write(&next, &key(turn));
            fs::rename(&next, &back).unwrap();
            if begun.elapsed() > Duration::from_millis(60) {
                of_writer.lock().unwrap().insert(turn);
            }
            thread::sleep(Duration::from_millis(turn % 200));
        },
        || {
            if let Ok((forward, back)) = generations(&store)
                && forward != back
            {
                mixed.insert(forward);
            }
        },
    );
    let slow = slow.lock().unwrap();
    assert!(mixed.is_subset(&slow), "{mixed:?}, slow: {slow:?}");
}

#[test]
fn a_file_that_is_replaced_by_rename_is_always_answered_whole() {
    let folder = tempfile::tempdir().unwrap();
    let [path, next] = ["key", "next"].map(|name| folder.path().join(name));
    write(&path, &key(0));
    let store = FileStore::new(&path);
    race(
        |turn| {
            write(&next, &key(turn));
            fs::rename(&next, &path).unwrap();
        },
        || {
            generation(&value(&store));
        },
    );
}

fn unsettled(error: &StoreError) {
    assert!(matches!(error, StoreError::Unsettled { .. }), "{error}");
    assert_eq!(error.code(), "store_failed");
    let text = error.to_string();
    assert!(text.contains("renaming a finished file over it"), "{text}");
}

#[test]
fn half_of_a_file_that_is_rewritten_in_place_is_never_a_key() {
    for pause in [0, 1, 10] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, &key(0));
        let store = FileStore::new(&path);
        // On a busy machine half of a file may seem to be finished.
        let slow = Mutex::new(BTreeSet::new());
        let (mut half, mut empty, mut refused) = (BTreeSet::new(), 0, 0);
        race(
            |turn| {
                let key = key(turn);
                let (begin, end) = key.split_at(500);
                let begun = Instant::now();
                let mut file = File::create(&path).unwrap();
                thread::sleep(Duration::from_millis(pause));
                file.write_all(begin).unwrap();
                thread::sleep(Duration::from_millis(pause));
                file.write_all(end).unwrap();
                if begun.elapsed() > Duration::from_millis(60) {
                    slow.lock().unwrap().insert(turn);
                }
                thread::sleep(Duration::from_millis(pause));
            },
            || match fetched(&store) {
                Ok(keys) => match keys.to_pair().forward().expose() {
                    [] => empty += 1,
                    key if key.len() == 500 => {
                        half.insert(generation(&key.repeat(2)));
                    }
                    key => {
                        generation(key);
                    }
                },
                Err(error) if error.code() == "invalid_key" => empty += 1,
                Err(error) => {
                    refused += 1;
                    unsettled(&error);
                }
            },
        );
        let slow = slow.into_inner().unwrap();
        assert!(half.is_subset(&slow), "half keys: {half:?}, slow: {slow:?}");
        assert!(empty == 0 || !slow.is_empty(), "{empty} empty keys");
        assert!(refused > 0);
        write(&path, &key(7));
        assert_eq!(generation(&value(&store)), 7);
    }
}

#[test]
fn a_file_that_is_cut_to_be_written_anew_is_not_an_empty_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    write(&path, b"");
    let store = FileStore::new(&path);
    // On a busy machine the file may seem to be left empty.
    let longest = Mutex::new(Duration::ZERO);
    let mut last = Instant::now();
    let mut refused = 0;
    race(
        |_| {
            let mut longest = longest.lock().unwrap();
            *longest = last.elapsed().max(*longest);
            last = Instant::now();
            drop(longest);
            File::create(&path).unwrap();
            thread::sleep(Duration::from_millis(100));
        },
        || match error(&store) {
            error if error.code() == "store_failed" => {
                refused += 1;
                unsettled(&error);
            }
            error => {
                assert_eq!(error.code(), "invalid_key");
                let longest = *longest.lock().unwrap();
                assert!(longest > Duration::from_millis(600), "{error}");
            }
        },
    );
    assert!(refused > 0);
}

#[test]
fn a_link_that_leads_nowhere_is_told_by_where_it_leads() {
    let mounted = Mounted::with(LAYOUTS[0]);
    mounted.swap(3);
    let error = error(&FileStore::new(mounted.path("forward")));
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    let text = error.to_string();
    for path in [mounted.path("forward"), mounted.generation(3)] {
        assert!(text.contains(path.to_str().unwrap()), "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let circle = folder.path().join("circle");
    symlink("circle", &circle).unwrap();
    let text = crate::stores::error(&FileStore::new(circle)).to_string();
    assert!(text.contains("Too many levels of symbolic links"), "{text}");
}

#[test]
fn an_open_file_is_read_through_proc() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    write(&path, &key(1));
    let open = File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&open);
    let store = FileStore::new(format!("/proc/self/fd/{number}"));
    assert_eq!(generation(&value(&store)), 1);
}
