//! The code of the wire's messages is generated from `src/wire/keyward/v1/keyward.proto` and committed, so
//! that who builds keyward needs no generator. Here it is generated anew and compared.

use std::fs;
use std::path::Path;

const HEAD: &str = "//! Generated from `keyward/v1/keyward.proto`; do not edit. To generate it anew:\n\
                    //! `KEYWARD_GENERATE=1 cargo test --test project generated`.\n\n";
const PROTO: &str = "src/wire/keyward/v1/keyward.proto";
const GENERATED: &str = "src/wire/generated.rs";

/// What the file is to hold.
fn generate() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let messages = protox::compile([root.join(PROTO)], [root.join("src/wire")]).unwrap();
    let out = tempfile::tempdir().unwrap();
    tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .build_transport(false)
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"server\")]")
        .skip_debug([".keyward.v1.Value"])
        .btree_map(".")
        .out_dir(out.path())
        .compile_fds(messages)
        .unwrap();
    let code = fs::read_to_string(out.path().join("keyward.v1.rs")).unwrap();
    format!("{HEAD}{code}")
}

#[test]
fn the_generated_code_of_the_wire_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(GENERATED);
    let code = generate();
    if std::env::var_os("KEYWARD_GENERATE").is_some() {
        fs::write(&file, &code).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == code,
        "{GENERATED} is not what {PROTO} says: KEYWARD_GENERATE=1 cargo test --test project generated"
    );
}

/// Each message, field, value and call says what it is.
#[test]
fn everything_of_the_wire_is_documented() {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join(PROTO);
    let proto = fs::read_to_string(proto).unwrap();
    let mut before = "";
    let mut faults = Vec::new();
    for line in proto.lines().map(str::trim) {
        let is_field = line.ends_with(';') && line.contains(" = ");
        let begins = ["message ", "enum ", "oneof ", "service ", "rpc "];
        let is_part = begins.iter().any(|word| line.starts_with(word));
        let is_file = line.starts_with("syntax") || line.starts_with("package");
        if (is_field || is_part) && !is_file && !before.starts_with("// ") {
            faults.push(line);
        }
        before = line;
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
