//! Whether the account's concurrent executions leave room for what takes events in, while a destination is slow.

use super::{Stack, cli, not_checked};
use crate::doctor::finding::Finding;

const CHECK: &str = "concurrency";

/// How many regulation-delivery has at most, which no parameter changes.
const REGULATION: u64 = 2;

/// How many must be left, so that nothing has to be thought about: 200 requests a second.
const AMPLE: u64 = 20;

/// How many requests a second an environment takes (Lambda quotas, "Requests per second").
const REQUESTS_PER_ENVIRONMENT: u64 = 10;

const FIX: &str = "ask for more: aws service-quotas request-service-quota-increase --service-code lambda --quota-code \
                   L-B99A9384 --desired-value 1000; until then lower SegmentConcurrency and WebhookConcurrency";

/// The finding about the account's limit.
pub async fn check(stack: &Stack) -> Finding {
    match cli::call(&["lambda", "get-account-settings"]).await {
        Err(fault) => not_checked(CHECK, "the account's limit", &fault),
        Ok(settings) => {
            let limit = |name: &str| settings["AccountLimit"][name].as_u64();
            match (limit("ConcurrentExecutions"), limit("UnreservedConcurrentExecutions")) {
                (Some(limit), Some(unreserved)) => assess(stack, limit, unreserved),
                _ => Finding::skipped(CHECK, "the account's limit is not told"),
            }
        }
    }
}

fn assess(stack: &Stack, limit: u64, unreserved: u64) -> Finding {
    let deliveries = deliveries(stack);
    let reserved = stack.number("IngestReservedConcurrency");
    let account = format!("the account runs {limit} functions at once, {unreserved} of them unreserved");
    if reserved > 0 {
        return Finding::ok(
            CHECK,
            format!("{account}; each function that takes events in keeps {reserved} for itself"),
        );
    }
    let left = unreserved.saturating_sub(deliveries);
    let found = format!("{account}; this stack's deliveries may hold {deliveries}");
    match left {
        0 => Finding::problem(
            CHECK,
            format!("{found}, which leaves none to take events in while a destination is slow"),
            FIX,
        ),
        1..AMPLE => Finding::warning(
            CHECK,
            format!(
                "{found}, which leaves {left} to take events in: {} requests a second",
                left * REQUESTS_PER_ENVIRONMENT
            ),
            FIX,
        ),
        _ => Finding::ok(CHECK, found),
    }
}

/// How many environments deliver at once at most.
fn deliveries(stack: &Stack) -> u64 {
    let webhooks = match stack.parameter("WebhooksEnabled") {
        Some("true") => stack.number("WebhookConcurrency"),
        _ => 0,
    };
    let regulations = stack.parameter("PublicApiTokenSecretArn").map_or(0, |_| REGULATION);
    stack.number("SegmentConcurrency") + webhooks + regulations
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::finding::Status;

    fn stack(parameters: &[(&str, &str)]) -> Stack {
        let pair = |(key, value): &(&str, &str)| json!({"ParameterKey": key, "ParameterValue": value});
        let parameters: Vec<_> = parameters.iter().map(pair).collect();
        let stack = json!({"StackName": "s", "StackId": "i", "StackStatus": "CREATE_COMPLETE", "Parameters": parameters});
        Stack::read(&stack).unwrap()
    }

    #[test]
    fn a_slow_destination_must_leave_room_for_what_comes_in() {
        let token = ("PublicApiTokenSecretArn", "arn:…");
        let five =
            [("SegmentConcurrency", "5"), ("WebhookConcurrency", "5"), ("WebhooksEnabled", "true"), token];
        let two =
            [("SegmentConcurrency", "2"), ("WebhookConcurrency", "2"), ("WebhooksEnabled", "true"), token];
        let segment =
            [("SegmentConcurrency", "2"), ("WebhookConcurrency", "2"), ("WebhooksEnabled", "false")];
        let reserved = [("SegmentConcurrency", "5"), ("IngestReservedConcurrency", "20")];
        for (parameters, limit, status, found) in [
            (&five[..], 10, Status::Problem, "may hold 12, which leaves none"),
            (&two, 10, Status::Warning, "may hold 6, which leaves 4 to take events in: 40 requests a second"),
            (&segment, 10, Status::Warning, "may hold 2, which leaves 8"),
            (&five, 1_000, Status::Ok, "may hold 12"),
            (&reserved, 1_000, Status::Ok, "keeps 20 for itself"),
        ] {
            let finding = assess(&stack(parameters), limit, limit);
            assert_eq!(finding.status, status, "{finding:?}");
            assert!(finding.found.contains(found), "{finding:?}");
        }
        let finding = assess(&stack(&two), 1_000, 15);
        assert_eq!(finding.status, Status::Warning, "others reserve the rest: {finding:?}");
    }
}
