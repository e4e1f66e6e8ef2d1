//! The recorded metrics of an invocation.

use serde_json::json;
use testkit::{Answer, FakeServer, record, recorded};

use crate::setup::Job;

#[tokio::test]
async fn each_invocation_is_recorded_by_its_result() {
    let input = r#"{"user_id":"u1","event":"Order Completed"}"#;
    let large = format!(r#"{{"user_id":"u","event":"e","properties":{{"x":"{}"}}}}"#, "y".repeat(40_000));
    let rejected = |reason| json!({"Rejected": 1, "Reason": reason});
    for (input, status, expected) in [
        (input, 200, json!({"Delivered": 1, "to": "segment"})),
        (r#"{"event":"e"}"#, 200, rejected("missing_field")),
        (r#"{"user_id":[],"event":"e"}"#, 200, rejected("invalid_field")),
        (&large, 200, rejected("too_large")),
        (input, 401, rejected("invalid_write_key")),
        (input, 429, rejected("rate_limited")),
        (input, 503, rejected("segment_unavailable")),
    ] {
        let answer = if status == 200 { Answer::ok() } else { Answer::status(status) };
        let segment = FakeServer::start(move |_| answer.clone()).await;
        let job = Job::new(segment, r#"{"default":"k1"}"#);
        record();
        let _ = job.run(input).await;
        assert_eq!(recorded(), [expected], "{status}");
    }
}
