//! The sample invocations in `events/`.

use std::{fs, path::Path};

/// Returns every sample of a function, sorted by name. Fails if there is none.
pub fn samples(function: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(function);
    let files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let mut samples: Vec<(String, String)> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(!samples.is_empty(), "no sample in {}", folder.display());
    samples.sort();
    samples
}
