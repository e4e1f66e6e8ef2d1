//! `segue doctor --stack NAME`: a stack on AWS and the account that it is in, seen through the AWS CLI. Every call only
//! reads, and none reads a secret.

mod account;
mod alarms;
mod cli;
mod concurrency;
mod health;
mod queues;
mod secrets;
mod status;

use std::collections::BTreeMap;

use serde_json::Value;

use self::cli::Fault;
use super::finding::Finding;

/// A stack, as the AWS CLI describes it.
pub struct Stack {
    /// Its name, also where it was given by its ARN.
    name: String,
    /// Its ARN.
    id: String,
    status: String,
    parameters: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
}

/// The findings about the stack of that name, and about the account.
pub async fn check(name: &str) -> Vec<Finding> {
    let account = account::check().await;
    let Ok(account) = account else { return account.err().into_iter().collect() };
    let stack = match describe(name).await {
        Ok(stack) => stack,
        Err(finding) => return vec![account, finding],
    };
    let (concurrency, status, secrets, queues, alarms, health) = tokio::join!(
        concurrency::check(&stack),
        status::check(&stack),
        secrets::check(&stack),
        queues::check(&stack),
        alarms::check(&stack),
        health::check(&stack),
    );
    [vec![account, status, concurrency], secrets, queues, alarms, vec![health]].concat()
}

async fn describe(name: &str) -> Result<Stack, Finding> {
    let missing = || {
        Finding::problem(
            status::CHECK,
            format!("there is no stack {name} in this account and region"),
            "check the name, AWS_PROFILE and AWS_DEFAULT_REGION; aws cloudformation describe-stacks lists them",
        )
    };
    let answer = cli::call(&["cloudformation", "describe-stacks", "--stack-name", name]).await;
    let answer = answer.map_err(|fault| match fault {
        // CloudFormation has no code of its own for it.
        Fault::Refused { code, .. } if code == "ValidationError" => missing(),
        fault => Finding::problem(status::CHECK, fault.to_string(), fault.advice()),
    })?;
    let stack = Stack::read(&answer["Stacks"][0]).ok_or_else(missing)?;
    // A first deployment that failed, or was not made yet, has no outputs.
    let is_deployed = stack.status.ends_with("_COMPLETE") && stack.status != "ROLLBACK_COMPLETE";
    if is_deployed && !stack.outputs.contains_key("SegmentQueueUrl") {
        return Err(Finding::problem(
            status::CHECK,
            format!("{name} is no stack of Segue: it has no output SegmentQueueUrl"),
            "give the name that it was deployed with",
        ));
    }
    Ok(stack)
}

impl Stack {
    fn read(stack: &Value) -> Option<Self> {
        let text = |name: &str| Some(stack[name].as_str()?.to_owned());
        Some(Self {
            name: text("StackName")?,
            id: text("StackId")?,
            status: text("StackStatus")?,
            parameters: pairs(&stack["Parameters"], "ParameterKey", "ParameterValue"),
            outputs: pairs(&stack["Outputs"], "OutputKey", "OutputValue"),
        })
    }

    /// A parameter that is set.
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A parameter that is a number; none of it is nothing.
    fn number(&self, name: &str) -> u64 {
        self.parameter(name).and_then(|value| value.parse().ok()).unwrap_or_default()
    }
}

fn pairs(list: &Value, key: &str, value: &str) -> BTreeMap<String, String> {
    let text = |entry: &Value, name: &str| Some(entry[name].as_str()?.to_owned());
    let pair = |entry: &Value| Some((text(entry, key)?, text(entry, value)?));
    list.as_array().into_iter().flatten().filter_map(pair).collect()
}

/// The finding about something that could not be looked at. The stack itself may be well.
fn unseen(check: &'static str, what: &str, fault: &Fault) -> Finding {
    Finding::warning(check, format!("{what} could not be looked at: {fault}"), fault.advice())
}
