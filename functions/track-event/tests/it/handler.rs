//! The caller's answer for each result of sending.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Answer, FakeServer};
use track_event::{Invocation, MARGIN, TrackError};

use crate::setup::{Job, NOW, TIME_LIMIT};

const INPUT: &str =
    r#"{"user_id":"u1","event":"Order Completed","properties":{"price":99.90,"id":12345678901234567890}}"#;

#[tokio::test]
async fn the_answer_comes_after_segment_took_the_event() {
    let job = Job::answered([]).await;
    let answer = job.run(INPUT).await.unwrap();
    assert_eq!(
        Value::Object(answer).to_string(),
        r#"{"success":true,"user_id":"u1","event":"Order Completed","timestamp":"2026-11-21T04:05:06.000Z","properties":{"price":99.90,"id":12345678901234567890},"message_id":"segue-52fdfc07","segment_response":{"success":true}}"#,
        "in the job's order, with every digit"
    );
    let requests = job.segment.requests();
    assert_eq!((requests[0].line.as_str(), requests[0].write_key().as_str()), ("POST /v1/track", "k1"));
    assert_eq!(
        requests[0].body,
        concat!(
            r#"{"type":"track","userId":"u1","event":"Order Completed","#,
            r#""properties":{"price":99.90,"id":12345678901234567890},"timestamp":"2026-11-21T04:05:06.000Z","#,
            r#""messageId":"segue-52fdfc07","context":{"library":{"name":"segue","version":""#,
            env!("CARGO_PKG_VERSION"),
            r#""}},"sentAt":"2026-11-21T04:05:06.000Z"}"#
        )
    );
}

#[tokio::test]
async fn a_rate_limit_is_waited_out_and_the_message_stays_the_same() {
    let job = Job::answered([Answer::rate_limited("7"), Answer::status(503), Answer::ResetBefore]).await;
    job.run(INPUT).await.unwrap();
    let requests = job.segment.requests();
    assert_eq!(requests.len(), 4);
    let ids: Vec<Value> = requests.iter().map(|request| request.json()["messageId"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(
        requests[1].json()["sentAt"],
        "2026-11-21T04:05:13.000Z",
        "after the 7 s that Segment asked for"
    );
    assert_eq!(requests[3].json()["timestamp"], "2026-11-21T04:05:06.000Z", "the event happened once");
}

#[tokio::test]
async fn if_segment_is_away_until_the_deadline_the_error_is_segment_unavailable() {
    let job = Job::new(FakeServer::start(|_| Answer::status(503)).await, "k1");
    let error = job.run(INPUT).await.unwrap_err();
    assert_eq!(error.kind(), "SegmentUnavailable");
    let attempts = job.segment.requests().len();
    assert!(attempts >= 3, "{attempts}");
    assert_eq!(
        error.to_string(),
        format!(
            "the event was not recorded after {attempts} attempts; the last one failed: Segment answered 503"
        )
    );
    let spent = job.now().duration_since(NOW.parse().unwrap()).unsigned_abs();
    assert!(spent <= TIME_LIMIT - MARGIN, "{spent:?}");
}

#[tokio::test]
async fn a_wait_longer_than_the_time_left_is_not_started() {
    let job = Job::answered([Answer::rate_limited("60")]).await;
    let error = job.run(INPUT).await.unwrap_err();
    assert!(
        matches!(error, TrackError::RateLimited { attempts: 1, after: Some(after) } if after == Duration::from_secs(60))
    );
    assert_eq!(
        error.to_string(),
        "Segment limits the rate; the event was not recorded after 1 attempts; try again in 60 s"
    );
    assert_eq!(job.now(), NOW.parse().unwrap());
}

#[tokio::test]
async fn one_attempt_is_made_however_little_time_there_is() {
    let job = Job::answered([]).await;
    job.handler.handle(INPUT.as_bytes(), &Invocation::new("id", 0)).await.unwrap();
    let ids = [(); 2].map(|()| Invocation::once(NOW.parse().unwrap()).id);
    assert!(ids[0] != ids[1] && ids[0].len() == 32, "{ids:?}");
}

#[tokio::test]
async fn each_refusal_has_its_error_type() {
    for (status, kind, text) in [
        (400, "InvalidField", "input: Segment answered 400: it finds the event malformed"),
        (413, "TooLarge", "the event is larger than 32 KB as JSON; make its properties smaller"),
        (401, "InvalidWriteKey", "Segment does not know the write key; check the secret"),
        (
            404,
            "SegmentUnavailable",
            "the event was not recorded after 1 attempts; the last one failed: Segment answered 404",
        ),
    ] {
        let job = Job::answered([Answer::status(status), Answer::status(status)]).await;
        let error = job.run(INPUT).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
        assert!(job.segment.taken().is_empty());
    }
}

#[tokio::test]
async fn a_secret_without_a_write_key_is_reported_at_once() {
    for (secret, text) in [
        (r#"{"shop":"k2"}"#, "no write key of that name is configured; add it to the secret"),
        ("{}", r#"the secret is not usable: it holds no write key; store {"default":"<write key>"}"#),
    ] {
        let job = Job::new(FakeServer::healthy().await, secret);
        let error = job.run(INPUT).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), ("InvalidWriteKey", text));
        assert!(job.segment.requests().is_empty());
        assert_eq!(job.now(), NOW.parse().unwrap());
    }
}

#[tokio::test]
async fn if_segments_answer_is_not_json_it_is_null() {
    let job = Job::answered([Answer::Status(200, Vec::new(), "OK".to_owned())]).await;
    assert_eq!(job.run(INPUT).await.unwrap()["segment_response"], json!(null));
}
