//! The keys that keyward makes for itself: what the master key becomes for one database, and the key
//! of the fingerprints that lies sealed in it. Both are as secret as the keys they stand for.

use std::path::Path;

use hkdf::Hkdf;
use keyward::journal::database::Database;
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::repo::space::Space;
use keyward::{AeadCryptoTool, CryptoTool, FileStore, SecretKeyValue, StateRepo};
use sha2::Sha256;

/// The label of the crypto tool's derivation; `aead.rs` has a test that it has not changed.
const LABEL: &[u8] = b"keyward/aead/xchacha20-poly1305/v1";
/// The length of both keys, in bytes.
const LENGTH: usize = 32;

/// Makes a database under this master key, and answers its two keys.
pub fn of_a_new_database(data: &Path, master: &Path) -> [(&'static str, Vec<u8>); 2] {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let builder = keyward::KeysManagement::builder().data_folder(data);
        let started = builder.master_key(FileStore::new(master).exact()).start();
        let manager = started.await.expect("it starts");
        manager.shutdown().await.expect("it shuts down");
    });
    let master = std::fs::read(master).expect("the master key");
    let repo = RocksDbRepo::open(&FolderOptions::new(data)).expect("the folder is free");
    let check = repo.get(Space::Meta, b"check").expect("the repo answers");
    let check = check.expect("the check record");
    let id = Database::open(std::sync::Arc::new(repo)).expect("it has an id");
    let id = id.id();

    let mut cipher = vec![0; LENGTH];
    Hkdf::<Sha256>::new(Some(&id), &master)
        .expand(LABEL, &mut cipher)
        .expect("a length that can be had");

    let tool = AeadCryptoTool::derive(&SecretKeyValue::new(master), &id).expect("a good key");
    let (schema, sealed) = check.split_first().expect("a schema number");
    let mut associated = Vec::new();
    let parts: [&[u8]; 9] = [&id, b"check", &[*schema], b"", b"", b"", b"", b"", b""];
    for part in parts {
        associated.extend((part.len() as u64).to_le_bytes());
        associated.extend(part);
    }
    let record = tool.open(sealed, &associated).expect("the check record");
    let fingerprints = record[record.len() - LENGTH..].to_vec();
    [("cipher", cipher), ("fingerprints", fingerprints)]
}
