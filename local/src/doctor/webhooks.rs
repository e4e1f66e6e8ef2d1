//! Checks that the webhooks may be called and can be reached. It connects and sends nothing, because a
//! receiver might take any request for a message.

use platform::http::public_roots;
use tokio::task::JoinSet;
use webhook_delivery::{Webhook, is_public};

use super::{
    finding::Finding,
    reach::{self, reach},
    weak_secrets,
};
use crate::serve;

const CHECK: &str = "webhook";

/// The members of the webhooks' secret that hold secrets.
const SECRETS: [&str; 2] = ["sharedSecret", "signingSecret"];

/// Returns the findings about each webhook, and about their secrets.
pub async fn check(options: &serve::Options) -> Vec<Finding> {
    let given = match options.webhooks.read() {
        Ok(Some(given)) => given,
        Ok(None) => return vec![Finding::ok(CHECK, "none; add one with --webhook")],
        Err(error) => {
            return vec![Finding::problem(
                CHECK,
                error.to_string(),
                "correct SEGUE_WEBHOOK or WEBHOOKS_SECRET",
            )];
        }
    };
    let allowed = if options.webhooks.allow_private_webhooks { reach::ANY } else { is_public };
    let mut checks = JoinSet::new();
    let mut findings = weak_secrets::find(CHECK, &given.secret, &SECRETS);
    let unsigned: Vec<&str> = given
        .webhooks
        .webhooks
        .iter()
        .filter(|webhook| given.webhooks.shared_secrets.is_empty() && webhook.signing_secrets.is_empty())
        .map(|webhook| webhook.name.as_str())
        .collect();
    if !unsigned.is_empty() {
        findings.push(Finding::warning(
            CHECK,
            format!(
                "requests to {} are not signed, so the receiver cannot verify that they come from you",
                unsigned.join(", ")
            ),
            "set SEGUE_SHARED_SECRET, and check X-Signature in the receiver (docs/webhooks.md)",
        ));
    }
    for (place, webhook) in given.webhooks.webhooks.into_iter().enumerate() {
        checks.spawn(async move { (place, check_webhook(webhook, allowed).await) });
    }
    let mut reached = checks.join_all().await;
    reached.sort_by_key(|(place, _)| *place);
    reached.into_iter().flat_map(|(_, findings)| findings).chain(findings).collect()
}

async fn check_webhook(webhook: Webhook, allowed: reach::Allowed) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = &webhook.name;
    if let Err(error) = reach(&webhook.url, allowed, public_roots()).await {
        return vec![Finding::problem(CHECK, format!("{name}: {error}"), error.advice())];
    }
    let encrypted = webhook.url.scheme() == "https";
    let how = if encrypted { "accepts connections, with a valid certificate" } else { "accepts connections" };
    findings.push(Finding::ok(CHECK, format!("{name} {how}; doctor sent it nothing")));
    let public = webhook.url.host_str().is_some_and(|host| {
        host != "localhost" && host.trim_matches(['[', ']']).parse().map_or(true, is_public)
    });
    if !encrypted && public {
        findings.push(Finding::warning(
            CHECK,
            format!("{name} is called without encryption: others could read the messages"),
            "begin its URL with https://",
        ));
    }
    findings
}
