//! Metrics in CloudWatch's Embedded Metric Format (EMF): lines of JSON in the log, from which CloudWatch takes the
//! numbers. No call is made, so a metric costs a request no time, and is there even when Lambda ends the function next.

use std::{fmt, io::Write};

use serde_json::{Map, Value, json};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    fmt::MakeWriter,
    layer::Context,
    registry::{LookupSpan, Scope},
};

use crate::{
    clock::SharedClock,
    telemetry::{DEAD_LETTERED, METRICS, REASON, TARGET},
};

/// The dimension of every metric.
const FUNCTION: &str = "Function";

/// The field of the runtime's span of one invocation.
const REQUEST_ID: &str = "requestId";

/// Makes a document of every event of [`telemetry`](crate::telemetry), and of nothing else.
pub(super) struct EmbeddedMetrics<W> {
    /// What the metrics are found under in CloudWatch: 1 to 255 characters.
    pub namespace: String,
    pub function: &'static str,
    pub clock: SharedClock,
    pub writer: W,
}

/// What the layer listens to: the level of the log has no say in what is counted.
pub(super) fn targets() -> Targets {
    Targets::new().with_target(TARGET, Level::TRACE).with_target("lambda_runtime", Level::INFO)
}

impl<W> EmbeddedMetrics<W> {
    /// The document for an event's fields: what [`METRICS`] names is a metric, the rest are plain members.
    fn document(&self, fields: Map<String, Value>, request_id: Option<String>) -> Value {
        let metrics = METRICS.iter().filter(|(name, _)| fields.contains_key(*name));
        let metrics: Vec<Value> = metrics.map(|(name, unit)| json!({"Name": name, "Unit": unit})).collect();
        let (by_function, by_reason) = (vec![FUNCTION], vec![FUNCTION, REASON]);
        // Each set is a metric to pay for.
        let dimensions = match fields.contains_key(REASON) {
            false => vec![by_function],
            true if fields.contains_key(DEAD_LETTERED) => vec![by_function, by_reason],
            true => vec![by_reason],
        };
        let mut document = json!({
            "_aws": {
                "Timestamp": self.clock.now().as_millisecond(),
                "CloudWatchMetrics": [
                    {"Namespace": self.namespace, "Dimensions": dimensions, "Metrics": metrics},
                ],
            },
            FUNCTION: self.function,
        });
        if let Value::Object(members) = &mut document {
            members.extend(fields);
            members.extend(request_id.map(|id| (REQUEST_ID.to_owned(), id.into())));
        }
        document
    }
}

impl<S, W> Layer<S> for EmbeddedMetrics<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let (Some(span), Some(Value::String(id))) = (context.span(id), fields.0.remove(REQUEST_ID)) {
            span.extensions_mut().insert(RequestId(id));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let request_id = context.event_scope(event).and_then(request_id);
        let line = format!("{}\n", self.document(fields.0, request_id));
        // In one piece, so that no other line comes in between. Where it cannot be written, no log can say so.
        let _ = self.writer.make_writer().write_all(line.as_bytes());
    }
}

struct RequestId(String);

fn request_id<'a, S: LookupSpan<'a>>(mut spans: Scope<'a, S>) -> Option<String> {
    spans.find_map(|span| span.extensions().get::<RequestId>().map(|RequestId(id)| id.clone()))
}

/// The fields of an event without its sentence, which would only make each line dearer.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != "message" {
            let text = format!("{value:?}");
            // Numbers in a list come this way, and print as JSON.
            let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
            self.0.insert(field.name().to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests;
