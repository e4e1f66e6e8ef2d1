//! The library that goes before libc, compiled when a test first wants it.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    process::{self, Command},
};

const SOURCE: &str = include_str!("../preload.c");

/// The library's path: beside the test's program, so that it goes when the target folder goes.
pub(crate) fn library() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    SOURCE.hash(&mut hasher);
    let name = format!("preload-{:016x}", hasher.finish());
    let folder = env::current_exe().unwrap().parent().unwrap().to_owned();
    let library = folder.join(format!("{name}.so"));
    if !library.exists() {
        // Several tests may want it at one time. Each makes its own, and the last rename wins.
        let own = folder.join(format!("{name}-{}-{:?}", process::id(), std::thread::current().id()));
        let (source, made) = (own.with_extension("c"), own.with_extension("so"));
        fs::write(&source, SOURCE).unwrap();
        let mut compiler = Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&made)
            .arg(&source);
        let status = compiler.status().expect("the tests of faults need a C compiler; install cc");
        assert!(status.success(), "cc could not compile preload.c");
        fs::rename(made, &library).unwrap();
        fs::remove_file(source).unwrap();
    }
    library
}
