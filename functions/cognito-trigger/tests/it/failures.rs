//! Whatever fails, the user can go on: [`Pool::invoke`] checks the event that comes back.

use std::time::Duration;

use cognito_trigger::{DEADLINE, START_DEADLINE, not_set_up};
use serde_json::value::RawValue;
use testkit::{log, logged, topic::Fault};
use tokio::time::Instant;

use crate::{samples::sample, support::Pool};

const HASHED: &str = "[fields]\n'traits.email' = 'hash'";

#[tokio::test(start_paused = true)]
async fn a_failing_topic_or_secret_costs_only_the_message() {
    for (mappings, topic, secret, most, published) in [
        ("", None, Some(Fault::Refuses), Duration::ZERO, 2),
        ("", None, Some(Fault::Hangs), Duration::ZERO, 2),
        ("", Some(Fault::Refuses), None, Duration::ZERO, 0),
        ("", Some(Fault::Hangs), None, DEADLINE, 0),
        ("", Some(Fault::Panics), None, Duration::ZERO, 0),
        (HASHED, None, None, Duration::ZERO, 2),
        (HASHED, None, Some(Fault::Refuses), Duration::ZERO, 0),
        (HASHED, None, Some(Fault::Hangs), DEADLINE, 0),
        (HASHED, None, Some(Fault::Panics), Duration::ZERO, 0),
        (HASHED, Some(Fault::Hangs), Some(Fault::Hangs), DEADLINE, 0),
    ] {
        let pool = Pool::with(mappings, topic, secret);
        let begin = Instant::now();
        pool.invoke(&sample("post-confirmation")).await;
        let case = format!("{mappings} topic {topic:?} secret {secret:?}");
        assert_eq!((begin.elapsed(), pool.published().len()), (most, published), "{case}");
        assert_eq!(pool.reads(), usize::from(!mappings.is_empty()), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cold_start_ends_in_time_to_answer() {
    for (secret, most) in [
        (Some(Fault::Hangs), START_DEADLINE),
        (Some(Fault::Panics), Duration::ZERO),
        (Some(Fault::Refuses), Duration::ZERO),
    ] {
        let pool = Pool::with(HASHED, Some(Fault::Hangs), secret);
        let begin = Instant::now();
        pool.trigger.prepare(async {}).await;
        assert_eq!(begin.elapsed(), most, "{secret:?}");
        pool.invoke(&sample("post-confirmation")).await;
        assert!(begin.elapsed() <= START_DEADLINE + DEADLINE, "{secret:?}");
    }
    let begin = Instant::now();
    Pool::new().trigger.prepare(std::future::pending::<()>()).await;
    assert_eq!(begin.elapsed(), START_DEADLINE);
    assert!(START_DEADLINE + DEADLINE <= Duration::from_secs(4), "Cognito waits for 5 s in all");
}

#[tokio::test]
async fn an_event_of_any_form_comes_back_with_every_digit() {
    let pool = Pool::new();
    for event in [
        "null",
        "7",
        r#""text""#,
        "[]",
        "{}",
        r#"{"triggerSource":7}"#,
        r#"{"triggerSource":"PostConfirmation_ConfirmSignUp"}"#,
        r#"{"triggerSource":"PostConfirmation_ConfirmSignUp","request":{"userAttributes":{"sub":""}}}"#,
        r#"{"triggerSource":"PreTokenGeneration_Authentication","request":{"userAttributes":{"sub":"u"}}}"#,
        r#"{"n":12345678901234567890.10, "exponent" : 1E400,"same":1,"same":2,"half":"\ud83d","x":1.0}"#,
    ] {
        pool.invoke(event).await;
    }
    let mut deep = String::new();
    (0..120).for_each(|_| deep += r#"{"a":"#);
    pool.invoke(&format!("{deep}1{}", "}".repeat(120))).await;
    assert!(pool.published().is_empty());
    pool.invoke(r#"{"invocation":"mine","triggerSource":"PostAuthentication_Authentication","request":{"userAttributes":{"sub":"u"}}}"#).await;
    assert_eq!(pool.published()[0]["timestamp"], "2026-11-21T08:00:00.000Z");
}

#[tokio::test]
async fn a_field_with_a_hash_is_sent_hashed() {
    let pool = Pool::with(HASHED, None, None);
    pool.invoke(&sample("post-confirmation")).await;
    let email = pool.published()[0]["traits"]["email"].as_str().unwrap().to_owned();
    assert!(email.len() == 64 && !email.contains('@'), "{email}");
}

#[tokio::test(start_paused = true)]
async fn the_log_names_the_lost_event_and_no_person() {
    log();
    let login = sample("post-authentication");
    for (topic, secret, event, cause, reason) in [
        (Some(Fault::Refuses), None, &*login, "it is away", "not_stored"),
        (Some(Fault::Hangs), None, &login, "it took longer than 2.5s", "not_stored"),
        (Some(Fault::Panics), None, &login, "it panicked", "not_stored"),
        (None, Some(Fault::Refuses), &login, "it is away", "no_hash_key"),
        (None, None, "[]", "not an object", "unusable"),
        (None, None, WITHOUT_A_USER, "the event could not be mapped", "unusable"),
    ] {
        Pool::with(HASHED, topic, secret).invoke(event).await;
        assert_is_lost(&logged(), cause, reason);
    }
    let event = RawValue::from_string(login.clone()).unwrap();
    let given_back = not_set_up(event, &std::io::Error::other("the mapping has a fault"));
    assert_eq!(given_back.get(), login.trim());
    assert_is_lost(&logged(), "the mapping has a fault", "not_set_up");
}

const WITHOUT_A_USER: &str =
    r#"{"triggerSource":"PostConfirmation_ConfirmSignUp","request":{"userAttributes":{"email":"ines"}}}"#;

/// Asserts that the log names one lost event, that it is counted by its reason, and that no person is named.
#[track_caller]
fn assert_is_lost(log: &str, cause: &str, reason: &str) {
    assert!(log.contains("The messages of a trigger are lost.") && log.contains(cause), "{log}");
    assert!(log.contains(&format!("Rejected=1 Reason=\"{reason}\"")), "{log}");
    let personal = ["ines", "Ines", "+45", "7e5f0c1a", "hush"];
    assert!(!personal.iter().any(|personal| log.contains(personal)), "{log}");
}
