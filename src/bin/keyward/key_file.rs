//! New keys in files of their own, for the user of this process only.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use keyward::SecretKeyValue;

/// Random bytes of the operating system.
///
/// # Errors
/// What it says.
pub fn fill_random(buffer: &mut [u8]) -> io::Result<()> {
    File::open("/dev/urandom").and_then(|mut random| random.read_exact(buffer))
}

/// A key as text: 64 digits, each of four random bits.
fn random_key() -> io::Result<SecretKeyValue> {
    let mut key = vec![0_u8; 64];
    fill_random(&mut key)?;
    for byte in &mut key {
        let digit = *byte & 0x0f;
        *byte = if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        };
    }
    Ok(SecretKeyValue::new(key))
}

/// Makes a file with a new random key, which must not be there yet.
///
/// # Errors
/// What the operating system says; also where there is such a file.
pub fn create(path: &Path) -> io::Result<()> {
    let key = random_key()?;
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(key.expose())?;
    file.write_all(b"\n")?;
    file.sync_all()
}
