//! Whether the AWS CLI is there and may act in an account.

use super::cli;
use crate::doctor::finding::Finding;

const CHECK: &str = "AWS CLI";

/// The account and the region that all else is looked up in; an error is what keeps from looking.
pub async fn check() -> Result<Finding, Finding> {
    let (identity, region) = tokio::join!(cli::call(&["sts", "get-caller-identity"]), cli::region());
    let identity = identity.map_err(|fault| Finding::problem(CHECK, fault.to_string(), fault.advice()))?;
    let account = identity["Account"].as_str().unwrap_or("that it does not name");
    let region = region.as_deref().unwrap_or("that it does not name");
    Ok(Finding::ok(CHECK, format!("it acts in the account {account} and the region {region}")))
}
