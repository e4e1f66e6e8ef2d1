//! The library that intercepts libc. The first test that needs it compiles it.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    process::{self, Command},
    thread,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/preload");

/// Returns the library's path. It is beside the test's program, so that it is removed with the target folder.
pub(crate) fn library() -> PathBuf {
    let name = format!("preload-{:016x}", hash());
    let folder = env::current_exe().unwrap().parent().unwrap().to_owned();
    let library = folder.join(format!("{name}.so"));
    if !library.exists() {
        // Several tests may need it at the same time. Each builds its own, and the last rename wins.
        let own = folder.join(format!("{name}-{}-{:?}", process::id(), thread::current().id()));
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-o"]).arg(&own);
        let status = compiler.arg(format!("{FOLDER}/preload.c")).status();
        let status = status.expect("the tests of faults need a C compiler; install cc");
        assert!(status.success(), "cc could not compile {FOLDER}/preload.c");
        fs::rename(own, &library).unwrap();
    }
    library
}

/// Returns the hash of all its sources.
fn hash() -> u64 {
    let files = fs::read_dir(FOLDER).unwrap();
    let mut sources: Vec<_> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    sources.sort_unstable();
    let mut hasher = DefaultHasher::new();
    sources.hash(&mut hasher);
    hasher.finish()
}
