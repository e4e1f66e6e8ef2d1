//! Whether the environment has settings that nothing reads: misspelt ones, and those of the functions on AWS.

use std::env;

use clap::Command;
use settings::nearest::{misspelled, nearest};

use super::finding::Finding;

const CHECK: &str = "environment";

/// What our variables begin with.
const OURS: [&str; 3] = ["SEGUE_", "SEGMENT_", "IDENTITY_SECRET"];

/// What only the functions on AWS read, and what this program reads in its place.
const ON_AWS: [(&str, &str); 5] = [
    ("MAPPINGS", "SEGUE_MAPPINGS"),
    ("IDENTITY_SECRET_ARN", "IDENTITY_SECRET"),
    ("WRITE_KEYS_SECRET_ARN", "SEGMENT_WRITE_KEY"),
    ("WEBHOOKS_SECRET_ARN", "WEBHOOKS_SECRET"),
    ("PUBLIC_API_TOKEN_SECRET_ARN", "SEGMENT_PUBLIC_API_TOKEN"),
];

/// Other names by which people guess a setting, and what it is.
const GUESSED: [(&str, &str); 14] = [
    ("SEGMENT_KEY", "SEGMENT_WRITE_KEY"),
    ("SEGMENT_API_KEY", "SEGMENT_WRITE_KEY"),
    ("WRITE_KEY", "SEGMENT_WRITE_KEY"),
    ("WRITEKEY", "SEGMENT_WRITE_KEY"),
    ("SEGMENT_HOST", "SEGMENT_ENDPOINT"),
    ("SEGMENT_API_HOST", "SEGMENT_ENDPOINT"),
    ("SEGMENT_URL", "SEGMENT_ENDPOINT"),
    ("SEGMENT_REGION", "SEGMENT_ENDPOINT"),
    ("SEGMENT_TOKEN", "SEGMENT_PUBLIC_API_TOKEN"),
    ("SEGMENT_API_TOKEN", "SEGMENT_PUBLIC_API_TOKEN"),
    ("SHARED_SECRET", "SEGUE_SHARED_SECRET"),
    ("WEBHOOK_URL", "SEGUE_WEBHOOK"),
    ("HASH_KEY", "IDENTITY_SECRET, with a member hashKey"),
    ("MAPPINGS_FILE", "SEGUE_MAPPINGS"),
];

/// The beginnings of variables about a provider, and the setting that lets its webhooks in.
const PROVIDERS: [(&str, &str); 5] = [
    (
        "FUSIONAUTH_",
        "FUSIONAUTH_SIGNING_SECRET, or IDENTITY_SECRET with a member fusionauth (docs/fusionauth.md)",
    ),
    ("AUTH0_", "IDENTITY_SECRET with a member auth0 (docs/auth0.md)"),
    ("CLERK_", "IDENTITY_SECRET with a member clerk (docs/clerk.md)"),
    ("OKTA_", "IDENTITY_SECRET with a member okta (docs/okta.md)"),
    ("COGNITO_", "the stack's parameter CognitoUserPoolArn (docs/cognito.md): Cognito sends to AWS only"),
];

/// What other programs go through.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The findings about this process's environment. `command` is all of `segue`, with the variables that it reads.
pub fn check(command: &Command) -> Vec<Finding> {
    let names: Vec<String> = env::vars_os()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, _)| name.into_string().ok())
        .collect();
    let findings = assess(&names, &known(command));
    if findings.is_empty() {
        return vec![Finding::ok(CHECK, "no variable that looks like a setting goes unread")];
    }
    findings
}

/// The variables of every command.
fn known(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned));
    own.chain(command.get_subcommands().flat_map(known)).collect()
}

fn assess(names: &[String], known: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in names.iter().filter(|name| !known.contains(name)) {
        if let Some((_, instead)) = ON_AWS.iter().find(|(on_aws, _)| on_aws == name) {
            findings.push(Finding::warning(
                CHECK,
                format!("{name} is set, which only the functions on AWS read"),
                format!("set {instead}"),
            ));
        } else if let Some((_, meant)) = GUESSED.iter().find(|(guessed, _)| guessed == name) {
            findings.push(unread(name, format!("set {meant}, if that is meant")));
        } else if let Some((_, meant)) = PROVIDERS.iter().find(|(prefix, _)| name.starts_with(prefix)) {
            let fix = match misspelled(name, known.iter().map(String::as_str)) {
                Some(near) => format!("set {near}, if that is meant"),
                None => format!("to let webhooks in, set {meant}"),
            };
            findings.push(unread(name, fix));
        } else if OURS.iter().any(|prefix| name.starts_with(prefix)) {
            let ours = known.iter().map(String::as_str);
            let ours = ours.filter(|known| OURS.iter().any(|prefix| known.starts_with(prefix)));
            let fix = match nearest(name, ours) {
                Some(near) => format!("set {near}, if that is meant"),
                None => "segue serve --help has all of them".to_owned(),
            };
            findings.push(unread(name, fix));
        } else if PROXIES.contains(&name.as_str()) {
            findings.push(Finding::warning(
                CHECK,
                format!("{name} is set, but connections are made directly, without a proxy"),
                "let this machine reach its destinations directly",
            ));
        }
    }
    findings
}

fn unread(name: &str, fix: String) -> Finding {
    Finding::warning(CHECK, format!("{name} is set, and Segue does not read it"), fix)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn a_variable_that_nothing_reads_is_named_with_what_was_meant() {
        let known = known(&Cli::command());
        for (name, expected) in [
            ("SEGMENT_WRITEKEY", Some("set SEGMENT_WRITE_KEY, if that is meant")),
            ("SEGUE_WEBHOOKS", Some("set SEGUE_WEBHOOK, if that is meant")),
            ("SEGUE_SOMETHING_ELSE_ENTIRELY", Some("segue serve --help has all of them")),
            ("MAPPINGS", Some("set SEGUE_MAPPINGS")),
            ("HTTPS_PROXY", Some("let this machine reach its destinations directly")),
            ("SEGMENT_KEY", Some("set SEGMENT_WRITE_KEY, if that is meant")),
            ("WRITE_KEY", Some("set SEGMENT_WRITE_KEY, if that is meant")),
            ("SEGMENT_HOST", Some("set SEGMENT_ENDPOINT, if that is meant")),
            (
                "FUSIONAUTH_SECRET",
                Some(
                    "to let webhooks in, set FUSIONAUTH_SIGNING_SECRET, or IDENTITY_SECRET with a member fusionauth (docs/fusionauth.md)",
                ),
            ),
            (
                "AUTH0_TOKEN",
                Some("to let webhooks in, set IDENTITY_SECRET with a member auth0 (docs/auth0.md)"),
            ),
            (
                "CLERK_WEBHOOK_SECRET",
                Some("to let webhooks in, set IDENTITY_SECRET with a member clerk (docs/clerk.md)"),
            ),
            (
                "OKTA_SECRET",
                Some("to let webhooks in, set IDENTITY_SECRET with a member okta (docs/okta.md)"),
            ),
            ("IDENTITY_SECRETS", Some("set IDENTITY_SECRET, if that is meant")),
            ("FUSIONAUTH_SIGNING_SECRTE", Some("set FUSIONAUTH_SIGNING_SECRET, if that is meant")),
            ("SEGMENT_WRITE_KEY", None),
            ("FUSIONAUTH_SIGNING_SECRET", None),
            ("FUSIONAUTH_API_KEY", None),
            ("AUTH0_DOMAIN", None),
            ("SEGUE_LISTEN", None),
            ("HOME", None),
        ] {
            let findings = assess(&[name.to_owned()], &known);
            let fix = findings.first().and_then(|finding| finding.fix.as_deref());
            assert_eq!(fix, expected, "{name}");
        }
    }
}
