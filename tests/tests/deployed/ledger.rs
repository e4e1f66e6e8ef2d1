//! The ledger of sign-ups and the quota, in the template's table.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::{config::Credentials, types::AttributeValue};
use end_to_end::{Setup, Stack, template::properties};
use platform::{
    aws::DynamoDbTable,
    ledger::{Claim, Ledger},
    quota::Quota,
};
use tokio::task::JoinSet;

/// The number of concurrent callers.
const CONCURRENT: usize = 20;

async fn started() -> (Stack, DynamoDbTable, DynamoDbTable) {
    let stack = Setup::default().up().await;
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(stack.emulator_url());
    let aws = platform::aws::Aws::load(loader).await.unwrap();
    let name = stack.reference("Ledger");
    let (ledger, quota) = (aws.table(name), aws.table(name));
    (stack, ledger, quota)
}

/// Returns the results of concurrent claims. Only the first `unknowing` callers do not know that the user
/// signed up before.
async fn claimed(ledger: &DynamoDbTable, user: &str, unknowing: usize) -> Vec<Claim> {
    let mut claims = JoinSet::new();
    for index in 0..CONCURRENT {
        let (ledger, user) = (ledger.clone(), user.to_owned());
        claims.spawn(async move { ledger.claim(&user, index >= unknowing).await.unwrap() });
    }
    claims.join_all().await
}

#[tokio::test]
async fn concurrent_logins_agree_who_signs_up() {
    let (stack, ledger, _) = started().await;
    ledger.warm().await;
    for round in 0..10 {
        let new = format!("new-{round}");
        assert_eq!(claimed(&ledger, &new, CONCURRENT).await, [Claim::SignUp; CONCURRENT], "unconfirmed");
        let item = stack.item(&format!("user#{new}")).await;
        assert_eq!(item["confirmed"], AttributeValue::Bool(false));
        ledger.confirm(&new).await.unwrap();
        ledger.confirm(&new).await.unwrap();
        assert_eq!(claimed(&ledger, &new, CONCURRENT).await, [Claim::Login; CONCURRENT]);
        let confirmed = stack.item(&format!("user#{new}")).await;
        assert_eq!(confirmed["confirmed"], AttributeValue::Bool(true));
        assert_eq!(confirmed["claimedAt"], item["claimedAt"], "of the first sight");

        let known = format!("known-{round}");
        assert_eq!(claimed(&ledger, &known, 0).await, [Claim::Login; CONCURRENT]);

        let disputed = format!("disputed-{round}");
        let standings = claimed(&ledger, &disputed, CONCURRENT / 2).await;
        assert_eq!(standings, [standings[0]; CONCURRENT], "the first caller decides for all");
    }
}

#[tokio::test]
async fn a_confirmation_without_a_claim_makes_later_claims_logins() {
    let (stack, ledger, _) = started().await;
    ledger.confirm("abc").await.unwrap();
    assert_eq!(ledger.claim("abc", false).await.unwrap(), Claim::Login);
    let item = stack.item("user#abc").await;
    let mut names: Vec<&str> = item.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["claimedAt", "confirmed", "id"], "and nothing lets it expire");
}

#[tokio::test]
async fn concurrent_takers_together_get_the_limit_and_not_more() {
    const LIMIT: u64 = 100;
    let (_stack, _, quota) = started().await;
    quota.warm().await;
    for period in (0..10).map(|round| format!("regulations#default#{round}")) {
        let mut takers = JoinSet::new();
        for index in 0..CONCURRENT as u64 {
            let (quota, period) = (quota.clone(), period.clone());
            takers.spawn(async move {
                let mut all = 0;
                loop {
                    let amount = 1 + index % 7;
                    let granted = quota.take(&period, amount, LIMIT).await.unwrap();
                    assert!(granted <= amount);
                    all += granted;
                    if granted == 0 {
                        return all;
                    }
                }
            });
        }
        assert_eq!(takers.join_all().await.iter().sum::<u64>(), LIMIT, "{period}");
        quota.give_back(&period, 30).await.unwrap();
        assert_eq!(quota.take(&period, LIMIT, LIMIT).await.unwrap(), 30);
        quota.give_back(&period, LIMIT + 1).await.unwrap();
        assert_eq!(quota.take(&period, 1, LIMIT).await.unwrap(), 0, "more than was taken is not given back");
    }
}

#[tokio::test]
async fn the_count_of_a_period_expires_by_the_templates_attribute() {
    let (stack, _, quota) = started().await;
    quota.give_back("p", 1).await.unwrap();
    assert_eq!(quota.take("p", 500, 100).await.unwrap(), 100, "also the first of a period gets no more");
    let first = stack.item("quota#p").await;
    assert_eq!(first["used"], AttributeValue::N("100".to_owned()));
    let expiry = properties("Ledger")["TimeToLiveSpecification"]["AttributeName"].as_str().unwrap();
    assert!(first[expiry].is_n());
    assert_eq!(quota.take("p", 5, 110).await.unwrap(), 5, "a limit may rise");
    assert_eq!(stack.item("quota#p").await[expiry], first[expiry], "counted from the first use");
}
