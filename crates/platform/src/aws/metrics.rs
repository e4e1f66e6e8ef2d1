//! Metrics in CloudWatch's Embedded Metric Format (EMF): lines of JSON in the log, from which CloudWatch
//! takes the numbers. A metric needs no call, so it costs a request no time. It is also kept when Lambda ends
//! the function right after it.

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
    telemetry::{METRICS, REASON, TARGET, TOTALED},
};

/// The dimension of every metric.
const FUNCTION: &str = "Function";

/// The field of the runtime's span of one invocation.
const REQUEST_ID: &str = "requestId";

/// A layer that writes each event of [`telemetry`](crate::telemetry) as a metric document, and no other
/// event.
pub(super) struct EmbeddedMetrics<W> {
    /// The CloudWatch namespace of the metrics: 1 to 255 characters.
    pub namespace: String,
    pub function: &'static str,
    pub clock: SharedClock,
    pub writer: W,
}

/// The events that the layer receives. The log level does not change what is counted.
pub(super) fn targets() -> Targets {
    Targets::new().with_target(TARGET, Level::TRACE).with_target("lambda_runtime", Level::INFO)
}

impl<W> EmbeddedMetrics<W> {
    /// Returns the document for an event's fields. The fields in [`METRICS`] become metrics, all others plain
    /// members.
    fn document(&self, fields: Map<String, Value>, request_id: Option<String>) -> Value {
        let metrics = METRICS.iter().filter(|(name, _)| fields.contains_key(*name));
        let metrics: Vec<Value> = metrics.map(|(name, unit)| json!({"Name": name, "Unit": unit})).collect();
        let (by_function, by_reason) = (vec![FUNCTION], vec![FUNCTION, REASON]);
        // Each set of dimensions is a metric that costs money.
        let dimensions = match fields.contains_key(REASON) {
            false => vec![by_function],
            true if TOTALED.iter().any(|metric| fields.contains_key(*metric)) => vec![by_function, by_reason],
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
        // One write for the whole line, so that no other line gets in between. If the write fails, no log
        // could report it.
        let _ = self.writer.make_writer().write_all(line.as_bytes());
    }
}

struct RequestId(String);

fn request_id<'a, S: LookupSpan<'a>>(mut spans: Scope<'a, S>) -> Option<String> {
    spans.find_map(|span| span.extensions().get::<RequestId>().map(|RequestId(id)| id.clone()))
}

/// The fields of an event, without its sentence, which would only make each line cost more.
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
            // A list of numbers arrives here as text, which is JSON.
            let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
            self.0.insert(field.name().to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests;
