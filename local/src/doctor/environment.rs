//! Finds environment variables that nothing reads: misspelled ones, and those of the functions on AWS.

use std::env;

use clap::Command;
use settings::nearest::{misspelled, nearest};

use super::finding::Finding;

const CHECK: &str = "environment";

/// The prefixes of Segue's variables.
const OURS: [&str; 3] = ["SEGUE_", "SEGMENT_", "IDENTITY_SECRET"];

/// Variables that only the functions on AWS read, each with the one that this program reads instead.
const ON_AWS: [(&str, &str); 5] = [
    ("MAPPINGS", "SEGUE_MAPPINGS"),
    ("IDENTITY_SECRET_ARN", "IDENTITY_SECRET"),
    ("WRITE_KEYS_SECRET_ARN", "SEGMENT_WRITE_KEY"),
    ("WEBHOOKS_SECRET_ARN", "WEBHOOKS_SECRET"),
    ("PUBLIC_API_TOKEN_SECRET_ARN", "SEGMENT_PUBLIC_API_TOKEN"),
];

/// Names that people guess, each with the right one.
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

/// The prefixes of variables about a provider, each with the setting that authenticates its webhooks.
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

/// Variables that name a proxy for other programs.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Returns the findings about this process's environment. `command` is all of `segue`, with the variables it
/// reads.
pub fn check(command: &Command) -> Vec<Finding> {
    let names: Vec<String> = env::vars_os()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, _)| name.into_string().ok())
        .collect();
    let findings = assess(&names, &known(command));
    if findings.is_empty() {
        return vec![Finding::ok(CHECK, "no unknown settings")];
    }
    findings
}

/// Returns the variables of every command.
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
                format!("{name} is set, but only the functions on AWS read it"),
                format!("set {instead}"),
            ));
        } else if let Some((_, meant)) = GUESSED.iter().find(|(guessed, _)| guessed == name) {
            findings.push(unread(name, format!("set {meant} instead, if you mean that")));
        } else if let Some((_, meant)) = PROVIDERS.iter().find(|(prefix, _)| name.starts_with(prefix)) {
            let fix = match misspelled(name, known.iter().map(String::as_str)) {
                Some(near) => format!("set {near} instead, if you mean that"),
                None => format!("to accept its webhooks, set {meant}"),
            };
            findings.push(unread(name, fix));
        } else if OURS.iter().any(|prefix| name.starts_with(prefix)) {
            let ours = known.iter().map(String::as_str);
            let ours = ours.filter(|known| OURS.iter().any(|prefix| known.starts_with(prefix)));
            let fix = match nearest(name, ours) {
                Some(near) => format!("set {near} instead, if you mean that"),
                None => "segue serve --help lists all variables".to_owned(),
            };
            findings.push(unread(name, fix));
        } else if PROXIES.contains(&name.as_str()) {
            findings.push(Finding::warning(
                CHECK,
                format!("{name} is set, but Segue connects directly, without a proxy"),
                "make sure this machine reaches the destinations directly",
            ));
        }
    }
    findings
}

fn unread(name: &str, fix: String) -> Finding {
    Finding::warning(CHECK, format!("{name} is set, but Segue does not read it"), fix)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn a_variable_that_nothing_reads_is_reported_with_the_right_name() {
        let known = known(&Cli::command());
        for (name, expected) in [
            ("SEGMENT_WRITEKEY", Some("set SEGMENT_WRITE_KEY instead, if you mean that")),
            ("SEGUE_WEBHOOKS", Some("set SEGUE_WEBHOOK instead, if you mean that")),
            ("SEGUE_SOMETHING_ELSE_ENTIRELY", Some("segue serve --help lists all variables")),
            ("MAPPINGS", Some("set SEGUE_MAPPINGS")),
            ("HTTPS_PROXY", Some("make sure this machine reaches the destinations directly")),
            ("SEGMENT_KEY", Some("set SEGMENT_WRITE_KEY instead, if you mean that")),
            ("WRITE_KEY", Some("set SEGMENT_WRITE_KEY instead, if you mean that")),
            ("SEGMENT_HOST", Some("set SEGMENT_ENDPOINT instead, if you mean that")),
            (
                "FUSIONAUTH_SECRET",
                Some(
                    "to accept its webhooks, set FUSIONAUTH_SIGNING_SECRET, or IDENTITY_SECRET with a member fusionauth (docs/fusionauth.md)",
                ),
            ),
            (
                "AUTH0_TOKEN",
                Some("to accept its webhooks, set IDENTITY_SECRET with a member auth0 (docs/auth0.md)"),
            ),
            (
                "CLERK_WEBHOOK_SECRET",
                Some("to accept its webhooks, set IDENTITY_SECRET with a member clerk (docs/clerk.md)"),
            ),
            (
                "OKTA_SECRET",
                Some("to accept its webhooks, set IDENTITY_SECRET with a member okta (docs/okta.md)"),
            ),
            ("IDENTITY_SECRETS", Some("set IDENTITY_SECRET instead, if you mean that")),
            ("FUSIONAUTH_SIGNING_SECRTE", Some("set FUSIONAUTH_SIGNING_SECRET instead, if you mean that")),
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
