//! Checks whether alarms of the stack are active.

use serde_json::Value;

use super::{Stack, cli, not_checked};
use crate::doctor::finding::Finding;

const CHECK: &str = "alarms";

/// Returns a finding for each active alarm, or one if there is none.
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
        return vec![Finding::ok(CHECK, "no active alarms")];
    }
    findings
}

fn active_alarms(alarms: &Value, prefix: &str) -> Vec<Finding> {
    let alarms = alarms.as_array().into_iter().flatten();
    let names = alarms.filter_map(|alarm| logical_id(alarm["AlarmName"].as_str()?, prefix));
    let finding = |name| {
        let fix = format!("see docs/operations.md, \"{name}\"");
        Finding::problem(CHECK, format!("{name} is active"), fix)
    };
    names.map(finding).collect()
}

/// Returns the name of an alarm in the template. CloudFormation puts it between the stack's name and a random
/// suffix. With more parts, it is an alarm of another stack, whose name has the same beginning.
fn logical_id<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let (logical_id, suffix) = name.strip_prefix(prefix)?.split_once('-')?;
    (!suffix.contains('-')).then_some(logical_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_of_a_stack_with_a_longer_name_are_not_counted() {
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
