//! Auth0's logins: which one is the sign-up, and the behavior when a service is away.

use std::{collections::BTreeSet, time::Duration};

use http::{Request, header};
use identity::{Config, Mappings};
use platform::secrets::MIN_INTERVAL;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    forgery::block_on,
    support::{Changeable, Fault, RecordingTopic, Signups, Webhook},
};

const TOKEN: &str = "a bearer token";

fn webhook_on(topic: RecordingTopic, ledger: Signups) -> Webhook {
    Webhook::on(&json!({"auth0": {"bearer": TOKEN}}), Config::new("d"), topic, ledger)
}

fn webhook() -> Webhook {
    webhook_on(RecordingTopic::default(), Signups::default())
}

fn request(body: &Value) -> Request<bytes::Bytes> {
    let request =
        Request::post("/identity/auth0/login").header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    request.header(header::CONTENT_TYPE, "application/json").body(body.to_string().into()).unwrap()
}

async fn log_in(webhook: &Webhook, body: &Value) -> (u16, Value) {
    webhook.send(request(body)).await
}

fn rule(user: &str) -> Value {
    json!({
        "user": {"user_id": user, "email": "ada@example.com", "app_metadata": {}},
        "context": {"clientName": "Shop", "ip": "203.0.113.7", "userAgent": "Mozilla/5.0", "protocol": "oidc-basic-profile"},
    })
}

fn action(user: &str, logins: u64) -> Value {
    json!({
        "user": {"user_id": user, "email": "ada@example.com"},
        "request": {"ip": "203.0.113.7", "user_agent": "Mozilla/5.0"},
        "client": {"name": "Shop"},
        "stats": {"logins_count": logins},
        "transaction": {"protocol": "oidc-basic-profile"},
    })
}

fn event(name: &str) -> (u16, Value) {
    (200, json!({"event": name}))
}

#[tokio::test]
async fn only_a_proof_for_logins_needs_the_ledger_at_the_start() {
    for (secret, logins) in [
        (json!({"fusionauth": {"signingSecrets": [TOKEN]}}), false),
        (json!({"auth0/logs": {"bearer": TOKEN}}), false),
        (json!({"auth0": {"bearer": TOKEN}}), true),
        (json!({"auth0/login": {"bearer": TOKEN}}), true),
        (json!({}), false),
        (json!("no object"), false),
    ] {
        assert_eq!(Webhook::new(&secret).handler.takes_logins().await, logins, "{secret}");
    }
}

#[tokio::test]
async fn a_proof_for_logins_that_is_added_later_counts_without_a_new_start() {
    let store = Changeable::new(&json!({"fusionauth": {"signingSecrets": [TOKEN]}}));
    let secret = store.0.clone();
    let webhook = Webhook::made(store, Config::new("d"), RecordingTopic::default(), Signups::default());
    assert!(!webhook.handler.takes_logins().await);
    assert_eq!(log_in(&webhook, &rule("auth0|1")).await.0, 401);
    *secret.lock().unwrap() = json!({"auth0": {"bearer": TOKEN}}).to_string();
    webhook.clock.advance(MIN_INTERVAL);
    assert_eq!(log_in(&webhook, &rule("auth0|1")).await, event("signup"));
    assert_eq!(log_in(&webhook, &rule("auth0|1")).await, event("login"));
}

#[tokio::test]
async fn the_first_login_is_a_signup_and_each_later_one_a_login() {
    let webhook = webhook();
    assert_eq!(log_in(&webhook, &rule("auth0|1")).await, event("signup"));
    assert_eq!(log_in(&webhook, &rule("auth0|1")).await, event("login"));
    assert_eq!(log_in(&webhook, &action("auth0|1", 1)).await, event("login"));
    assert_eq!(log_in(&webhook, &action("auth0|2", 1)).await, event("signup"));
    let published = webhook.topic.published();
    let names: Vec<&Value> = published.iter().map(|one| &one["message"]["event"]).collect();
    assert_eq!(names, ["signup", "login", "login", "signup"]);
    let ids: BTreeSet<String> = published.iter().map(|one| one["message"]["messageId"].to_string()).collect();
    assert_eq!(ids.len(), 4, "also of the same body, each login counts");
}

#[tokio::test]
async fn the_message_is_the_one_of_auth0s_rule() {
    for body in [rule("auth0|1"), action("auth0|1", 1)] {
        let webhook = webhook();
        log_in(&webhook, &body).await;
        let mut message = webhook.topic.published().remove(0)["message"].take();
        let id = message.as_object_mut().unwrap().remove("messageId").unwrap();
        assert!(id.as_str().unwrap().starts_with("auth0-"));
        let expected = json!({
            "type": "track",
            "event": "signup",
            "userId": "auth0|1",
            "timestamp": "2026-11-21T08:00:00.000Z",
            "context": {
                "channel": "server",
                "ip": "203.0.113.7",
                "userAgent": "Mozilla/5.0",
                "library": {"name": "segue", "version": env!("CARGO_PKG_VERSION")},
            },
            "integrations": {"All": false},
            "properties": {"application": "Shop", "ip": "203.0.113.7", "agent": "Mozilla/5.0"},
        });
        assert_eq!(message, expected);
    }
}

#[tokio::test]
async fn names_and_destinations_can_be_set() {
    let mut config = Config::new("d");
    config.mappings = Mappings::with("m", "naming = 'segment'\nauth0.login.integrations = {}").unwrap();
    let secret = json!({"auth0/login": {"bearer": TOKEN}});
    let webhook = Webhook::with(&secret, config, RecordingTopic::default());
    for _ in 0..2 {
        log_in(&webhook, &rule("auth0|1")).await;
    }
    let published = webhook.topic.published();
    assert_eq!(
        (&published[0]["message"]["event"], &published[1]["message"]["event"]),
        (&json!("Signed Up"), &json!("Signed In"))
    );
    assert_eq!(published[0]["message"].get("integrations"), None);
}

#[tokio::test]
async fn a_login_can_update_the_user_too() {
    let mut config = Config::new("d");
    let rules = r#"
        [auth0.login.on.signup]
        identify = { traits = { email = "profile.email", source = { value = "Auth0" } } }
        track = { event = "Signed Up" }
    "#;
    config.mappings = Mappings::with("m", rules).unwrap();
    let webhook = Webhook::with(&json!({"auth0": {"bearer": TOKEN}}), config, RecordingTopic::default());
    assert_eq!(log_in(&webhook, &rule("auth0|1")).await, event("signup"));
    let published = webhook.topic.published();
    assert_eq!(published[0]["message"]["traits"], json!({"email": "ada@example.com", "source": "Auth0"}));
    assert_eq!((published.len(), &published[1]["message"]["event"]), (2, &json!("Signed Up")));
}

#[tokio::test]
async fn a_user_who_signed_up_before_segue_is_never_counted_as_new() {
    let webhook = webhook();
    let mut marked = rule("auth0|old");
    marked["user"]["app_metadata"]["signedUp"] = json!(true);
    assert_eq!(log_in(&webhook, &marked).await, event("login"));
    assert_eq!(log_in(&webhook, &action("auth0|older", 2)).await, event("login"));
    // The user stays known, even if the next request does not say so.
    assert_eq!(log_in(&webhook, &rule("auth0|old")).await, event("login"));
    assert_eq!(log_in(&webhook, &action("auth0|older", 1)).await, event("login"));
}

#[tokio::test]
async fn a_request_that_is_no_login_leaves_no_trace() {
    let webhook = webhook();
    let mut delegation = rule("auth0|1");
    delegation["context"]["protocol"] = json!("delegation");
    let mut refresh = action("auth0|1", 1);
    refresh["transaction"]["protocol"] = json!("oauth2-refresh-token");
    let mut silent = action("auth0|1", 1);
    silent["request"]["query"] = json!({"prompt": "none"});
    for body in [delegation, refresh, silent] {
        assert_eq!(log_in(&webhook, &body).await, event("skipped"), "{body}");
    }
    for body in
        [json!({}), json!({"user": 7}), json!({"user": {}}), json!({"user": {"user_id": " "}}), json!([])]
    {
        let (status, answer) = log_in(&webhook, &body).await;
        assert_eq!(status, if body.is_array() { 400 } else { 422 }, "{answer}");
    }
    let mut forged = request(&rule("auth0|1"));
    forged.headers_mut().insert(header::AUTHORIZATION, "Bearer another".parse().unwrap());
    assert_eq!(webhook.send(forged).await.0, 401);
    assert_eq!((webhook.topic.bodies().len(), webhook.ledger.users().len()), (0, 0));
    assert_eq!(log_in(&webhook, &action("auth0|1", 1)).await, event("signup"));
}

#[tokio::test]
async fn a_skipped_login_is_counted_with_its_reason() {
    testkit::log();
    let mut refresh = action("auth0|1", 1);
    refresh["transaction"]["protocol"] = json!("oauth2-refresh-token");
    assert_eq!(log_in(&webhook(), &refresh).await, event("skipped"));
    let log = testkit::logged();
    assert!(log.contains(r#"Ignored=1 Reason="left_out""#), "{log}");
}

#[tokio::test(start_paused = true)]
async fn if_a_service_is_away_the_answer_is_503_within_a_second() {
    for fault in [Fault::Refuses, Fault::Hangs] {
        for webhook in [
            webhook_on(RecordingTopic::default().failing(fault), Signups::default()),
            webhook_on(RecordingTopic::default(), Signups::with_fault(fault)),
        ] {
            let begin = tokio::time::Instant::now();
            let (status, answer) = log_in(&webhook, &rule("auth0|1")).await;
            assert_eq!((status, answer["error"].as_str()), (503, Some("not_stored")), "{answer}");
            assert!(begin.elapsed() < Duration::from_secs(1));
        }
    }
}

#[tokio::test]
async fn a_signup_that_was_not_published_is_published_with_the_next_login() {
    let ledger = Signups::default();
    let broken = webhook_on(RecordingTopic::default().failing(Fault::Refuses), ledger.clone());
    assert_eq!(log_in(&broken, &rule("auth0|1")).await.0, 503);
    let webhook = webhook_on(RecordingTopic::default(), ledger);
    // Auth0 counts two logins now, but the sign-up is not published yet.
    assert_eq!(log_in(&webhook, &action("auth0|1", 2)).await, event("signup"));
    assert_eq!(log_in(&webhook, &action("auth0|1", 3)).await, event("login"));
}

#[tokio::test]
async fn concurrent_logins_publish_the_same_signup() {
    let ledger = Signups::default();
    let mut ids = BTreeSet::new();
    let mut signups = 0;
    for _ in 0..5 {
        // Each with a ledger that does not know the success of the others: they crashed before they could
        // confirm it.
        let unconfirmed = Signups::default();
        let webhook = webhook_on(RecordingTopic::default(), unconfirmed);
        let (_, answer) = log_in(&webhook, &rule("auth0|1")).await;
        signups += usize::from(answer["event"] == "signup");
        ids.insert(webhook.topic.published()[0]["message"]["messageId"].to_string());
    }
    assert_eq!((signups, ids.len()), (5, 1));
    let webhook = webhook_on(RecordingTopic::default(), ledger);
    let body = rule("auth0|1");
    let answers = tokio::join!(log_in(&webhook, &body), log_in(&webhook, &body), log_in(&webhook, &body));
    assert_eq!(answers.0, event("signup"));
    let published = webhook.topic.published();
    let signups = published.iter().filter(|one| one["message"]["event"] == "signup");
    assert_eq!(signups.map(|one| one["message"]["messageId"].to_string()).collect::<BTreeSet<_>>(), ids);
}

#[tokio::test]
async fn a_login_with_an_id_is_one_message_however_often_it_arrives() {
    let webhook = webhook();
    log_in(&webhook, &rule("auth0|1")).await;
    let mut named = rule("auth0|1");
    named["id"] = json!("login-1");
    for _ in 0..2 {
        assert_eq!(log_in(&webhook, &named).await, event("login"));
    }
    let published = webhook.topic.published();
    assert_eq!(published[1]["message"]["messageId"], published[2]["message"]["messageId"]);
    assert_ne!(published[0]["message"]["messageId"], published[1]["message"]["messageId"]);
}

#[tokio::test]
async fn the_ledger_holds_no_personal_data() {
    let webhook = webhook();
    log_in(&webhook, &rule("auth0|ada@example.com")).await;
    let users = webhook.ledger.users();
    assert_eq!((users.len(), users[0].len()), (1, 43));
    assert!(!users[0].contains("ada"));
}

proptest! {
    /// Failures at any step: the claim, the publishing, the confirmation.
    #[test]
    fn every_user_signs_up_once_in_spite_of_failures(
        logins in prop::collection::vec((0..3_usize, any::<bool>(), 0..5_u8), 1..40),
    ) {
        let (topic, ledger) = (RecordingTopic::default(), Signups::default());
        let refused = |wanted: bool| wanted.then_some(Fault::Refuses);
        // For each user: whether it was known at first sight, and the answers to its logins.
        let mut users: [(Option<bool>, Vec<Value>); 3] = Default::default();
        for (user, known, fault) in logins {
            let ledger = ledger.failing(refused(fault == 1), refused(fault == 2));
            let webhook = webhook_on(topic.failing(refused(fault == 3)), ledger);
            let body = action(&format!("auth0|{user}"), if known { 2 } else { 1 });
            let (status, answer) = block_on(log_in(&webhook, &body));
            prop_assert_eq!(status == 200, !matches!(fault, 1 | 3), "{}", answer);
            if fault != 1 {
                users[user].0.get_or_insert(known);
            }
            if status == 200 {
                users[user].1.push(answer["event"].clone());
            }
        }
        let published = topic.published();
        for (user, (known, answers)) in users.iter().enumerate() {
            let of = |name: &str| {
                let mine = published.iter().map(|one| &one["message"]);
                let mine = mine.filter(|one| one["userId"] == format!("auth0|{user}") && one["event"] == name);
                mine.map(|one| one["messageId"].to_string()).collect::<Vec<_>>()
            };
            let signups: BTreeSet<String> = of("signup").into_iter().collect();
            let expected = usize::from(*known == Some(false) && !answers.is_empty());
            prop_assert_eq!(signups.len(), expected, "{:?} {:?}", known, answers);
            prop_assert!(expected == 0 || answers[0] == "signup");
            let logins: BTreeSet<String> = of("login").into_iter().collect();
            prop_assert_eq!(logins.len(), answers.iter().filter(|answer| **answer == "login").count());
        }
    }
}
