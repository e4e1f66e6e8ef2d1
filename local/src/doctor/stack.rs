//! `segue doctor --stack NAME`: a stack on AWS and the account that it is in, seen through the AWS CLI. Every call only
//! reads, and none reads a secret.

mod alarms;
mod cli;
mod concurrency;
mod queues;
mod secrets;
mod status;

use std::collections::BTreeMap;

use platform::http::client;
use serde_json::Value;

use self::cli::Fault;
use super::{DEADLINE, finding::Finding};

const CLI: &str = "AWS CLI";

const HEALTH: &str = "health";

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
    let account = account().await;
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
        health(&stack),
    );
    [vec![account, status, concurrency], secrets, queues, alarms, vec![health]].concat()
}

/// The account and the region that all else is looked up in; an error is what keeps from looking.
async fn account() -> Result<Finding, Finding> {
    let (identity, region) = tokio::join!(cli::call(&["sts", "get-caller-identity"]), cli::region());
    let identity = identity.map_err(|fault| Finding::problem(CLI, fault.to_string(), fault.advice()))?;
    let account = identity["Account"].as_str().unwrap_or("that it does not name");
    let region = region.as_deref().unwrap_or("that it does not name");
    Ok(Finding::ok(CLI, format!("it acts in the account {account} and the region {region}")))
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

/// The finding about `/health`.
async fn health(stack: &Stack) -> Finding {
    let Some(url) = stack.outputs.get("HealthUrl") else {
        return Finding::skipped(HEALTH, "the stack has no output HealthUrl");
    };
    let fix =
        "look at the function's errors and throttles on the dashboard, and at its log (docs/operations.md)";
    let client = match client() {
        Ok(client) => client,
        Err(error) => return Finding::problem(HEALTH, error.to_string(), fix),
    };
    match client.get(url).timeout(DEADLINE).send().await {
        Ok(answer) if answer.status() == 200 => Finding::ok(HEALTH, format!("{url} answers 200")),
        Ok(answer) => Finding::problem(HEALTH, format!("{url} answers {}", answer.status().as_u16()), fix),
        Err(error) if error.is_timeout() => {
            Finding::problem(HEALTH, format!("{url} does not answer within {} s", DEADLINE.as_secs()), fix)
        }
        Err(error) if error.is_connect() => Finding::problem(
            HEALTH,
            format!("{url} cannot be reached"),
            "check the network; connections are made directly, without a proxy",
        ),
        Err(_) => Finding::problem(HEALTH, format!("{url} does not answer in HTTP"), fix),
    }
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
fn not_checked(check: &'static str, what: &str, fault: &Fault) -> Finding {
    Finding::warning(check, format!("{what} could not be looked at: {fault}"), fault.advice())
}
