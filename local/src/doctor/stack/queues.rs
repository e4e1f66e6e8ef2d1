//! Whether something lies where it needs a person: dead letters, rejected messages, failed runs.

use futures_util::future::join_all;

use super::{Stack, cli, cli::Fault, not_checked};
use crate::doctor::finding::Finding;

const CHECK: &str = "queues";

/// The numbers that together are what a queue holds.
const COUNTS: [&str; 3] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
];

/// The findings about each of these queues that is not empty; one when all are.
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
        "RejectedQueue" => "correct their sender (docs/operations.md, \"Rejected messages\")",
        "TrackEventFailures" => "repeat them (docs/operations.md, \"TrackEventFailuresAlarm\")",
        _ => "look at their failure, fix it, and redrive them (docs/operations.md, \"Redrive\")",
    };
    match count {
        Ok(0) => None,
        Ok(count) => Some(Finding::warning(CHECK, format!("{name} holds about {count}"), fix)),
        Err(fault) => Some(not_checked(CHECK, name, &fault)),
    }
}
