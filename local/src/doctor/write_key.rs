//! Whether the write keys have the form of write keys. Segment answers 200 to a wrong one, so there is nothing to ask.

use std::collections::BTreeMap;

use identity::Config;
use platform::write_keys::WriteKeys;
use serde_json::Value;

use super::finding::Finding;
use crate::serve;

const CHECK: &str = "write key";

/// Where one is found.
const WHERE: &str = "copy it from Segment: Connections, Sources, your source, Settings, API Keys";

/// How long they are.
const LENGTH: usize = 32;

/// One finding for each write key that is not right, or one for all.
pub fn check(options: &serve::Options) -> Vec<Finding> {
    let text = match (&options.segment.write_key, options.segment.use_stand_in()) {
        (Some(text), _) => text,
        (None, true) => {
            return vec![Finding::ok(CHECK, "not needed: the stand-in for Segment has its own, local")];
        }
        (None, false) => {
            let fix = format!("set SEGMENT_WRITE_KEY; {WHERE}");
            return vec![Finding::problem(CHECK, "there is none, and Segment takes nothing without", fix)];
        }
    };
    if let Err(problem) = WriteKeys::parse(text) {
        let found = match text.trim().starts_with('"') {
            true => "it is in quotes, which are no part of it".to_owned(),
            false => format!("SEGMENT_WRITE_KEY is not usable: {problem}"),
        };
        return vec![Finding::problem(CHECK, found, WHERE)];
    }
    let keys = keys_by_name(text);
    let mut findings: Vec<Finding> = keys.iter().filter_map(|(name, key)| assess(name, key)).collect();
    findings.extend(missing_keys(options, &keys));
    if findings.is_empty() {
        let found = match keys.len() {
            1 => "it has a write key's form".to_owned(),
            count => format!("all {count} have a write key's form"),
        };
        let found = format!(
            "{found}. Whether Segment knows it, only the source's Debugger shows: it answers 200 to any"
        );
        findings.push(Finding::ok(CHECK, found));
    }
    findings
}

/// The keys by name, with whatever is around them.
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

/// What is wrong with one, quoting nothing of it.
fn assess(name: &str, key: &str) -> Option<Finding> {
    let it =
        if name == settings::DEFAULT_WRITE_KEY { "it".to_owned() } else { format!("the one named {name:?}") };
    let problem = |found: &str| Some(Finding::problem(CHECK, format!("{it} {found}"), WHERE));
    let warning = |found: &str| Some(Finding::warning(CHECK, format!("{it} {found}"), WHERE));
    let bare = key.trim();
    if bare.starts_with("sgp_") {
        return problem("is a token of the Public API; a write key is that of a source");
    }
    if bare.contains(['"', '\'', '`']) {
        return problem("has quotes in it, which are no part of a write key");
    }
    if bare.contains(char::is_whitespace) {
        return problem("has a space or a line's end in it; it may be two");
    }
    if bare.contains(['<', '>', '…', '$', '{', '.']) || bare.to_ascii_lowercase().contains("write_key") {
        return problem("is a placeholder, not a write key");
    }
    if bare.contains("://") || bare.contains('/') {
        return problem("is an address, not a write key");
    }
    if !bare.chars().all(|character| character.is_ascii_alphanumeric()) {
        return warning(
            "has characters other than letters and digits, which write keys have not; it may be the source's slug",
        );
    }
    if bare.len() != LENGTH {
        let count = bare.len();
        return warning(&format!(
            "has {count} characters, and write keys have {LENGTH}; it may be the source's id, or cut off"
        ));
    }
    (bare != key).then(|| {
        let found =
            format!("{it} has space or a line's end around it, which is taken off here and not everywhere");
        Finding::warning(CHECK, found, "store it without; echo adds a line's end, echo -n does not")
    })
}

/// Names that tenants use and nothing has.
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
            format!(
                "tenant {tenant} has the write key name {name:?}, and there is no write key of that name"
            ),
            "add it to the object in SEGMENT_WRITE_KEY, or correct TENANT_WRITE_KEYS",
        ));
    }
    if !keys.contains_key(settings::DEFAULT_WRITE_KEY) {
        findings.push(Finding::problem(
            CHECK,
            "none is named \"default\", which all but the named tenants use",
            "add one of that name to the object in SEGMENT_WRITE_KEY",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Status;

    #[test]
    fn what_is_taken_for_a_write_key_is_told_from_one_and_never_quoted() {
        for (key, status, expected) in [
            ("sgp_0123456789abcdefghij", Status::Problem, "a token of the Public API"),
            ("'abcdefghijklmnopqrstuvwxyz012345'", Status::Problem, "has quotes in it"),
            ("abcdefghij klmnopqrst", Status::Problem, "has a space or a line's end in it"),
            ("abcdefghij\nklmnopqrst", Status::Problem, "has a space or a line's end in it"),
            ("YOUR_WRITE_KEY", Status::Problem, "is a placeholder"),
            ("<write key>x", Status::Problem, "has a space"),
            ("$SEGMENT_KEY", Status::Problem, "is a placeholder"),
            ("…", Status::Problem, "is a placeholder"),
            ("https://x/abcdef", Status::Problem, "is an address"),
            ("my-javascript-source", Status::Warning, "the source's slug"),
            ("rh5BDZp6QDHvXFCkibm1pR", Status::Warning, "has 22 characters, and write keys have 32"),
            (" abcdefghijklmnopqrstuvwxyz012345\n", Status::Warning, "around it"),
        ] {
            let finding = assess(settings::DEFAULT_WRITE_KEY, key).unwrap();
            assert_eq!(finding.status, status, "{key}: {}", finding.found);
            assert!(finding.found.contains(expected), "{key}: {}", finding.found);
            assert!(key.len() < 4 || !format!("{finding:?}").contains(key.trim()), "{finding:?}");
        }
        assert_eq!(assess(settings::DEFAULT_WRITE_KEY, "abcdefghijklmnopqrstuvwxyz012345"), None);
        assert!(assess("shop", "x").unwrap().found.starts_with("the one named \"shop\" has 1 characters"));
    }
}
