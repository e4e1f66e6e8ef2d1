//! Whether the environment has settings that nothing reads: misspelt ones, and those of the functions on AWS.

use std::env;

use clap::{Command, CommandFactory};
use platform::nearest::nearest;

use super::finding::Finding;
use crate::cli::Cli;

const CHECK: &str = "environment";

/// What our variables begin with.
const OURS: [&str; 2] = ["SEGUE_", "SEGMENT_"];

/// What only the functions on AWS read, and what this program reads in its place.
const ON_AWS: [(&str, &str); 5] = [
    ("MAPPINGS", "SEGUE_MAPPINGS"),
    ("IDENTITY_SECRET_ARN", "IDENTITY_SECRET"),
    ("WRITE_KEYS_SECRET_ARN", "SEGMENT_WRITE_KEY"),
    ("WEBHOOKS_SECRET_ARN", "WEBHOOKS_SECRET"),
    ("PUBLIC_API_TOKEN_SECRET_ARN", "SEGMENT_PUBLIC_API_TOKEN"),
];

/// What other programs go through.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The findings about this process's environment.
pub fn check() -> Vec<Finding> {
    let names: Vec<String> = env::vars_os()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, _)| name.into_string().ok())
        .collect();
    let findings = judged(&names, &known(&Cli::command()));
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

fn judged(names: &[String], known: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in names.iter().filter(|name| !known.contains(name)) {
        if let Some((_, instead)) = ON_AWS.iter().find(|(on_aws, _)| on_aws == name) {
            findings.push(Finding::warning(
                CHECK,
                format!("{name} is set, which only the functions on AWS read"),
                format!("set {instead}"),
            ));
        } else if OURS.iter().any(|prefix| name.starts_with(prefix)) {
            let ours = known.iter().map(String::as_str);
            let ours = ours.filter(|known| OURS.iter().any(|prefix| known.starts_with(prefix)));
            let fix = match nearest(name, ours) {
                Some(near) => format!("set {near}, if that is meant"),
                None => "segue serve --help has all of them".to_owned(),
            };
            findings.push(Finding::warning(CHECK, format!("{name} is set, and nothing reads it"), fix));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_nothing_reads_is_named_with_what_was_meant() {
        let known = known(&Cli::command());
        for (name, expected) in [
            ("SEGMENT_WRITEKEY", Some("set SEGMENT_WRITE_KEY, if that is meant")),
            ("SEGUE_WEBHOOKS", Some("set SEGUE_WEBHOOK, if that is meant")),
            ("SEGUE_SOMETHING_ELSE_ENTIRELY", Some("segue serve --help has all of them")),
            ("MAPPINGS", Some("set SEGUE_MAPPINGS")),
            ("HTTPS_PROXY", Some("let this machine reach its destinations directly")),
            ("SEGMENT_WRITE_KEY", None),
            ("SEGUE_LISTEN", None),
            ("HOME", None),
        ] {
            let findings = judged(&[name.to_owned()], &known);
            let fix = findings.first().and_then(|finding| finding.fix.as_deref());
            assert_eq!(fix, expected, "{name}");
        }
    }
}
