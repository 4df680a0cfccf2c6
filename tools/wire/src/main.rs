//! Generates `src/wire/generated.rs` from `src/wire/keyward/v1/keyward.proto`. With `--check` it writes nothing, and
//! fails where the file is another one.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use data_encoding::HEXLOWER;
use prost_build::{Service, ServiceGenerator};
use sha2::{Digest, Sha256};

const PROTO: &str = "src/wire/keyward/v1/keyward.proto";
const GENERATED: &str = "src/wire/generated.rs";

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let code = generate(&root)?;
    if !env::args().any(|argument| argument == "--check") {
        return Ok(fs::write(root.join(GENERATED), code)?);
    }
    if fs::read_to_string(root.join(GENERATED))? == code {
        return Ok(());
    }
    Err(format!(
        "{GENERATED} is not what {PROTO} says: cargo run --manifest-path tools/wire/Cargo.toml"
    )
    .into())
}

/// What the file is to hold. Its head has the digests of what it was made from and of what follows it, so that a test
/// without a generator sees a change of either.
fn generate(root: &Path) -> Result<String, Box<dyn Error>> {
    let proto = root.join(PROTO);
    let messages = protox::compile([&proto], [root.join("src/wire")])?;
    let out = tempfile::tempdir()?;
    prost_build::Config::new()
        .skip_debug([".keyward.v1.Value"])
        .btree_map(["."])
        .out_dir(out.path())
        .service_generator(Box::new(Services))
        .compile_fds(messages)?;
    let code = fs::read_to_string(out.path().join("keyward.v1.rs"))?;
    let digest = |of: &[u8]| HEXLOWER.encode(&Sha256::digest(of));
    Ok(format!(
        "//! Generated from `keyward/v1/keyward.proto`; do not edit. To generate it anew:\n\
         //! `cargo run --manifest-path tools/wire/Cargo.toml`.\n\
         //!\n\
         //! proto {}\n\
         //! code {}\n\n{code}",
        digest(&fs::read(&proto)?),
        digest(code.as_bytes()),
    ))
}

/// Generates the services. The entries of what an instance says are counted before it is decoded.
struct Services;

impl ServiceGenerator for Services {
    fn generate(&mut self, service: Service, code: &mut String) {
        let mut builder = tonic_prost_build::configure()
            .build_transport(false)
            .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
            .server_mod_attribute(".", "#[cfg(feature = \"server\")]");
        if service.proto_name == "Work" {
            builder = builder.codec_path("crate::wire::counted::CountedCodec");
        }
        builder.service_generator().generate(service, code);
    }
}
