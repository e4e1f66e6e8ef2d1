//! Checks that the stack is deployed, and finds the cause if it is not.

use serde_json::Value;

use super::{Stack, cli};
use crate::doctor::finding::Finding;

pub const CHECK: &str = "stack";

/// The most events that are read. A deployment of the whole stack makes about 300.
const EVENTS: &str = "1000";

/// Returns the finding about the stack's status.
pub async fn check(stack: &Stack) -> Finding {
    let Stack { name, status, .. } = stack;
    let found = format!("{name} is {status}");
    match status.as_str() {
        "REVIEW_IN_PROGRESS" => Finding::problem(
            CHECK,
            format!("{found}: nothing is deployed yet"),
            "run make deploy, which also executes the change set",
        ),
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" | "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => {
            Finding::ok(CHECK, found)
        }
        // The stack works as before the deployment.
        "UPDATE_ROLLBACK_COMPLETE" => Finding::warning(
            CHECK,
            format!("{found}: the last deployment was rolled back{}", failure_cause(stack).await),
            "fix the cause, then deploy again",
        ),
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => Finding::problem(
            CHECK,
            format!("{found}: the first deployment failed{}", failure_cause(stack).await),
            "fix the cause, delete the stack (it holds nothing yet), then deploy again",
        ),
        "UPDATE_ROLLBACK_FAILED" => Finding::problem(
            CHECK,
            format!(
                "{found}: the last deployment failed, and so did its rollback{}",
                failure_cause(stack).await
            ),
            format!(
                "fix the cause, then run aws cloudformation continue-update-rollback --stack-name {name}"
            ),
        ),
        failed if failed.ends_with("_FAILED") => Finding::problem(
            CHECK,
            format!("{found}{}", failure_cause(stack).await),
            "fix the cause, then try again",
        ),
        _ => Finding::warning(
            CHECK,
            format!("{found}: a change is in progress"),
            "run doctor again when it is done",
        ),
    }
}

/// Returns the first failure of the last deployment, as the end of a sentence.
async fn failure_cause(stack: &Stack) -> String {
    let arguments =
        ["cloudformation", "describe-stack-events", "--stack-name", &stack.id, "--max-items", EVENTS];
    match cli::call(&arguments).await {
        Err(fault) => format!("; the cause could not be read: {fault}"),
        Ok(events) => match first_failure(&events["StackEvents"], &stack.id) {
            Some((resource, reason)) => format!(" because of {resource}: {reason}"),
            None => "; its events name no cause".to_owned(),
        },
    }
}

/// Returns the resource and reason of the first failure in the last deployment. Events are listed newest
/// first. CloudFormation cancels other resources because of the first failure; those are skipped.
fn first_failure<'a>(events: &'a Value, stack_id: &str) -> Option<(&'a str, &'a str)> {
    let begins = |event: &&Value| {
        let status = text(event, "ResourceStatus");
        text(event, "PhysicalResourceId") == stack_id
            && status.ends_with("_IN_PROGRESS")
            && !status.contains("ROLLBACK")
            && !status.contains("CLEANUP")
    };
    let last = events.as_array()?.iter().take_while(|event| !begins(event));
    let failed = last.filter(|event| text(event, "ResourceStatus").ends_with("_FAILED"));
    let caused = failed.filter(|event| !text(event, "ResourceStatusReason").contains("cancelled"));
    let first = caused.last()?;
    Some((text(first, "LogicalResourceId"), text(first, "ResourceStatusReason")))
}

fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event[name].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_failure_of_the_last_deployment_is_the_cause() {
        let event = |resource: &str, id: &str, status: &str, reason: &str| {
            json!({"LogicalResourceId": resource, "PhysicalResourceId": id, "ResourceStatus": status,
                "ResourceStatusReason": reason})
        };
        let events = json!([
            event("segue", "stack", "UPDATE_ROLLBACK_COMPLETE", ""),
            event("Api", "a", "UPDATE_COMPLETE", ""),
            event("segue", "stack", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resources failed"),
            event("Api", "a", "UPDATE_FAILED", "Resource update cancelled"),
            event("Queue", "q", "UPDATE_FAILED", "the second"),
            event("Version", "v", "CREATE_FAILED", "the cause"),
            event("Api", "a", "UPDATE_IN_PROGRESS", ""),
            event("segue", "stack", "UPDATE_IN_PROGRESS", "User Initiated"),
            event("Old", "o", "CREATE_FAILED", "an earlier deployment"),
        ]);
        assert_eq!(first_failure(&events, "stack"), Some(("Version", "the cause")));
        assert_eq!(first_failure(&json!([]), "stack"), None);
        assert_eq!(first_failure(&Value::Null, "stack"), None);
    }
}
