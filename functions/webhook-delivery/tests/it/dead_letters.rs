//! Messages that go to the dead-letter queue, and their redrive.

use std::time::Duration;

use platform::topic::{Attributes, Publication};
use segment::Message;
use testkit::{Answer, FakeServer, assert_attributes};
use webhook_delivery::Exchange;

use crate::support::{World, name, plain, settings, taken, track};

#[tokio::test]
async fn a_message_that_a_webhook_permanently_refuses_is_dead_lettered_at_once_with_all_attributes() {
    for (status, failure, reason) in [
        (
            410,
            "client_error",
            "the webhook answered 410: the webhook is permanently gone; remove it from the configuration",
        ),
        (404, "client_error", "the webhook answered 404; check its URL"),
        (400, "client_error", "the webhook answered 400"),
        (
            302,
            "redirect",
            "the webhook answered 302, a redirect, and those are never followed; change its URL to the new address",
        ),
    ] {
        let elsewhere = FakeServer::healthy().await;
        let location = vec![("Location", elsewhere.url())];
        let refusing =
            FakeServer::start(move |_| Answer::Status(status, location.clone(), String::new())).await;
        let healthy = FakeServer::healthy().await;
        let world = World::new(&settings([plain(&refusing), plain(&healthy)]));
        world.publish_all(["1"]).await;
        assert!(world.poll(1).await.is_empty());
        assert_eq!(world.queue.depth().await.unwrap(), 0);
        let mut dead = world.dead_letters().await;
        assert_eq!(dead.len(), 1);
        let (body, attributes) = dead.remove(0);
        assert_eq!(body, track("1"), "the body is what a redrive puts back");
        assert_attributes(
            &attributes,
            &[
                ("webhook", &name(&refusing)),
                ("failure", failure),
                ("reason", reason),
                ("status", &status.to_string()),
                ("attempts", "1"),
                ("since", "2026-11-21T04:00:00.000Z"),
                ("failedAt", "2026-11-21T04:00:00.000Z"),
                ("writeKey", "default"),
                ("type", "track"),
            ],
        );
        assert!(attributes.len() <= 10, "SQS takes no more than ten");
        assert_eq!((refusing.requests().len(), taken(&healthy)), (1, vec!["1".to_owned()]));
        assert!(elsewhere.requests().is_empty(), "redirects are not followed");
    }
}

#[tokio::test]
async fn the_message_with_the_most_attributes_has_the_ten_that_sqs_takes() {
    let fake = FakeServer::start(|_| Answer::rate_limited("3600")).await;
    let world = World::new(&settings([plain(&fake)]));
    let integrations = r#"{"Segment.io":false,"Warehouses":false}"#;
    let message = track("1").replacen('{', &format!(r#"{{"integrations":{integrations},"#), 1);
    let publication = Publication::new(&Message::from_json(message.as_bytes()).unwrap(), "shop");
    let attributes = publication.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    world.publish_with(&publication.body, &attributes.collect::<Vec<_>>()).await;
    world.poll(1).await;
    let names = |attributes: &Attributes| attributes.keys().cloned().collect::<Vec<_>>().join(" ");
    let waiting = world.queued().await.remove(0).1;
    assert_eq!(names(&waiting), "attempts due enteredAt notFor since type webhook writeKey");
    fake.set(|_| Answer::status(404));
    world.drain().await;
    let dead = world.dead_letters().await.remove(0).1;
    assert_eq!(names(&dead), "attempts failedAt failure notFor reason since status type webhook writeKey");
    assert_eq!(dead.len(), 10);
}

#[tokio::test]
async fn two_webhooks_that_refuse_a_message_leave_two_dead_letters() {
    let [one, other] =
        [FakeServer::start(|_| Answer::status(410)).await, FakeServer::start(|_| Answer::status(404)).await];
    let world = World::new(&settings([plain(&one), plain(&other)]));
    world.publish_all(["1"]).await;
    world.poll(1).await;
    let dead = world.dead_letters().await;
    let mut webhooks: Vec<&String> = dead.iter().map(|(_, attributes)| &attributes["webhook"]).collect();
    webhooks.sort();
    let mut expected = [name(&one), name(&other)];
    expected.sort();
    assert_eq!(webhooks, expected.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_redriven_message_starts_afresh_and_goes_to_its_webhook_alone() {
    let recovering = FakeServer::start(|_| Answer::status(503)).await;
    let healthy = FakeServer::healthy().await;
    let world = World::new(&settings([plain(&healthy), plain(&recovering)]));
    world.publish_all(["1"]).await;
    world.drain().await;
    assert_attributes(&world.dead_letters().await[0].1, &[("failure", "expired")]);
    world.clock.advance(Duration::from_secs(14 * 86_400));
    let before = recovering.requests().len();
    world.redrive().await;
    world.poll(1).await;
    assert_eq!(recovering.requests().len(), before + 1);
    let queued = world.queued().await;
    assert_eq!(queued.len(), 1, "it has four hours again");
    assert_attributes(
        &queued[0].1,
        &[("webhook", &name(&recovering)), ("attempts", "1"), ("since", "2026-12-05T08:00:00.000Z")],
    );
    for gone in ["failure", "reason", "status", "failedAt"] {
        assert!(!queued[0].1.contains_key(gone), "{gone}");
    }
    recovering.set(|_| Answer::ok());
    world.drain().await;
    assert_eq!((taken(&recovering), taken(&healthy)), (vec!["1".to_owned()], vec!["1".to_owned()]));
    assert_eq!(world.dead_letters().await, []);
}

#[tokio::test]
async fn a_message_for_a_removed_webhook_says_so_and_can_be_redriven() {
    let (removed, kept) = (FakeServer::start(|_| Answer::status(503)).await, FakeServer::healthy().await);
    let both = settings([plain(&removed), plain(&kept)]);
    let world = World::new(&both);
    world.publish_all(["1"]).await;
    world.poll(1).await;
    world.set(&settings([plain(&kept)]));
    world.drain().await;
    let (body, attributes) = world.dead_letters().await.remove(0);
    assert_eq!(body, track("1"));
    assert_attributes(
        &attributes,
        &[
            ("webhook", &name(&removed)),
            ("failure", "no_webhook"),
            ("reason", "no webhook with that name is configured; add it again, or purge the message"),
            ("attempts", "1"),
        ],
    );
    assert_eq!((removed.requests().len(), taken(&kept)), (1, vec!["1".to_owned()]));
    removed.set(|_| Answer::ok());
    world.set(&both);
    world.redrive().await;
    world.drain().await;
    assert_eq!((taken(&removed), taken(&kept)), (vec!["1".to_owned()], vec!["1".to_owned()]));
}

#[tokio::test]
async fn an_undecodable_message_stays_undecodable_after_a_redrive() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&settings([plain(&fake)]));
    world.publish("[]").await;
    for _ in 0..2 {
        world.drain().await;
        let dead = world.dead_letters().await;
        assert_eq!(dead.len(), 1);
        assert_attributes(&dead[0].1, &[("failure", "invalid")]);
        world.redrive().await;
    }
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn an_address_that_may_not_be_called_is_refused_at_once() {
    let fake = FakeServer::healthy().await;
    let clock = testkit::clock();
    let exchange = Exchange::new(false, clock.clone()).unwrap();
    let world = World::with(&settings([plain(&fake)]), exchange, clock);
    world.publish_all(["1"]).await;
    world.poll(1).await;
    assert!(fake.requests().is_empty());
    assert_attributes(&world.dead_letters().await[0].1, &[("failure", "blocked"), ("attempts", "1")]);
}
