//! `segue doctor --stack NAME`: checks a stack on AWS and its account through the AWS CLI. It only reads, and
//! it reads no secret.

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

/// The description of a stack.
pub struct Stack {
    /// Its name, even if the user named it by its ARN.
    name: String,
    /// Its ARN.
    id: String,
    status: String,
    parameters: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
}

/// Returns the findings about the stack and the account.
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

/// Returns the account and the region in use. The error is the finding that ends the check.
async fn account() -> Result<Finding, Finding> {
    let (identity, region) = tokio::join!(cli::call(&["sts", "get-caller-identity"]), cli::region());
    let identity = identity.map_err(|fault| Finding::problem(CLI, fault.to_string(), fault.advice()))?;
    let account = identity["Account"].as_str().unwrap_or("(unknown)");
    let region = region.as_deref().unwrap_or("(unknown)");
    Ok(Finding::ok(CLI, format!("it uses account {account} and region {region}")))
}

async fn describe(name: &str) -> Result<Stack, Finding> {
    let missing = || {
        Finding::problem(
            status::CHECK,
            format!("there is no stack {name} in this account and region"),
            "check the name, AWS_PROFILE and AWS_DEFAULT_REGION; aws cloudformation describe-stacks lists the stacks",
        )
    };
    let answer = cli::call(&["cloudformation", "describe-stacks", "--stack-name", name]).await;
    let answer = answer.map_err(|fault| match fault {
        // CloudFormation has no separate code for a stack that does not exist.
        Fault::Refused { code, .. } if code == "ValidationError" => missing(),
        fault => Finding::problem(status::CHECK, fault.to_string(), fault.advice()),
    })?;
    let stack = Stack::read(&answer["Stacks"][0]).ok_or_else(missing)?;
    // There are no outputs before the first deployment succeeds.
    let is_deployed = stack.status.ends_with("_COMPLETE") && stack.status != "ROLLBACK_COMPLETE";
    if is_deployed && !stack.outputs.contains_key("SegmentQueueUrl") {
        return Err(Finding::problem(
            status::CHECK,
            format!("{name} is not a stack of Segue: it has no output SegmentQueueUrl"),
            "pass the name that Segue was deployed with",
        ));
    }
    Ok(stack)
}

/// Returns the finding about `/health`.
async fn health(stack: &Stack) -> Finding {
    let Some(url) = stack.outputs.get("HealthUrl") else {
        return Finding::skipped(HEALTH, "the stack has no output HealthUrl");
    };
    let fix = "check the function's errors and throttles on the dashboard, and its log (docs/operations.md)";
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
            "check the network; Segue connects directly, without a proxy",
        ),
        Err(_) => Finding::problem(HEALTH, format!("{url} does not answer with HTTP"), fix),
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

    /// Returns a parameter, if it is set.
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns the number in a parameter, or 0 if there is none.
    fn number(&self, name: &str) -> u64 {
        self.parameter(name).and_then(|value| value.parse().ok()).unwrap_or_default()
    }
}

fn pairs(list: &Value, key: &str, value: &str) -> BTreeMap<String, String> {
    let text = |entry: &Value, name: &str| Some(entry[name].as_str()?.to_owned());
    let pair = |entry: &Value| Some((text(entry, key)?, text(entry, value)?));
    list.as_array().into_iter().flatten().filter_map(pair).collect()
}

/// Returns the finding about something that could not be checked. The stack itself may be fine.
fn not_checked(check: &'static str, what: &str, fault: &Fault) -> Finding {
    Finding::warning(check, format!("{what} could not be checked: {fault}"), fault.advice())
}
