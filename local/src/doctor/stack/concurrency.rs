//! Checks that slow deliveries leave enough of the account's concurrent executions for receiving events.

use super::{Stack, cli, not_checked};
use crate::doctor::finding::Finding;

const CHECK: &str = "concurrency";

/// The most executions of regulation-delivery, and of warehouse-delivery. No parameter changes them.
const REGULATION: u64 = 2;
const WAREHOUSE: u64 = 2;

/// Enough executions for receiving events: 200 requests per second.
const AMPLE: u64 = 20;

/// The most requests per second in one execution environment (Lambda quotas, "Requests per second").
const REQUESTS_PER_ENVIRONMENT: u64 = 10;

const FIX: &str = "raise the limit: aws service-quotas request-service-quota-increase --service-code lambda --quota-code \
                   L-B99A9384 --desired-value 1000; until then, lower SegmentConcurrency and WebhookConcurrency";

/// Returns the finding about the account's limit.
pub async fn check(stack: &Stack) -> Finding {
    match cli::call(&["lambda", "get-account-settings"]).await {
        Err(fault) => not_checked(CHECK, "the account's limit", &fault),
        Ok(settings) => {
            let limit = |name: &str| settings["AccountLimit"][name].as_u64();
            match (limit("ConcurrentExecutions"), limit("UnreservedConcurrentExecutions")) {
                (Some(limit), Some(unreserved)) => assess(stack, limit, unreserved),
                _ => Finding::skipped(CHECK, "AWS does not report the account's limit"),
            }
        }
    }
}

fn assess(stack: &Stack, limit: u64, unreserved: u64) -> Finding {
    let deliveries = deliveries(stack);
    let reserved = stack.number("IngestReservedConcurrency");
    let account = format!("the account may run {limit} functions at once, {unreserved} of them unreserved");
    if reserved > 0 {
        return Finding::ok(
            CHECK,
            format!("{account}; {reserved} are reserved for each function that receives events"),
        );
    }
    let left = unreserved.saturating_sub(deliveries);
    let found = format!("{account}; this stack's deliveries can use {deliveries}");
    match left {
        0 => Finding::problem(
            CHECK,
            format!("{found}, which leaves none for receiving events while a destination is slow"),
            FIX,
        ),
        1..AMPLE => Finding::warning(
            CHECK,
            format!(
                "{found}, which leaves {left} for receiving events ({} requests per second)",
                left * REQUESTS_PER_ENVIRONMENT
            ),
            FIX,
        ),
        _ => Finding::ok(CHECK, found),
    }
}

/// Returns the most executions that deliver at once.
fn deliveries(stack: &Stack) -> u64 {
    let webhooks = match stack.parameter("WebhooksEnabled") {
        Some("true") => stack.number("WebhookConcurrency"),
        _ => 0,
    };
    let warehouse =
        stack.parameter("WarehouseEnabled").filter(|enabled| *enabled == "true").map_or(0, |_| WAREHOUSE);
    let regulations = stack.parameter("PublicApiTokenSecretArn").map_or(0, |_| REGULATION);
    stack.number("SegmentConcurrency") + webhooks + warehouse + regulations
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
    fn a_slow_destination_must_leave_room_for_receiving_events() {
        let token = ("PublicApiTokenSecretArn", "arn:…");
        let five = [
            ("SegmentConcurrency", "5"),
            ("WebhookConcurrency", "3"),
            ("WebhooksEnabled", "true"),
            ("WarehouseEnabled", "true"),
            token,
        ];
        let two =
            [("SegmentConcurrency", "2"), ("WebhookConcurrency", "2"), ("WebhooksEnabled", "true"), token];
        let segment =
            [("SegmentConcurrency", "2"), ("WebhookConcurrency", "2"), ("WebhooksEnabled", "false")];
        let reserved = [("SegmentConcurrency", "5"), ("IngestReservedConcurrency", "20")];
        for (parameters, limit, status, found) in [
            (&five[..], 10, Status::Problem, "can use 12, which leaves none"),
            (
                &two,
                10,
                Status::Warning,
                "can use 6, which leaves 4 for receiving events (40 requests per second)",
            ),
            (&segment, 10, Status::Warning, "can use 2, which leaves 8"),
            (&five, 1_000, Status::Ok, "can use 12"),
            (&reserved, 1_000, Status::Ok, "20 are reserved for each function"),
        ] {
            let finding = assess(&stack(parameters), limit, limit);
            assert_eq!(finding.status, status, "{finding:?}");
            assert!(finding.found.contains(found), "{finding:?}");
        }
        let finding = assess(&stack(&two), 1_000, 15);
        assert_eq!(finding.status, Status::Warning, "others reserve the rest: {finding:?}");
    }
}
