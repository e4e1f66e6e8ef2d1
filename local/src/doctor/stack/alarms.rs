//! Whether an alarm of the stack is up.

use serde_json::Value;

use super::{Stack, cli, not_checked};
use crate::doctor::finding::Finding;

const CHECK: &str = "alarms";

/// The findings about each alarm that is up; one when none is.
pub async fn check(stack: &Stack) -> Vec<Finding> {
    let prefix = format!("{}-", stack.name);
    let arguments =
        ["cloudwatch", "describe-alarms", "--alarm-name-prefix", &prefix, "--state-value", "ALARM"];
    let answer = match cli::call(&arguments).await {
        Ok(answer) => answer,
        Err(fault) => return vec![not_checked(CHECK, "the alarms", &fault)],
    };
    let findings: Vec<Finding> = ["MetricAlarms", "CompositeAlarms"]
        .iter()
        .flat_map(|kind| active_alarms(&answer[kind], &prefix))
        .collect();
    if findings.is_empty() {
        return vec![Finding::ok(CHECK, "none is up")];
    }
    findings
}

fn active_alarms(alarms: &Value, prefix: &str) -> Vec<Finding> {
    let alarms = alarms.as_array().into_iter().flatten();
    let names = alarms.filter_map(|alarm| logical_id(alarm["AlarmName"].as_str()?, prefix));
    let finding = |name| {
        let fix = format!("docs/operations.md, \"{name}\", says what to look at");
        Finding::problem(CHECK, format!("{name} is up"), fix)
    };
    names.map(finding).collect()
}

/// The name of an alarm in the template. CloudFormation puts it between the stack's name and a suffix of its own; with more
/// parts than these the alarm is another stack's, whose name begins alike.
fn logical_id<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let (logical_id, suffix) = name.strip_prefix(prefix)?.split_once('-')?;
    (!suffix.contains('-')).then_some(logical_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_of_a_stack_whose_name_begins_alike_is_not_this_ones() {
        for (name, expected) in [
            ("segue-FunctionErrorsAlarm-1A2B3C", Some("FunctionErrorsAlarm")),
            ("segue-test-FunctionErrorsAlarm-1A2B3C", None),
            ("segue-mine", None),
            ("other-FunctionErrorsAlarm-1A2B3C", None),
        ] {
            assert_eq!(logical_id(name, "segue-"), expected, "{name}");
        }
    }
}
