//! The workers' documents: sealed files, replaced as a whole or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use keyward::crypto::aead::AeadCryptoTool;
use keyward::crypto::crypto_tool::CryptoTool;
use keyward::secret::value::SecretKeyValue;

/// One document of a worker's callback under one key.
pub struct Document {
    name: String,
    path: PathBuf,
}

impl Document {
    /// The documents of a callback, whose place is `worker/callback`, under a key.
    pub fn all_of(folder: &Path, key: &str, place: &str) -> [Self; 2] {
        ["one", "two"].map(|document| {
            let name = format!("{key}-{}-{document}", place.replace('/', "-"));
            let path = folder.join("documents").join(format!("{name}.sealed"));
            Self { name, path }
        })
    }

    /// Writes it for the first time, sealed under this value.
    pub fn create(&self, value: &SecretKeyValue) {
        fs::create_dir_all(self.path.parent().expect("a folder")).expect("a folder");
        self.write(value);
    }

    /// Whether it is there and opens under this value.
    pub fn opens_under(&self, value: &SecretKeyValue) -> bool {
        let Ok(sealed) = fs::read(&self.path) else {
            return false;
        };
        let opened = self.tool(value).open(&sealed, self.name.as_bytes());
        opened.is_ok_and(|plain| plain.as_slice() == self.text().as_bytes())
    }

    /// Seals it anew, unless an earlier attempt has done so. False: neither value opens it.
    pub fn reencrypt(&self, old: &SecretKeyValue, new: &SecretKeyValue) -> bool {
        if self.opens_under(new) {
            return true;
        }
        let opens = self.opens_under(old);
        if opens {
            self.write(new);
        }
        opens
    }

    fn write(&self, value: &SecretKeyValue) {
        let text = self.text();
        let sealed = self.tool(value).seal(text.as_bytes(), self.name.as_bytes());
        replace(&self.path, &sealed.expect("it can be sealed"));
    }

    fn tool(&self, value: &SecretKeyValue) -> AeadCryptoTool {
        AeadCryptoTool::derive(value, self.name.as_bytes()).expect("the value is long enough")
    }

    fn text(&self) -> String {
        format!("what {} has to keep", self.name)
    }
}

/// Puts a file in the place of another one, durably and whole.
pub fn replace(path: &Path, bytes: &[u8]) {
    let next = path.with_extension("next");
    let mut file = File::create(&next).expect("a file");
    file.write_all(bytes).expect("the file takes bytes");
    file.sync_all().expect("the file is on the disk");
    fs::rename(&next, path).expect("it is renamed");
}
