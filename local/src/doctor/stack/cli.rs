//! Runs the AWS CLI. It takes its profile, region and credentials from the environment and its own files, as
//! always.

use std::{
    io::{self, ErrorKind},
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::{process::Command, time::timeout};

/// The time limit of one call. The CLI needs a second to start, and asks the metadata service for credentials
/// before it gives up.
const DEADLINE: Duration = Duration::from_secs(20);

/// The program's name on PATH.
const AWS: &str = "aws";

/// Why a call failed. No text in it holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// There is no such program.
    #[error("the AWS CLI is not installed: no {AWS} on PATH")]
    Missing,
    /// It cannot be started.
    #[error("the AWS CLI cannot be started: {0}")]
    Start(#[source] io::Error),
    /// It did not answer in time.
    #[error("the AWS CLI did not answer within {} s", DEADLINE.as_secs())]
    Slow,
    /// It has no credentials.
    #[error("the AWS CLI has no credentials")]
    NoCredentials,
    /// AWS rejects its credentials.
    #[error("AWS rejects the credentials: {0}")]
    Credentials(String),
    /// It has no region.
    #[error("the AWS CLI has no region")]
    NoRegion,
    /// It cannot reach AWS.
    #[error("the AWS CLI cannot reach AWS")]
    NoConnection,
    /// The credentials do not allow the call.
    #[error("the credentials do not allow {0}")]
    Denied(String),
    /// AWS refused the call.
    #[error("AWS answered {action} with {code}")]
    Refused { action: String, code: String },
    /// It failed in another way.
    #[error("the AWS CLI failed: {0}")]
    Other(String),
}

impl Fault {
    /// Returns the fix.
    pub fn advice(&self) -> String {
        match self {
            Self::Missing => {
                "install it: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
            }
            Self::NoCredentials => "run aws configure or aws sso login, or set AWS_PROFILE",
            Self::Credentials(_) => "run aws sso login, or store new credentials with aws configure",
            Self::NoRegion => "set AWS_DEFAULT_REGION to the stack's region",
            Self::NoConnection | Self::Slow => {
                "check the network and the region; aws configure list shows where the region comes from"
            }
            Self::Denied(action) => return format!("allow {action} in IAM; it is a read-only action"),
            Self::Start(_) | Self::Refused { .. } | Self::Other(_) => {
                "try it by hand with aws sts get-caller-identity"
            }
        }
        .to_owned()
    }
}

/// Makes a call, such as `["lambda", "get-account-settings"]`, and returns the JSON.
pub async fn call(arguments: &[&str]) -> Result<Value, Fault> {
    let text = run(&[arguments, &["--output", "json"]].concat()).await?;
    // Some calls print nothing for an empty result.
    match text.trim() {
        "" => Ok(Value::Null),
        text => serde_json::from_str(text).map_err(|_| Fault::Other("its answer is not JSON".to_owned())),
    }
}

/// Returns the region that the CLI uses.
pub async fn region() -> Option<String> {
    let list = run(&["configure", "list"]).await.ok()?;
    let line = list.lines().map(str::trim_start).find(|line| line.starts_with("region"))?;
    let word = line.split([' ', ':']).filter(|word| !word.is_empty()).nth(1)?;
    (!word.starts_with('<')).then(|| word.to_owned())
}

async fn run(arguments: &[&str]) -> Result<String, Fault> {
    execute(AWS, arguments).await
}

async fn execute(program: &str, arguments: &[&str]) -> Result<String, Fault> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    // No pager and no questions: nobody is there to answer.
    command.env("AWS_PAGER", "").env("AWS_CLI_AUTO_PROMPT", "off");
    let output = match timeout(DEADLINE, command.output()).await {
        Err(_) => return Err(Fault::Slow),
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => return Err(Fault::Missing),
        Ok(Err(error)) => return Err(Fault::Start(error)),
        Ok(Ok(output)) => output,
    };
    let Output { status, stdout, stderr } = output;
    match status.success() {
        true => Ok(String::from_utf8_lossy(&stdout).into_owned()),
        false => Err(interpret_error(arguments, &String::from_utf8_lossy(&stderr))),
    }
}

/// Returns the cause of the CLI's error. It has few exit codes, so its own errors are recognized by their
/// words.
fn interpret_error(arguments: &[&str], error: &str) -> Fault {
    let action = action(arguments);
    let code = error.split_once("An error occurred (").and_then(|(_, rest)| rest.split_once(')'));
    match code.map(|(code, _)| code) {
        Some(code) if code.contains("AccessDenied") || code.contains("Unauthorized") => Fault::Denied(action),
        Some(
            code @ ("ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "RequestExpired"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException"),
        ) => Fault::Credentials(code.to_owned()),
        Some(code) => Fault::Refused { action, code: code.to_owned() },
        None if error.contains("locate credentials") => Fault::NoCredentials,
        None if error.contains("config profile") => Fault::Credentials("there is no such profile".to_owned()),
        None if error.contains("Token has expired") || error.contains("SSO") => {
            Fault::Credentials("the sign-in has expired".to_owned())
        }
        None if error.contains("specify a region") => Fault::NoRegion,
        None if error.contains("connect to the endpoint") => Fault::NoConnection,
        None => {
            let last = error.lines().rev().find(|line| !line.trim().is_empty());
            Fault::Other(last.unwrap_or("it printed no error").trim().to_owned())
        }
    }
}

/// Returns the action's name in IAM: `lambda:GetAccountSettings` for `lambda get-account-settings`.
fn action(arguments: &[&str]) -> String {
    let capitalized = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    match arguments {
        [service, operation, ..] => {
            let words = operation.split('-').filter(|word| !word.is_empty());
            format!("{service}:{}", words.map(capitalized).collect::<String>())
        }
        other => other.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_cli_is_recognized_by_its_words() {
        for (error, expected) in [
            (
                "\nAn error occurred (AccessDeniedException) when calling the GetAccountSettings operation: User: arn:… is not \
                 authorized to perform: lambda:GetAccountSettings",
                "the credentials do not allow lambda:GetAccountSettings",
            ),
            (
                "\nAn error occurred (ExpiredToken) when calling the X operation: The security token is expired",
                "AWS rejects the credentials: ExpiredToken",
            ),
            (
                "\nAn error occurred (ServiceException) when calling the X operation: Try again",
                "AWS answered lambda:GetAccountSettings with ServiceException",
            ),
            (
                "Unable to locate credentials. You can configure credentials by running \"aws configure\".",
                "the AWS CLI has no credentials",
            ),
            (
                "\nThe config profile (none) could not be found\n",
                "AWS rejects the credentials: there is no such profile",
            ),
            ("You must specify a region. You can also …", "the AWS CLI has no region"),
            ("Could not connect to the endpoint URL: \"https://…\"", "the AWS CLI cannot reach AWS"),
            (
                "Error when retrieving token from sso: Token has expired and refresh failed",
                "AWS rejects the credentials: the sign-in has expired",
            ),
            (
                "usage: aws\n\naws: error: argument command: Invalid choice\n",
                "argument command: Invalid choice",
            ),
            ("", "the AWS CLI failed: it printed no error"),
        ] {
            let fault = interpret_error(&["lambda", "get-account-settings"], error).to_string();
            assert!(fault.contains(expected), "{error}: {fault}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cli_that_hangs_is_stopped() {
        assert!(matches!(execute("sleep", &["60"]).await, Err(Fault::Slow)));
        assert!(matches!(execute("no-such-program", &[]).await, Err(Fault::Missing)));
    }

    #[test]
    fn an_action_is_named_as_in_iam() {
        for (arguments, expected) in [
            (&["sts", "get-caller-identity"][..], "sts:GetCallerIdentity"),
            (&["sqs", "get-queue-attributes", "--queue-url", "u"], "sqs:GetQueueAttributes"),
            (&["aws"], "aws"),
        ] {
            assert_eq!(action(arguments), expected);
        }
    }
}
