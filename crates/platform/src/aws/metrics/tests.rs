use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing::level_filters::LevelFilter;

use super::*;
use crate::{aws::telemetry::subscriber, clock::HeldClock, telemetry};

/// The text written to an output, one entry for each write.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<String>>>);

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Runs `act` with `LOG_LEVEL` at `level`. Returns the lines of the log and those of the metrics.
fn written(level: LevelFilter, act: impl FnOnce()) -> (Vec<String>, Vec<String>) {
    let (logs, metrics) = (Output::default(), Output::default());
    let clock = HeldClock::at("2026-11-21T04:00:00Z".parse().unwrap());
    let (to_logs, to_metrics) = (logs.clone(), metrics.clone());
    let outputs = (move || to_logs.clone(), move || to_metrics.clone());
    let subscriber = subscriber("segment-delivery", level, "Segue/shop".to_owned(), clock, outputs);
    tracing::subscriber::with_default(subscriber, act);
    (logs.take(), metrics.take())
}

/// Returns the one document that `act` writes.
fn document(act: impl FnOnce()) -> Value {
    let (logs, metrics) = written(LevelFilter::TRACE, act);
    assert!(logs.is_empty(), "each line costs: {logs:?}");
    let [line] = metrics.as_slice() else { panic!("{metrics:?}") };
    assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "{line}");
    serde_json::from_str(line).unwrap()
}

/// Returns a document for every metric, each with all of its fields.
fn all() -> [(&'static str, Value); 10] {
    let times = [90, 80, 1_000].map(Duration::from_millis).to_vec();
    [
        ("Accepted", document(|| telemetry::accepted("user.create", 2))),
        ("Ignored", document(|| telemetry::ignored("unchanged", 1))),
        ("Rejected", document(|| telemetry::rejected("not_authentic", 1))),
        ("Corrected", document(|| telemetry::corrected("implausible_time", 1))),
        ("Delivered", document(|| telemetry::delivered("segment", 3, times))),
        ("Retried", document(|| telemetry::retried("server_error", 5_000))),
        ("Discarded", document(|| telemetry::discarded("type", 1))),
        ("DeadLettered", document(|| telemetry::dead_lettered("expired", 1))),
        ("MessageAge", document(|| telemetry::put_back(Duration::from_millis(900_999)))),
        ("ColdStarts", document(telemetry::started)),
    ]
}

/// Asserts the rules of the format's specification and those of this project: one set of dimensions, and no
/// members in the line other than the expected ones.
fn assert_valid(document: &Value) {
    let root = document.as_object().unwrap();
    let metadata = &document["_aws"];
    assert_eq!(metadata["Timestamp"], 1_795_233_600_000_u64);
    let [directive] = metadata["CloudWatchMetrics"].as_array().unwrap().as_slice() else { panic!() };
    let namespace = directive["Namespace"].as_str().unwrap();
    assert!((1..=255).contains(&namespace.len()) && !namespace.starts_with(':'), "{namespace}");
    let sets = directive["Dimensions"].as_array().unwrap().iter();
    for name in sets.flat_map(|set| set.as_array().unwrap()) {
        let value = document[name.as_str().unwrap()].as_str().unwrap();
        assert!(value.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_' | b'-')), "{value}");
    }
    let metrics = directive["Metrics"].as_array().unwrap();
    assert!(!metrics.is_empty());
    for metric in metrics {
        let (name, unit) = (metric["Name"].as_str().unwrap(), metric["Unit"].as_str().unwrap());
        assert!(METRICS.contains(&(name, unit)), "{name} {unit}");
        match &document[name] {
            Value::Array(values) => {
                assert!((1..=100).contains(&values.len()) && values.iter().all(Value::is_u64), "{name}");
            }
            value => assert!(value.is_u64(), "{name}: {value}"),
        }
    }
    for member in root.keys().map(String::as_str) {
        let known = METRICS.iter().any(|(name, _)| *name == member)
            || ["_aws", FUNCTION, REASON, REQUEST_ID, "kind", "to"].contains(&member);
        assert!(known, "{member} may be personal");
    }
}

#[test]
fn every_metric_is_a_valid_document_with_its_unit_and_its_dimensions() {
    let by_reason = ["Ignored", "Rejected", "Corrected", "Retried"];
    let mut seen = Vec::new();
    for (name, document) in all() {
        assert_valid(&document);
        let directive = &document["_aws"]["CloudWatchMetrics"][0];
        let dimensions = match name {
            name if TOTALED.contains(&name) => json!([["Function"], ["Function", "Reason"]]),
            name if by_reason.contains(&name) => json!([["Function", "Reason"]]),
            _ => json!([["Function"]]),
        };
        assert_eq!(directive["Dimensions"], dimensions, "{name}");
        assert_eq!(directive["Metrics"][0]["Name"], name);
        seen.extend(directive["Metrics"].as_array().unwrap().iter().map(|one| one["Name"].clone()));
    }
    seen.sort_by_key(Value::to_string);
    let mut expected = METRICS.map(|(name, _)| name);
    expected.sort_unstable();
    assert_eq!(seen, expected);
}

#[test]
fn a_document_has_the_form_that_cloudwatch_expects() {
    let delivered = &all()[4].1;
    assert_eq!(
        delivered.to_string(),
        concat!(
            r#"{"_aws":{"Timestamp":1795233600000,"CloudWatchMetrics":[{"Namespace":"Segue/shop","#,
            r#""Dimensions":[["Function"]],"Metrics":[{"Name":"Delivered","Unit":"Count"},"#,
            r#"{"Name":"DeliveryTime","Unit":"Milliseconds"}]}]},"Function":"segment-delivery","Delivered":3,"#,
            r#""DeliveryTime":[80,90,1000],"to":"segment"}"#,
        )
    );
    let age = &all()[8].1;
    assert_eq!(age["MessageAge"], 900);
}

#[test]
fn a_batch_of_thousands_records_100_times_in_one_line() {
    let times = (1..=10_000).map(Duration::from_secs).collect();
    let document = document(|| telemetry::delivered("segment", 10_000, times));
    assert_valid(&document);
    assert_eq!(document["Delivered"], 10_000);
    assert_eq!(document["DeliveryTime"].as_array().unwrap().len(), 100);
    assert!(document.to_string().len() < 2_000);
}

#[test]
fn a_message_that_came_through_no_queue_has_no_delivery_time() {
    let document = document(|| telemetry::delivered("segment", 1, Vec::new()));
    assert_valid(&document);
    assert_eq!(document.get("DeliveryTime"), None);
}

#[test]
fn metrics_are_written_at_every_level_of_the_log_with_the_id_of_the_request() {
    for level in [LevelFilter::OFF, LevelFilter::ERROR, LevelFilter::INFO, LevelFilter::TRACE] {
        let (logs, metrics) = written(level, || {
            let span = tracing::info_span!(
                target: "lambda_runtime::layers::trace", "Lambda runtime invoke", requestId = "8476a536"
            );
            span.in_scope(|| {
                telemetry::accepted("user.create", 1);
                telemetry::retried("timeout", 1);
            });
        });
        assert_eq!((logs.len(), metrics.len()), (0, 2), "{level}: {logs:?}");
        for line in metrics {
            let document: Value = serde_json::from_str(&line).unwrap();
            assert_valid(&document);
            assert_eq!(document["requestId"], "8476a536");
        }
    }
}

#[test]
fn a_plain_log_line_is_no_metric() {
    let (logs, metrics) = written(LevelFilter::INFO, || {
        tracing::warn!(target: "platform::settle", Accepted = 1, email = "a@example.com", "A line of the log.");
        tracing::info!(target: "lambda_runtime", Rejected = 1, "Another.");
        tracing::debug!(target: "segment_delivery::handler", "Below the level.");
    });
    assert_eq!((logs.len(), metrics.len()), (2, 0), "{logs:?} {metrics:?}");
}
