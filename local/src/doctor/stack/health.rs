//! Whether the stack answers over HTTP.

use platform::http::client;

use super::Stack;
use crate::doctor::{DEADLINE, finding::Finding};

const CHECK: &str = "health";

/// The finding about `/health`.
pub async fn check(stack: &Stack) -> Finding {
    let Some(url) = stack.outputs.get("HealthUrl") else {
        return Finding::skipped(CHECK, "the stack has no output HealthUrl");
    };
    let fix =
        "look at the function's errors and throttles on the dashboard, and at its log (docs/operations.md)";
    let client = match client() {
        Ok(client) => client,
        Err(error) => return Finding::problem(CHECK, error.to_string(), fix),
    };
    match client.get(url).timeout(DEADLINE).send().await {
        Ok(answer) if answer.status() == 200 => Finding::ok(CHECK, format!("{url} answers 200")),
        Ok(answer) => Finding::problem(CHECK, format!("{url} answers {}", answer.status().as_u16()), fix),
        Err(error) if error.is_timeout() => {
            Finding::problem(CHECK, format!("{url} does not answer within {} s", DEADLINE.as_secs()), fix)
        }
        Err(error) if error.is_connect() => Finding::problem(
            CHECK,
            format!("{url} cannot be reached"),
            "check the network; connections are made directly, without a proxy",
        ),
        Err(_) => Finding::problem(CHECK, format!("{url} does not answer in HTTP"), fix),
    }
}
