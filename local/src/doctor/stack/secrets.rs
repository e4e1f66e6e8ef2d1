//! Whether somebody has stored something in the stack's secrets. Only their descriptions are read.

use futures_util::future::join_all;
use serde_json::Value;

use super::{Stack, cli, not_checked};
use crate::doctor::finding::Finding;

const CHECK: &str = "secret";

/// A secret of the stack.
struct Secret {
    /// Its name among the outputs or the parameters.
    name: &'static str,
    /// The parameter that names one of the user's own in its place.
    parameter: &'static str,
    /// The consequence of leaving it empty.
    without: &'static str,
    /// Whether a stack may do without.
    is_needed: bool,
}

const SECRETS: [Secret; 4] = [
    Secret {
        name: "WriteKeysSecret",
        parameter: "WriteKeysSecretArn",
        without: "messages wait, and Segment libraries are refused",
        is_needed: true,
    },
    Secret {
        name: "IdentitySecret",
        parameter: "IdentitySecretArn",
        without: "webhooks of identity providers are refused",
        is_needed: false,
    },
    Secret {
        name: "WebhooksSecret",
        parameter: "WebhooksSecretArn",
        without: "messages wait for the webhooks",
        is_needed: true,
    },
    Secret {
        name: "PublicApiTokenSecretArn",
        parameter: "PublicApiTokenSecretArn",
        without: "deletions wait",
        is_needed: true,
    },
];

/// The findings about each secret that the stack uses.
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
            format!("{name} is being deleted; then {without}"),
            format!("aws secretsmanager restore-secret --secret-id {id}"),
        );
    }
    if is_own {
        return Finding::ok(CHECK, format!("{name} is one of your own, and is there"));
    }
    if was_stored(description) {
        return Finding::ok(CHECK, format!("{name} was filled"));
    }
    let found = format!("{name} is as the stack made it, without content: {without}");
    let fix = format!(
        "aws secretsmanager put-secret-value --secret-id {id} --secret-string file://<file>; docs/first-deploy.md, step 6, says \
         what is in the file"
    );
    match is_needed {
        true => Finding::problem(CHECK, found, fix),
        false => Finding::warning(CHECK, found, fix),
    }
}

/// Whether a value was stored after the one that the stack made it with: that one is then the previous. The dates would
/// not tell, because a new description or tag changes them too.
fn was_stored(description: &Value) -> bool {
    let stages = description["VersionIdsToStages"].as_object();
    let stages = stages.into_iter().flat_map(|versions| versions.values());
    stages.filter_map(Value::as_array).flatten().any(|stage| stage == "AWSPREVIOUS")
}
