//! Compiles the one piece of C++ of this crate, against the sources of the RocksDB that is linked.
//! Without the feature `embedded` there is neither.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "embedded")]
    threads_of_rocksdb();
}

#[cfg(feature = "embedded")]
fn threads_of_rocksdb() {
    const SHIM: &str = "src/repo/rocks_threads.cc";
    println!("cargo::rerun-if-changed={SHIM}");
    let crate_of_rocksdb = std::env::var_os("DEP_ROCKSDB_CARGO_MANIFEST_DIR")
        .expect("librocksdb-sys says where its sources are");
    let rocksdb = std::path::PathBuf::from(crate_of_rocksdb).join("rocksdb");
    cc::Build::new()
        .cpp(true)
        .std("c++20")
        // As librocksdb-sys compiles RocksDB: they decide what its types look like.
        .define("NDEBUG", None)
        .define("OS_LINUX", None)
        .define("ROCKSDB_PLATFORM_POSIX", None)
        .define("ROCKSDB_LIB_IO_POSIX", None)
        .flag("-include")
        .flag("cstdint")
        .include(rocksdb.join("include"))
        .include(rocksdb)
        .warnings(false)
        .file(SHIM)
        .compile("keyward_rocksdb_threads");
}
