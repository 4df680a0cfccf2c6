//! Example 1: authentication by a third party's client, with the token in the environment.
//!
//! The client keeps the access token that it was made with, so a change of the token is declared,
//! and a callback hands the new one to the client.
//!
//! `cargo run --example example_1_authentication`

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyward::{
    Change, EnvStore, FileStore, KeyChange, KeysManagement, RotationState, SecretKeyDefinition,
    SecretKeyValue,
};

const CLIENT_ACCESS_TOKEN_ENV_VAR: &str = "CLIENT_ACCESS_TOKEN";
const CLIENT_ACCESS_TOKEN_KEY_NAME: &str = "CLIENT_ACCESS_TOKEN";
const ACCESS_TOKEN: &str = "access_token";
const NEW_ACCESS_TOKEN: &str = "new_access_token";

/// The third party's service: it knows one token at a time.
struct Service {
    token: Mutex<&'static str>,
}

impl Service {
    fn answer(&self, token: &SecretKeyValue) -> Result<&'static str, &'static str> {
        if token.expose_str() == Some(*lock(&self.token)) {
            return Ok("some data");
        }
        Err("401: the access token is not valid")
    }
}

/// The third party's client: it keeps its token and knows nothing of keyward.
struct Client {
    service: Arc<Service>,
    access_token: Mutex<SecretKeyValue>,
}

impl Client {
    fn new(service: Arc<Service>, access_token: SecretKeyValue) -> Self {
        let access_token = Mutex::new(access_token);
        Self {
            service,
            access_token,
        }
    }

    fn get_data(&self) -> Result<&'static str, &'static str> {
        self.service.answer(&lock(&self.access_token))
    }

    fn set_access_token(&self, access_token: SecretKeyValue) {
        *lock(&self.access_token) = access_token;
    }
}

/// Runs the example; it panics or fails where something is not as it claims.
pub fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    // Before there is any other thread: later the variable is only given another value.
    set_environment(ACCESS_TOKEN);
    tokio::runtime::Runtime::new()?.block_on(authenticate())
}

async fn authenticate() -> Result<(), Box<dyn Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    let keys_management = KeysManagement::builder()
        .data_folder(folder.path().join("data"))
        .master_key(FileStore::new(new_master_key(folder.path())?).exact())
        .start()
        .await?;

    // Nothing is said of stateless and keep_in_cache: a one-way key has no state.
    let key_store_from_env = EnvStore::new(CLIENT_ACCESS_TOKEN_ENV_VAR);
    let definition = SecretKeyDefinition::one_way(CLIENT_ACCESS_TOKEN_KEY_NAME, key_store_from_env);
    keys_management.define_key(definition).await?;

    let service = Arc::new(Service {
        token: Mutex::new(ACCESS_TOKEN),
    });
    let token = keys_management
        .get_key(CLIENT_ACCESS_TOKEN_KEY_NAME)
        .await?
        .value;
    let client = Arc::new(Client::new(Arc::clone(&service), token));

    let of_callback = Arc::clone(&client);
    let callback =
        move |change: KeyChange| on_client_access_token_changed(Arc::clone(&of_callback), change);
    keys_management
        .register_on_change(CLIENT_ACCESS_TOKEN_KEY_NAME, "client", callback)
        .await?;

    assert_eq!(client.get_data(), Ok("some data"));
    println!("the client gets its data with the token of the environment");

    *lock(&service.token) = NEW_ACCESS_TOKEN;
    assert!(client.get_data().is_err());
    println!(
        "the service takes a new token and the client still uses the old one: it gets an error"
    );

    // Declared while the store still answers the old token, which is asked of it.
    let change = Change::of(CLIENT_ACCESS_TOKEN_KEY_NAME)
        .old_from_store()
        .new_keys(NEW_ACCESS_TOKEN);
    let report = keys_management.key_changed(change).await?;
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(client.get_data(), Ok("some data"));
    println!("the change is declared and the client gets its data with the new token");

    // The store switches last.
    set_environment(NEW_ACCESS_TOKEN);
    let token = keys_management
        .get_key(CLIENT_ACCESS_TOKEN_KEY_NAME)
        .await?;
    assert_eq!(token.expose_str(), Some(NEW_ACCESS_TOKEN));

    keys_management.shutdown().await?;
    Ok(())
}

async fn on_client_access_token_changed(
    client: Arc<Client>,
    change: KeyChange,
) -> Result<(), &'static str> {
    let new_key = change.new_keys.ok_or("the new token is not declared")?;
    client.set_access_token(new_key.forward().clone());
    Ok(())
}

fn set_environment(token: &str) {
    #[expect(
        unsafe_code,
        reason = "an example of a store that reads the environment has to change the environment"
    )]
    // SAFETY: the variable is made before any other thread; after that only its value is replaced,
    // while all code of this process reads it through the standard library, which locks.
    unsafe {
        std::env::set_var(CLIENT_ACCESS_TOKEN_ENV_VAR, token);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 32 random bytes in a file that only its owner may read.
fn new_master_key(folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join("master.key");
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    file.write_all(&bytes)?;
    Ok(path)
}
