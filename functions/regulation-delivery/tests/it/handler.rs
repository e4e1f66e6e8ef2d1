//! The handler between the SQLite queue and a Public API that fails on demand.

use std::time::Duration;

use platform::{clock::Clock, sqlite::DeadLetter};
use testkit::{Answer, FakeServer, VISIBILITY};

use crate::support::{World, delete, taken, token, users};

const MANY: u64 = 110_000;

#[tokio::test]
async fn users_go_in_one_call_for_each_token_and_each_user_once() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&fake, MANY);
    for (user, write_key) in [("a", "default"), ("b", "app"), ("a", "other"), ("a", "shop"), ("c", "shop")] {
        world.publish(&delete(user), write_key).await;
    }
    assert!(world.poll(10).await.is_empty());
    let mut calls: Vec<(String, Vec<String>)> =
        fake.requests().iter().map(|request| (token(request).to_owned(), users(request))).collect();
    calls.sort();
    assert_eq!(calls.len(), 2, "one user may be in two workspaces: {calls:?}");
    assert_eq!((calls[0].0.as_str(), &calls[0].1[..]), ("t1", &["a".to_owned(), "b".to_owned()][..]));
    assert_eq!((calls[1].0.as_str(), &calls[1].1[..]), ("t2", &["a".to_owned(), "c".to_owned()][..]));
    assert_eq!(world.queue.depth().await.unwrap(), 0);
    assert_eq!(world.used("regulations#default#2026-11").await, 2);
    assert_eq!(world.used("regulations#shop#2026-11").await, 2);
}

#[tokio::test]
async fn a_message_that_is_no_deletion_of_a_known_user_fails_alone() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&fake, MANY);
    let anonymous = r#"{"type":"delete","anonymousId":"a"}"#;
    let no_text = r#"{"type":"delete","userId":[]}"#;
    let bodies =
        [&delete("a"), "not json", r#"{"type":"track","userId":"u","event":"e"}"#, anonymous, no_text];
    for body in
        bodies.into_iter().chain([r#"{"type":"delete","userId":7}"#, r#"{"type":"delete","userId":" b "}"#])
    {
        world.publish(body, "default").await;
    }
    assert!(world.poll(10).await.is_empty());
    assert_eq!(taken(&fake), ["a", "7", " b "]);
    let reasons: Vec<String> = world.dead().await.iter().map(|dead| dead["reason"].clone()).collect();
    assert_eq!(
        reasons,
        [
            "the body is not JSON: there is a syntax error at line 1 column 2",
            "type: only a delete becomes a regulation",
            "userId: is missing; a regulation needs one",
            "userId: must be a string",
        ]
    );
}

#[tokio::test]
async fn a_refused_user_is_dead_lettered_with_reason_status_and_attempts_and_affects_no_other() {
    let fake = FakeServer::answering([Answer::status(503)]).await;
    let world = World::new(&fake, MANY);
    for user in ["a", "b", "bad", "c", "d"] {
        world.publish(&delete(user), "default").await;
    }
    world.poll(10).await;
    fake.set(|request| match users(request).contains(&"bad".to_owned()) {
        true => Answer::status(422),
        false => Answer::ok(),
    });
    world.drain().await;
    let mut others = taken(&fake);
    others.sort();
    assert_eq!(others, ["a", "b", "c", "d"]);
    let DeadLetter { body, attributes, .. } = world.queue.dead_letters(u32::MAX).await.unwrap().remove(0);
    assert_eq!(body, delete("bad"), "the body is what a redrive puts back");
    for (name, expected) in [
        ("failure", "client_error"),
        ("reason", "Segment answered 422"),
        ("status", "422"),
        ("attempts", "2"),
        ("writeKey", "default"),
        ("type", "delete"),
    ] {
        assert_eq!(attributes[name], expected, "{name}");
    }
    // Five for the call that may have been counted, and four for accepted users.
    assert_eq!(world.used("regulations#default#2026-11").await, 9);
}

#[tokio::test]
async fn a_refused_token_is_read_again_once_and_then_retried_for_minutes() {
    let fake = FakeServer::start(|request| match token(request) {
        "t1" => Answer::status(401),
        "none" => Answer::status(403),
        _ => Answer::ok(),
    })
    .await;
    let world = World::new(&fake, MANY);
    world.publish(&delete("a"), "default").await;
    world.poll(1).await;
    world.api.tokens.set("t3");
    world.drain().await;
    let tokens: Vec<String> = fake.requests().iter().map(|request| token(request).to_owned()).collect();
    assert_eq!((tokens.first().unwrap().as_str(), tokens.last().unwrap().as_str()), ("t1", "t3"));
    assert_eq!(taken(&fake), ["a"], "somebody put it right meanwhile");

    world.api.tokens.set("none");
    world.clock.advance(Duration::from_secs(600));
    world.publish(&delete("b"), "default").await;
    let start = world.clock.now();
    world.drain().await;
    let minutes = world.clock.now().duration_since(start).as_secs() / 60;
    assert!((3..=6).contains(&minutes), "{minutes} minutes");
    let dead = world.dead().await.remove(0);
    assert_eq!((dead["failure"].as_str(), dead["status"].as_str()), ("token", "403"));
    assert_eq!(world.used("regulations#default#2026-11").await, 1, "what was refused is given back");
}

#[tokio::test]
async fn a_write_key_without_a_token_waits_for_minutes_and_one_without_a_secret_for_longer() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&fake, MANY);
    world.api.tokens.set("{}");
    world.publish(&delete("a"), "default").await;
    for _ in 0..20 {
        world.poll(1).await;
        world.clock.advance(Duration::from_secs(900));
    }
    assert_eq!(world.queue.depth().await.unwrap(), 1, "there may be a secret any moment");
    world.api.tokens.set(r#"{"shop":"t2"}"#);
    world.drain().await;
    let dead = world.dead().await.remove(0);
    assert_eq!(dead["failure"], "no_token");
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn segments_requested_wait_is_kept_and_another_token_does_not_wait() {
    let fake = FakeServer::start(|request| match token(request) {
        "t1" => Answer::rate_limited("300"),
        _ => Answer::ok(),
    })
    .await;
    let world = World::new(&fake, MANY);
    for (user, write_key) in [("a", "default"), ("b", "shop")] {
        world.publish(&delete(user), write_key).await;
    }
    world.poll(10).await;
    world.publish(&delete("c"), "default").await;
    world.poll(10).await;
    assert_eq!(fake.requests().len(), 2, "c waits too");
    fake.set(|_| Answer::ok());
    world.clock.advance(Duration::from_secs(300));
    world.poll(10).await;
    let mut all = taken(&fake);
    all.sort();
    assert_eq!(all, ["a", "b", "c"]);
    assert_eq!(world.used("regulations#default#2026-11").await, 2, "the 429 counts nothing");
}

#[tokio::test]
async fn a_failure_is_retried_until_just_before_the_queue_would_drop_the_message() {
    let fake = FakeServer::start(|_| Answer::status(503)).await;
    let world = World::new(&fake, MANY);
    world.publish(&delete("a"), "default").await;
    let mut days = 0;
    while world.queue.dead_letter_depth().await.unwrap() == 0 {
        world.poll(1).await;
        world.clock.advance(Duration::from_secs(86_400));
        days += 1;
        assert!(days < 20, "it is not dead-lettered in time");
    }
    assert!((13..=14).contains(&days), "{days} days");
    let dead = world.dead().await.remove(0);
    assert_eq!((dead["failure"].as_str(), dead["status"].as_str()), ("expired", "503"));
    assert_eq!(dead["attempts"], fake.requests().len().to_string());
}

#[tokio::test]
async fn a_redriven_message_starts_afresh() {
    let fake = FakeServer::answering([Answer::status(400), Answer::status(503)]).await;
    let world = World::new(&fake, MANY);
    world.publish(&delete("a"), "default").await;
    world.drain().await;
    world.clock.advance(Duration::from_secs(14 * 86_400));
    world.redrive().await;
    world.drain().await;
    assert_eq!(taken(&fake), ["a"]);
    assert_eq!(world.queue.dead_letter_depth().await.unwrap(), 0);
}

#[tokio::test]
async fn a_message_that_the_queue_did_not_take_is_reported_and_comes_back() {
    let fake = FakeServer::answering([Answer::status(503)]).await;
    let world = World::new(&fake, MANY);
    world.publish(&delete("a"), "default").await;
    world.publish("not json", "default").await;
    world.flaky.failures.set(1);
    assert_eq!(world.poll(10).await.len(), 2);
    world.clock.advance(VISIBILITY);
    world.drain().await;
    assert_eq!(taken(&fake), ["a"]);
    assert_eq!(world.queue.dead_letter_depth().await.unwrap(), 1);
}

#[tokio::test]
async fn a_batch_that_takes_long_puts_the_rest_back_in_time() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&fake, MANY);
    let clock = world.clock.clone();
    fake.set(move |request| {
        clock.advance(Duration::from_secs(20));
        match users(request).contains(&"bad".to_owned()) {
            true => Answer::status(400),
            false => Answer::ok(),
        }
    });
    for user in ["a", "b", "bad", "c"] {
        world.publish(&delete(user), "default").await;
    }
    assert!(world.poll(10).await.is_empty());
    assert_eq!((fake.requests().len(), taken(&fake)), (3, vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(world.used("regulations#default#2026-11").await, 2, "the rest is given back");
    world.drain().await;
    assert_eq!(taken(&fake), ["a", "b", "c"]);
    assert_eq!(world.dead().await[0]["failure"], "client_error");
}
