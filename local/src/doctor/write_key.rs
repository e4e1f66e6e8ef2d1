//! Checks the form of the write keys. Segment answers 200 to a wrong key, so it cannot be asked.

use std::collections::BTreeMap;

use identity::Config;
use platform::write_keys::WriteKeys;
use serde_json::Value;

use super::{finding::Finding, plural};
use crate::serve;

const CHECK: &str = "write key";

/// Where to find a write key.
const WHERE: &str = "copy it from Segment: Connections, Sources, your source, Settings, API Keys";

/// The length of a write key.
const LENGTH: usize = 32;

/// Returns a finding for each wrong write key, or one for all if none is wrong.
pub fn check(options: &serve::Options) -> Vec<Finding> {
    let text = match (&options.segment.write_key, options.segment.use_stand_in()) {
        (Some(text), _) => text,
        (None, true) => {
            return vec![Finding::ok(CHECK, "not needed: the stand-in uses its own, local")];
        }
        (None, false) => {
            let fix = format!("set SEGMENT_WRITE_KEY; {WHERE}");
            return vec![Finding::problem(CHECK, "there is none, and Segment needs one", fix)];
        }
    };
    if let Err(problem) = WriteKeys::parse(text) {
        let found = match text.trim().starts_with('"') {
            true => "it is in quotes, which do not belong to it".to_owned(),
            false => format!("SEGMENT_WRITE_KEY is not usable: {problem}"),
        };
        return vec![Finding::problem(CHECK, found, WHERE)];
    }
    let keys = keys_by_name(text);
    let mut findings: Vec<Finding> = keys.iter().filter_map(|(name, key)| assess(name, key)).collect();
    findings.extend(missing_keys(options, &keys));
    if findings.is_empty() {
        let found = match keys.len() {
            1 => "it looks like a write key".to_owned(),
            count => format!("all {count} look like write keys"),
        };
        let found = format!(
            "{found}. Segment answers 200 to any key; only the source's Debugger shows whether it is right"
        );
        findings.push(Finding::ok(CHECK, found));
    }
    findings
}

/// Returns the keys by name, not trimmed.
fn keys_by_name(text: &str) -> BTreeMap<String, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => object
            .into_iter()
            .filter_map(|(name, key)| Some((name, key.as_str()?.to_owned())))
            .filter(|(_, key)| !key.trim().is_empty())
            .collect(),
        _ => BTreeMap::from([(settings::DEFAULT_WRITE_KEY.to_owned(), text.to_owned())]),
    }
}

/// Returns what is wrong with a key, without quoting it.
fn assess(name: &str, key: &str) -> Option<Finding> {
    let it =
        if name == settings::DEFAULT_WRITE_KEY { "it".to_owned() } else { format!("the one named {name:?}") };
    let problem = |found: &str| Some(Finding::problem(CHECK, format!("{it} {found}"), WHERE));
    let warning = |found: &str| Some(Finding::warning(CHECK, format!("{it} {found}"), WHERE));
    let bare = key.trim();
    if bare.starts_with("sgp_") {
        return problem("is a token of the Public API; use the write key of a source");
    }
    if bare.contains(['"', '\'', '`']) {
        return problem("has quotes in it, which do not belong to a write key");
    }
    if bare.contains(char::is_whitespace) {
        return problem("has a space or a line break in it; it may be two keys");
    }
    if bare.contains(['<', '>', '…', '$', '{', '.']) || bare.to_ascii_lowercase().contains("write_key") {
        return problem("is a placeholder, not a write key");
    }
    if bare.contains("://") || bare.contains('/') {
        return problem("is an address, not a write key");
    }
    if !bare.chars().all(|character| character.is_ascii_alphanumeric()) {
        return warning("has characters other than letters and digits, so it may be the source's slug");
    }
    if bare.len() != LENGTH {
        let length = plural(bare.len() as u64, "character");
        return warning(&format!(
            "has {length}, but write keys have {LENGTH}; it may be the source's id, or cut off"
        ));
    }
    (bare != key).then(|| {
        let found =
            format!("{it} has spaces or a line break around it; Segue removes them, other programs may not");
        Finding::warning(CHECK, found, "store it without them; echo adds a line break, echo -n does not")
    })
}

/// Finds write key names without a write key.
fn missing_keys(options: &serve::Options, keys: &BTreeMap<String, String>) -> Vec<Finding> {
    let config = Config::from_variables(|name| match name {
        "SEGUE_DEPLOYMENT" => Some("local".to_owned()),
        "TENANT_WRITE_KEYS" => options.tenant_write_keys.clone(),
        _ => None,
    });
    let tenants = match config {
        Ok(config) => config.tenants,
        Err(error) => {
            let fix = r#"set TENANT_WRITE_KEYS to an object such as {"<tenant id>":"<write key name>"}"#;
            return vec![Finding::problem(CHECK, error.to_string(), fix)];
        }
    };
    let mut findings = Vec::new();
    for (tenant, name) in tenants.into_iter().filter(|(_, name)| !keys.contains_key(name)) {
        findings.push(Finding::problem(
            CHECK,
            format!("tenant {tenant} uses the write key {name:?}, but there is no write key with this name"),
            "add it to the object in SEGMENT_WRITE_KEY, or correct TENANT_WRITE_KEYS",
        ));
    }
    if !keys.contains_key(settings::DEFAULT_WRITE_KEY) {
        findings.push(Finding::problem(
            CHECK,
            "no write key is named \"default\"; all tenants that are not listed use it",
            "add one with this name to the object in SEGMENT_WRITE_KEY",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Status;

    #[test]
    fn text_that_is_no_write_key_is_reported_and_never_quoted() {
        for (key, status, expected) in [
            ("sgp_0123456789abcdefghij", Status::Problem, "a token of the Public API"),
            ("'abcdefghijklmnopqrstuvwxyz012345'", Status::Problem, "has quotes in it"),
            ("abcdefghij klmnopqrst", Status::Problem, "has a space or a line break in it"),
            ("abcdefghij\nklmnopqrst", Status::Problem, "has a space or a line break in it"),
            ("YOUR_WRITE_KEY", Status::Problem, "is a placeholder"),
            ("<write key>x", Status::Problem, "has a space"),
            ("$SEGMENT_KEY", Status::Problem, "is a placeholder"),
            ("…", Status::Problem, "is a placeholder"),
            ("https://x/abcdef", Status::Problem, "is an address"),
            ("my-javascript-source", Status::Warning, "the source's slug"),
            ("rh5BDZp6QDHvXFCkibm1pR", Status::Warning, "has 22 characters, but write keys have 32"),
            (" abcdefghijklmnopqrstuvwxyz012345\n", Status::Warning, "around it"),
        ] {
            let finding = assess(settings::DEFAULT_WRITE_KEY, key).unwrap();
            assert_eq!(finding.status, status, "{key}: {}", finding.found);
            assert!(finding.found.contains(expected), "{key}: {}", finding.found);
            assert!(key.len() < 4 || !format!("{finding:?}").contains(key.trim()), "{finding:?}");
        }
        assert_eq!(assess(settings::DEFAULT_WRITE_KEY, "abcdefghijklmnopqrstuvwxyz012345"), None);
        assert!(assess("shop", "x").unwrap().found.starts_with("the one named \"shop\" has 1 character"));
    }
}
