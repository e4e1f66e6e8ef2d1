//! Whatever goes wrong, the user goes on: [`Pool::invoke`] looks at the event that comes back.

use std::{cell::RefCell, io::Write, time::Duration};

use cognito_trigger::{DEADLINE, START_DEADLINE, not_set_up};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::{
    samples::sample,
    support::{Does, Pool},
};

const HASHED: &str = "[fields]\n'traits.email' = 'hash'";

#[tokio::test(start_paused = true)]
async fn a_topic_or_a_secret_that_is_away_hangs_or_panics_costs_the_message_and_no_more() {
    for (mappings, topic, secret, most, published) in [
        ("", Does::Answers, Does::Fails, Duration::ZERO, 2),
        ("", Does::Answers, Does::Hangs, Duration::ZERO, 2),
        ("", Does::Fails, Does::Answers, Duration::ZERO, 0),
        ("", Does::Hangs, Does::Answers, DEADLINE, 0),
        ("", Does::Panics, Does::Answers, Duration::ZERO, 0),
        (HASHED, Does::Answers, Does::Answers, Duration::ZERO, 2),
        (HASHED, Does::Answers, Does::Fails, Duration::ZERO, 0),
        (HASHED, Does::Answers, Does::Hangs, DEADLINE, 0),
        (HASHED, Does::Answers, Does::Panics, Duration::ZERO, 0),
        (HASHED, Does::Hangs, Does::Hangs, DEADLINE, 0),
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
async fn a_cold_start_is_over_in_time_to_answer() {
    for (secret, most) in
        [(Does::Hangs, START_DEADLINE), (Does::Panics, Duration::ZERO), (Does::Fails, Duration::ZERO)]
    {
        let pool = Pool::with(HASHED, Does::Hangs, secret);
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
async fn what_is_hashed_is_hashed() {
    let pool = Pool::with(HASHED, Does::Answers, Does::Answers);
    pool.invoke(&sample("post-confirmation")).await;
    let email = pool.published()[0]["traits"]["email"].as_str().unwrap().to_owned();
    assert!(email.len() == 64 && !email.contains('@'), "{email}");
}

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What this thread logs. Other tests log on their own threads, and a subscriber for one thread alone would
/// not see call sites that they came to first.
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_tells_what_was_lost_and_of_nobody() {
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    tracing::subscriber::set_global_default(subscriber.with_writer(|| Log).finish()).unwrap();
    let login = sample("post-authentication");
    for (topic, secret, event, cause, reason) in [
        (Does::Fails, Does::Answers, &*login, "the topic is away", "not_stored"),
        (Does::Hangs, Does::Answers, &login, "it took longer than 2.5s", "not_stored"),
        (Does::Panics, Does::Answers, &login, "it panicked", "not_stored"),
        (Does::Answers, Does::Fails, &login, "the secret is away", "no_hash_key"),
        (Does::Answers, Does::Answers, "[]", "not an object", "unusable"),
        (Does::Answers, Does::Answers, WITHOUT_A_USER, "the event could not be mapped", "unusable"),
    ] {
        LOG.take();
        Pool::with(HASHED, topic, secret).invoke(event).await;
        assert_is_lost(&String::from_utf8(LOG.take()).unwrap(), cause, reason);
    }
    let event = RawValue::from_string(login.clone()).unwrap();
    let given_back = not_set_up(event, &std::io::Error::other("the mapping has a fault"));
    assert_eq!(given_back.get(), login.trim());
    assert_is_lost(&String::from_utf8(LOG.take()).unwrap(), "the mapping has a fault", "not_set_up");
}

const WITHOUT_A_USER: &str =
    r#"{"triggerSource":"PostConfirmation_ConfirmSignUp","request":{"userAttributes":{"email":"ines"}}}"#;

/// Asserts that the log tells of one lost event, that it is counted by its reason, and that nobody is named.
#[track_caller]
fn assert_is_lost(log: &str, cause: &str, reason: &str) {
    assert!(log.contains("The messages of a trigger are lost.") && log.contains(cause), "{log}");
    assert!(log.contains(&format!("Rejected=1 Reason=\"{reason}\"")), "{log}");
    let personal = ["ines", "Ines", "+45", "7e5f0c1a", "hush"];
    assert!(!personal.iter().any(|personal| log.contains(personal)), "{log}");
}
