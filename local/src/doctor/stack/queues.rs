//! Finds messages that need a person: dead letters, rejected messages, failed runs.

use futures_util::future::join_all;

use super::{Stack, cli, cli::Fault, not_checked};
use crate::doctor::{finding::Finding, plural};

const CHECK: &str = "queues";

/// The attributes whose sum is the size of a queue.
const COUNTS: [&str; 3] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
];

/// Returns a finding for each of these queues that is not empty, or one if all are empty.
pub async fn check(stack: &Stack) -> Vec<Finding> {
    let is_looked_at = |name: &str| {
        name.ends_with("DeadLetterQueueUrl") || matches!(name, "RejectedQueueUrl" | "TrackEventFailuresUrl")
    };
    let queues = stack.outputs.iter().filter(|(name, _)| is_looked_at(name));
    let counted =
        join_all(queues.map(async |(name, url)| (name.trim_end_matches("Url"), count(url).await))).await;
    let findings: Vec<Finding> =
        counted.into_iter().filter_map(|(name, count)| assess(name, count)).collect();
    if findings.is_empty() {
        return vec![Finding::ok(CHECK, "no dead letters, no rejected messages, no failed runs")];
    }
    findings
}

async fn count(url: &str) -> Result<u64, Fault> {
    let arguments = ["sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names"];
    let answer = cli::call(&[&arguments[..], &COUNTS].concat()).await?;
    let number = |name: &str| answer["Attributes"][name].as_str().and_then(|text| text.parse::<u64>().ok());
    Ok(COUNTS.iter().filter_map(|name| number(name)).sum())
}

fn assess(name: &str, count: Result<u64, Fault>) -> Option<Finding> {
    let fix = match name {
        "RejectedQueue" => "correct the sender (docs/operations.md, \"Rejected messages\")",
        "TrackEventFailures" => "run them again (docs/operations.md, \"TrackEventFailuresAlarm\")",
        _ => "find and fix the failure, then redrive them (docs/operations.md, \"Redrive\")",
    };
    match count {
        Ok(0) => None,
        Ok(count) => {
            Some(Finding::warning(CHECK, format!("{name} has about {}", plural(count, "message")), fix))
        }
        Err(fault) => Some(not_checked(CHECK, name, &fault)),
    }
}
