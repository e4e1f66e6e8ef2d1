//! The handler between the SQLite queue and a Segment that fails on demand.

use std::time::Duration;

use platform::{clock::Clock, sqlite::DeadLetter};
use segment_delivery::Pace;
use serde_json::Value;
use testkit::{Answer, FakeServer};

use crate::support::{paced, track, world};

fn message_ids(fake: &FakeServer) -> Vec<String> {
    fake.taken().iter().map(|(_, message)| message["messageId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn messages_go_in_one_batch_for_each_write_key() {
    let fake = FakeServer::healthy().await;
    let world = world(&fake);
    for (id, write_key) in [("1", "default"), ("2", "shop"), ("3", "default")] {
        world.publish(&track(id), write_key).await;
    }
    assert!(world.poll(10).await.is_empty());
    let mut batches: Vec<(String, usize)> =
        fake.requests().iter().map(|request| (request.write_key(), request.messages().len())).collect();
    batches.sort();
    assert_eq!(batches, [("k1".to_owned(), 2), ("k2".to_owned(), 1)]);
    assert_eq!(world.queue.depth().await.unwrap(), 0);
}

#[tokio::test]
async fn the_delivered_message_is_the_published_one() {
    let fake = FakeServer::healthy().await;
    let world = world(&fake);
    let body = "{\"type\":\"identify\",\"userId\":\"u\",\"traits\":{\"n\":12345678901234567890,\"f\":1.0,\"t\":\"\\ufffe\u{7f}é😀\"}}";
    world.publish(body, "default").await;
    world.poll(10).await;
    assert!(fake.requests()[0].body.contains(body));
}

#[tokio::test]
async fn one_undecodable_message_fails_alone() {
    let fake = FakeServer::healthy().await;
    let world = world(&fake);
    for body in [&track("1"), "not json", r#"{"type":"track","userId":[]}"#, &track("2")] {
        world.publish(body, "default").await;
    }
    assert!(world.poll(10).await.is_empty());
    assert_eq!(message_ids(&fake), ["1", "2"]);
    let dead = world.queue.dead_letters(u32::MAX).await.unwrap();
    let reasons: Vec<&str> = dead.iter().map(|letter| letter.attributes["reason"].as_str()).collect();
    assert_eq!(
        reasons,
        ["the body is not JSON: there is a syntax error at line 1 column 2", "userId: must be a string"]
    );
}

#[tokio::test]
async fn a_rejected_message_is_dead_lettered_with_reason_status_and_attempts() {
    let fake = FakeServer::answering([Answer::status(503), Answer::status(400)]).await;
    let world = world(&fake);
    world.publish(&track("1"), "default").await;
    world.drain().await;
    let DeadLetter { body, attributes, .. } = world.queue.dead_letters(u32::MAX).await.unwrap().remove(0);
    assert_eq!(body, track("1"), "the body is what a redrive puts back");
    for (name, expected) in [
        ("failure", "client_error"),
        ("reason", "Segment answered 400"),
        ("status", "400"),
        ("attempts", "2"),
        ("writeKey", "default"),
        ("type", "track"),
    ] {
        assert_eq!(attributes[name], expected, "{name}");
    }
}

#[tokio::test]
async fn a_redriven_message_starts_afresh() {
    let fake = FakeServer::answering([Answer::status(400), Answer::status(503)]).await;
    let world = world(&fake);
    world.publish(&track("1"), "default").await;
    world.drain().await;
    // A redrive moves the message with its attributes, two weeks later.
    world.clock.advance(Duration::from_secs(14 * 86_400));
    world.redrive().await;
    world.poll(1).await;
    world.drain().await;
    assert_eq!(message_ids(&fake), ["1"]);
    assert_eq!(world.queue.dead_letter_depth().await.unwrap(), 0);
}

#[tokio::test]
async fn an_unknown_write_key_is_dead_lettered_with_the_cause() {
    let fake = FakeServer::healthy().await;
    let world = world(&fake);
    world.publish(&track("1"), "nobody").await;
    world.drain().await;
    let DeadLetter { attributes, .. } = world.queue.dead_letters(u32::MAX).await.unwrap().remove(0);
    assert_eq!(attributes["failure"], "no_write_key");
}

#[tokio::test]
async fn a_refused_write_key_is_retried_for_minutes_before_its_messages_are_given_up() {
    let fake = FakeServer::answering(std::iter::repeat_n(Answer::status(401), 5)).await;
    let world = world(&fake);
    world.publish(&track("1"), "default").await;
    world.drain().await;
    assert_eq!(message_ids(&fake), ["1"], "somebody put it right meanwhile");
    fake.set(|_| Answer::status(401));
    world.publish(&track("2"), "default").await;
    let start = platform::clock::Clock::now(&*world.clock);
    world.drain().await;
    let minutes = platform::clock::Clock::now(&*world.clock).duration_since(start).as_secs() / 60;
    assert!((3..=6).contains(&minutes), "{minutes} minutes");
    let DeadLetter { attributes, .. } = world.queue.dead_letters(u32::MAX).await.unwrap().remove(0);
    assert_eq!((attributes["failure"].as_str(), attributes["status"].as_str()), ("write_key", "401"));
}

#[tokio::test]
async fn a_transient_failure_is_retried_until_just_before_the_queue_would_drop_the_message() {
    let fake = FakeServer::start(|_| Answer::status(503)).await;
    let world = world(&fake);
    world.publish(&track("1"), "default").await;
    let mut days = 0;
    while world.queue.dead_letter_depth().await.unwrap() == 0 {
        world.poll(1).await;
        // Longer than any wait, so that each poll finds the message.
        world.clock.advance(Duration::from_secs(86_400));
        days += 1;
        assert!(days < 20, "it is not dead-lettered in time");
    }
    assert!((13..=14).contains(&days), "{days} days");
    let DeadLetter { attributes, .. } = world.queue.dead_letters(u32::MAX).await.unwrap().remove(0);
    assert_eq!(attributes["failure"], "expired");
    assert_eq!(attributes["status"], "503");
    assert_eq!(attributes["attempts"], fake.requests().len().to_string());
}

#[tokio::test]
async fn segments_requested_wait_is_kept_and_nothing_is_sent_meanwhile() {
    let fake = FakeServer::answering([Answer::rate_limited("300")]).await;
    let world = world(&fake);
    world.publish(&track("1"), "default").await;
    world.poll(1).await;
    world.publish(&track("2"), "default").await;
    world.poll(1).await;
    assert_eq!(fake.requests().len(), 1, "the second message waits too");
    world.clock.advance(Duration::from_secs(300));
    world.poll(2).await;
    let mut ids = message_ids(&fake);
    ids.sort();
    assert_eq!(ids, ["1", "2"]);
}

#[tokio::test]
async fn a_request_for_no_wait_causes_few_calls() {
    for header in ["0", "-1", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        for status in [429, 503] {
            let answer = Answer::Status(status, vec![("Retry-After", header.to_owned())], String::new());
            let fake = FakeServer::start(move |_| answer.clone()).await;
            let world = world(&fake);
            for id in 0..100 {
                world.publish(&track(&id.to_string()), "default").await;
            }
            let end = world.clock.now() + Duration::from_secs(20);
            while world.clock.now() < end {
                world.poll(10).await;
                world.clock.advance(Duration::from_millis(10));
            }
            // The last batch may be held beyond the end.
            let calls = fake.requests().len();
            assert!((2..=43).contains(&calls), "{status} with {header}: {calls} calls in 20 s");
        }
    }
}

#[tokio::test]
async fn a_throttled_write_key_does_not_delay_another() {
    let fake = FakeServer::start(|request| match request.write_key().as_str() {
        "k1" => Answer::rate_limited("600"),
        _ => Answer::ok(),
    })
    .await;
    let world = world(&fake);
    let start = platform::clock::Clock::now(&*world.clock);
    for round in 0..3 {
        world.publish(&track(&format!("a{round}")), "default").await;
        world.publish(&track(&format!("b{round}")), "shop").await;
        world.poll(10).await;
    }
    assert_eq!(message_ids(&fake), ["b0", "b1", "b2"]);
    assert_eq!(platform::clock::Clock::now(&*world.clock), start, "nobody waited");
}

#[tokio::test]
async fn an_outage_leaves_the_backlog_untouched_and_drains_it_at_once_afterwards() {
    let fake = FakeServer::start(|_| Answer::status(503)).await;
    let world = world(&fake);
    for id in 0..3_000 {
        world.publish(&track(&id.to_string()), "default").await;
    }
    let start = platform::clock::Clock::now(&*world.clock);
    for _ in 0..20 {
        world.poll(10).await;
    }
    let outage = platform::clock::Clock::now(&*world.clock).duration_since(start).as_secs();
    assert!(outage > 100, "20 batches were held for {outage} s in all, instead of being sent round");
    assert!(fake.requests().len() <= 20);
    fake.set(|_| Answer::ok());
    world.clock.advance(Duration::from_secs(900));
    let start = platform::clock::Clock::now(&*world.clock);
    while world.queue.depth().await.unwrap() > 0 {
        world.poll(500).await;
    }
    assert_eq!(fake.taken().len(), 3_000);
    let drained = platform::clock::Clock::now(&*world.clock).duration_since(start).as_secs();
    assert!(drained <= 20, "one probe's wait at most, then full rate: {drained} s");
}

#[tokio::test]
async fn attempts_are_counted_and_the_time_of_sending_is_that_of_the_attempt() {
    let fake = FakeServer::answering([Answer::status(500), Answer::ResetBefore]).await;
    let world = world(&fake);
    world.publish(&track("1"), "default").await;
    world.drain().await;
    let sent: Vec<Value> = fake.requests().iter().map(|request| request.json()["sentAt"].clone()).collect();
    assert_eq!(sent.len(), 3);
    assert!(sent.is_sorted_by(|a, b| a.as_str() <= b.as_str()) && sent[0] != sent[2]);
}

#[tokio::test]
async fn a_message_that_the_queue_did_not_take_is_reported_and_comes_back() {
    let fake = FakeServer::answering([Answer::status(503), Answer::status(400)]).await;
    let world = world(&fake);
    world.publish(&track("1"), "default").await;
    world.publish("not json", "default").await;
    world.flaky.failures.set(1);
    assert_eq!(world.poll(10).await.len(), 2);
    world.clock.advance(testkit::VISIBILITY);
    world.drain().await;
    assert_eq!(world.queue.dead_letter_depth().await.unwrap(), 2);
}

#[tokio::test]
async fn a_backlog_is_sent_at_segments_pace() {
    let fake = FakeServer::healthy().await;
    let world = paced(&fake, Pace::shared(1_000, 5));
    for index in 0..40 {
        world.publish(&track(&format!("m{index}")), "default").await;
    }
    let began = world.clock.now();
    while world.queue.depth().await.unwrap() > 0 {
        world.poll(10).await;
    }
    // 40 messages. One of five environments may send 200 a second.
    assert_eq!(world.clock.now().duration_since(began).as_millis(), 200);
    assert_eq!(fake.taken().len(), 40);
}
