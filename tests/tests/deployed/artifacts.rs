//! The artifacts of `sam build`. With `make test`, the other tests run them too.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::Path,
    process::Command,
};

use end_to_end::{artifacts, template::template, tools};

/// Amazon Linux 2023 has glibc 2.34.
const GLIBC: (u32, u32) = (2, 34);

/// ELF's machine number (`e_machine`), by SAM's name of the architecture.
const MACHINES: [(&str, u16); 2] = [("x86_64", 62), ("arm64", 183)];

#[test]
fn the_artifacts_run_on_amazon_linux_2023() {
    let Some(folder) = artifacts() else {
        // `cargo test` alone builds none and uses debug binaries instead.
        return;
    };
    let mut built = 0;
    for (architecture, machine) in MACHINES {
        let folder = folder.with_file_name(architecture);
        if !folder.exists() {
            eprintln!("{architecture} was not built: the toolchain lacks its standard library");
            continue;
        }
        for (name, resource) in template()["Resources"].as_object().unwrap() {
            if resource["Type"] == "AWS::Serverless::Function" {
                check(&folder.join(name).join("bootstrap"), machine);
                built += 1;
            }
        }
    }
    assert!(built >= 8, "{built} artifacts");
}

/// SAM builds each function separately in one target folder. A library with other features is compiled again with
/// everything that depends on it: minutes for the AWS SDK.
#[test]
fn all_functions_have_the_same_features_of_their_libraries() {
    let mut all: BTreeMap<String, BTreeMap<BTreeSet<String>, Vec<String>>> = BTreeMap::new();
    for folder in fs::read_dir(tools::root().join("functions")).unwrap().map(|entry| entry.unwrap().path()) {
        let function = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--no-dedupe"]);
        cargo.args(["--format", "{p}\t{f}", "--package", &function]).current_dir(tools::root());
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut of_function: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let tree = String::from_utf8(output.stdout).unwrap();
        for (library, features) in tree.lines().filter_map(|line| line.split_once('\t')) {
            of_function.entry(library).or_default().insert(features.to_owned());
        }
        for (library, features) in of_function {
            all.entry(library.to_owned()).or_default().entry(features).or_default().push(function.clone());
        }
    }
    all.retain(|_, features| features.len() > 1);
    assert!(all.is_empty(), "{all:#?}");
}

fn check(binary: &Path, machine: u16) {
    let bytes = fs::read(binary).unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    assert_eq!(bytes[..4], *b"\x7fELF", "{}", binary.display());
    assert_eq!(u16::from_le_bytes([bytes[18], bytes[19]]), machine, "{}", binary.display());
    let mark = b"GLIBC_";
    let needs =
        bytes.windows(mark.len()).enumerate().filter(|(_, window)| window == mark).filter_map(|(at, _)| {
            let version: String = bytes[at + mark.len()..]
                .iter()
                .map(|byte| char::from(*byte))
                .take_while(|c| c.is_ascii_digit() || *c == '.')
                .collect();
            let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
            Some((parts.next()??, parts.next()??))
        });
    let most = needs.max().unwrap_or_else(|| panic!("{} needs no glibc at all", binary.display()));
    assert!(most <= GLIBC, "{} needs glibc {}.{}", binary.display(), most.0, most.1);
}
