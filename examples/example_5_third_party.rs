//! Example 5: implicit use by a third party's library that only knows a function to get its key.
//!
//! The library treats its key as one value. keyward answers a pair's halves in turn, because it
//! knows which flow comes next; the key is stated, so it knows that in the next lifetime too.
//! Nothing here is async: `block_on` waits for each call.
//!
//! `cargo run --example example_5_third_party`

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use keyward::{EnvStore, FileStore, KeysManagement, SecretKeyDefinition, block_on};

const FAKE_LIBRARY_KEY_NAME: &str = "FAKE_LIBRARY_KEY";
const FAKE_LIBRARY_ENCRYPT_KEY_ENV_VAR: &str = "FAKE_LIBRARY_ENCRYPT_KEY";
const FAKE_LIBRARY_DECRYPT_KEY_ENV_VAR: &str = "FAKE_LIBRARY_DECRYPT_KEY";
const ENCRYPT_KEY: &str = "lock of example 5";
const DECRYPT_KEY: &str = "opener of example 5";
const DATA: &str = "the library's data";

type GetKey = Box<dyn Fn() -> Result<String, Box<dyn Error + Send + Sync>> + Send + Sync>;
type Shelf = Arc<Mutex<Option<(String, String)>>>;

/// The third party's library: it asks for its key whenever it needs it, and knows of no flows.
struct ThirdPartyLibrary {
    get_key: GetKey,
    /// What it keeps: the text and the name of what it was locked with. It only plays encryption.
    shelf: Shelf,
}

impl ThirdPartyLibrary {
    fn new(shelf: &Shelf, get_key: GetKey) -> Self {
        Self {
            get_key,
            shelf: Arc::clone(shelf),
        }
    }

    fn create_data(&self, text: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        let key = (self.get_key)()?;
        let key = key
            .strip_prefix("lock of ")
            .ok_or("this key locks nothing")?;
        let created = (key.to_owned(), text.chars().rev().collect());
        *self.shelf.lock().unwrap_or_else(PoisonError::into_inner) = Some(created);
        Ok(())
    }

    fn get_data(&self) -> Result<String, Box<dyn Error + Send + Sync>> {
        let key = (self.get_key)()?;
        let key = key
            .strip_prefix("opener of ")
            .ok_or("this key opens nothing")?;
        let shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        match &*shelf {
            Some((locked_with, text)) if locked_with == key => Ok(text.chars().rev().collect()),
            Some(_) => Err("the data is locked with another key".into()),
            None => Err("there is no data".into()),
        }
    }
}

/// Runs the example; it panics or fails where something is not as it claims.
pub fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    set_environment();
    let folder = tempfile::tempdir()?;
    new_master_key(&folder.path().join("master.key"))?;
    let shelf = Arc::new(Mutex::new(None));

    let keys_management = start(folder.path())?;
    let library = library(&keys_management, &shelf);
    library.create_data(DATA)?;
    println!("lifetime 1: the library creates data; the first call is the forward path");
    block_on(keys_management.save_states())?;
    block_on(keys_management.shutdown())?;
    drop(library);

    let keys_management = start(folder.path())?;
    let library = self::library(&keys_management, &shelf);
    assert_eq!(library.get_data()?, DATA);
    println!("lifetime 2: the library gets its data; the call after it is the back path");
    library.create_data(DATA)?;
    println!("lifetime 2: the library creates data again; that is the forward path");
    assert_eq!(library.get_data()?, DATA);
    block_on(keys_management.save_states())?;
    block_on(keys_management.shutdown())?;
    Ok(())
}

fn start(folder: &Path) -> Result<KeysManagement, Box<dyn Error + Send + Sync>> {
    let keys_management = block_on(
        KeysManagement::builder()
            .data_folder(folder.join("data"))
            .master_key(FileStore::new(folder.join("master.key")).exact())
            .start(),
    )?;
    let key_store_from_env = EnvStore::pair(
        FAKE_LIBRARY_ENCRYPT_KEY_ENV_VAR,
        FAKE_LIBRARY_DECRYPT_KEY_ENV_VAR,
    );
    let definition = SecretKeyDefinition::round_trip(FAKE_LIBRARY_KEY_NAME, key_store_from_env)
        .stateless(false)
        .keep_in_cache(true);
    block_on(keys_management.define_key(definition))?;
    Ok(keys_management)
}

/// Gives the library a closure that names no flow: keyward finds it by itself.
fn library(keys_management: &KeysManagement, shelf: &Shelf) -> ThirdPartyLibrary {
    let keys = keys_management.clone();
    let get_key = move || {
        let key = block_on(keys.get_key(FAKE_LIBRARY_KEY_NAME))?;
        Ok(key.expose_str().ok_or("the key is no text")?.to_owned())
    };
    ThirdPartyLibrary::new(shelf, Box::new(get_key))
}

fn set_environment() {
    #[expect(
        unsafe_code,
        reason = "an example of a store that reads the environment has to have it set"
    )]
    // SAFETY: nothing else runs in this process yet.
    unsafe {
        std::env::set_var(FAKE_LIBRARY_ENCRYPT_KEY_ENV_VAR, ENCRYPT_KEY);
        std::env::set_var(FAKE_LIBRARY_DECRYPT_KEY_ENV_VAR, DECRYPT_KEY);
    }
}

/// 32 random bytes in a file that only its owner may read.
fn new_master_key(path: &Path) -> io::Result<()> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(&bytes)
}
