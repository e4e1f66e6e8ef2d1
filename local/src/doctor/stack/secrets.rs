//! Checks that the stack's secrets have a value. It reads only their descriptions.

use futures_util::future::join_all;
use serde_json::Value;

use super::{Stack, cli, not_checked};
use crate::doctor::finding::Finding;

const CHECK: &str = "secret";

/// A secret of the stack.
struct Secret {
    /// Its name in the outputs or the parameters.
    name: &'static str,
    /// The parameter with which users name their own secret instead.
    parameter: &'static str,
    /// The consequence of an empty secret.
    without: &'static str,
    /// Whether the stack needs it.
    is_needed: bool,
}

const SECRETS: [Secret; 4] = [
    Secret {
        name: "WriteKeysSecret",
        parameter: "WriteKeysSecretArn",
        without: "messages wait, and calls of Segment libraries are rejected",
        is_needed: true,
    },
    Secret {
        name: "IdentitySecret",
        parameter: "IdentitySecretArn",
        without: "webhooks of identity providers are rejected",
        is_needed: false,
    },
    Secret {
        name: "WebhooksSecret",
        parameter: "WebhooksSecretArn",
        without: "messages for webhooks wait",
        is_needed: true,
    },
    Secret {
        name: "PublicApiTokenSecretArn",
        parameter: "PublicApiTokenSecretArn",
        without: "deletions wait",
        is_needed: true,
    },
];

/// Returns a finding for each secret that the stack uses.
pub async fn check(stack: &Stack) -> Vec<Finding> {
    let used = SECRETS.iter().filter_map(|secret| {
        let id = stack.outputs.get(secret.name).map(String::as_str).or(stack.parameter(secret.name))?;
        Some((secret, id))
    });
    join_all(used.map(async |(secret, id)| {
        match cli::call(&["secretsmanager", "describe-secret", "--secret-id", id]).await {
            Ok(description) => assess(secret, stack.parameter(secret.parameter).is_some(), id, &description),
            Err(fault) => not_checked(CHECK, secret.name, &fault),
        }
    }))
    .await
}

fn assess(secret: &Secret, is_own: bool, id: &str, description: &Value) -> Finding {
    let Secret { name, without, is_needed, .. } = secret;
    if !description["DeletedDate"].is_null() {
        return Finding::problem(
            CHECK,
            format!("{name} is scheduled for deletion; after that {without}"),
            format!("restore it: aws secretsmanager restore-secret --secret-id {id}"),
        );
    }
    if is_own {
        return Finding::ok(CHECK, format!("{name} is your own secret, and it exists"));
    }
    if was_stored(description) {
        return Finding::ok(CHECK, format!("{name} has a value"));
    }
    let found = format!("{name} is still empty: {without}");
    let fix = format!(
        "fill it: aws secretsmanager put-secret-value --secret-id {id} --secret-string file://<file>; for the file's \
         content see docs/first-deploy.md, step 6"
    );
    match is_needed {
        true => Finding::problem(CHECK, found, fix),
        false => Finding::warning(CHECK, found, fix),
    }
}

/// Whether a value was stored after the first one, which the stack stored. The first one is then the previous
/// version. The dates do not show it, because a new description or tag changes them too.
fn was_stored(description: &Value) -> bool {
    let stages = description["VersionIdsToStages"].as_object();
    let stages = stages.into_iter().flat_map(|versions| versions.values());
    stages.filter_map(Value::as_array).flatten().any(|stage| stage == "AWSPREVIOUS")
}
