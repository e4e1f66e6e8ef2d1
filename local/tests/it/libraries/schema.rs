//! The JSON schema of mappings and providers' files, as an editor uses it, and what Segue itself accepts.

use identity::{GUIDE, Mappings, TEXTS, schema};
use serde_json::{Value, json};

use super::python;
use crate::process::sample;

/// Returns the number of faults that the schema finds in each document.
async fn faults(documents: &[String]) -> Vec<usize> {
    let input = json!({"schema": schema(), "documents": documents}).to_string();
    let output = python("check_schema.py", &[], input).await;
    let faults: Vec<Vec<String>> = serde_json::from_str(&output).unwrap();
    faults.iter().map(Vec::len).collect()
}

fn acme() -> String {
    std::fs::read_to_string(sample("provider-files/acme.toml")).unwrap()
}

#[tokio::test]
async fn the_schema_takes_every_file_that_segue_has() {
    let mut documents: Vec<String> = TEXTS.iter().map(|(_, text)| (*text).to_owned()).collect();
    documents.extend([GUIDE.to_owned(), acme()]);
    assert_eq!(faults(&documents).await, vec![0; documents.len()]);
}

/// Each key of the example and of a built-in file with one letter more.
#[tokio::test]
async fn the_schema_and_segue_refuse_the_same_typos() {
    let clerk = TEXTS.iter().find(|(name, _)| *name == "clerk").unwrap().1;
    let mut documents = Vec::new();
    for text in [acme(), clerk.to_owned()] {
        for (index, line) in text.lines().enumerate() {
            let Some((key, rest)) = line.split_once(" = ") else { continue };
            if key.starts_with('#') || key.contains('"') {
                continue;
            }
            let mut lines: Vec<&str> = text.lines().collect();
            let typo = format!("{key}x = {rest}");
            lines[index] = &typo;
            documents.push(lines.join("\n"));
        }
    }
    assert!(documents.len() > 40, "{}", documents.len());
    for (document, faults) in documents.iter().zip(faults(&documents).await) {
        // Segue also knows that a set or a required key is missing, and a schema cannot.
        let segue = Mappings::with("own.toml", document);
        assert!(faults == 0 || segue.is_err(), "only the schema refuses it: {document}");
        let unknown = segue.err().is_some_and(|error| error.to_string().contains("there is no key"));
        assert!(faults > 0 || !unknown, "only Segue refuses it: {document}");
    }
}

#[test]
fn the_command_prints_the_schema() {
    let output = crate::program::run(&["mappings", "--schema"], b"");
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, schema());
}
