//! The output of a function to CloudWatch: logs on standard error, metrics on standard output.

use std::{env, io};

use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    fmt::MakeWriter,
    layer::SubscriberExt,
    registry::{LookupSpan, Registry},
    util::SubscriberInitExt,
};

use super::metrics::{self, EmbeddedMetrics};
use crate::{
    clock::{SharedClock, SystemClock},
    telemetry,
};

/// Starts logs and metrics, and counts the cold start. `function` is the name of its crate.
///
/// Logs are lines of JSON, each with the id of its request. `LOG_LEVEL` sets the level: `error`, `warn`,
/// `info` (the default), `debug` or `trace`. It applies only to the function and to Segue's crates. The
/// libraries below them stay at `warn`, because their finer levels print bodies and headers.
///
/// Metrics are written at every level, in the namespace `METRICS_NAMESPACE`, by default `Segue`.
pub fn start_telemetry(function: &'static str) {
    let configured = env::var("LOG_LEVEL").unwrap_or_default();
    let level = configured.trim().parse().unwrap_or(LevelFilter::INFO);
    let namespace = env::var("METRICS_NAMESPACE").ok().filter(|name| !name.trim().is_empty());
    let namespace = namespace.unwrap_or_else(|| "Segue".to_owned());
    let (clock, outputs) = (SystemClock::shared(), (io::stderr, io::stdout));
    // Fails when there already is a subscriber. That one is then used.
    let _ = subscriber(function, level, namespace, clock, outputs).try_init();
    telemetry::started();
}

/// Returns the subscriber that writes logs to the first output and metrics to the second.
pub(super) fn subscriber<L, M>(
    function: &'static str,
    level: LevelFilter,
    namespace: String,
    clock: SharedClock,
    (logs, writer): (L, M),
) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync
where
    L: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    M: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let logs = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_ansi(false)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(logs);
    let metrics = EmbeddedMetrics { namespace, function, clock, writer };
    Registry::default()
        .with(logs.with_filter(targets(function, level)))
        .with(metrics.with_filter(metrics::targets()))
}

fn targets(function: &str, level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        // The runtime's span of an invocation carries the request's id. Its finer levels carry the payload.
        .with_target("lambda_runtime", level.min(LevelFilter::INFO))
        .with_targets([(&*function.replace('-', "_"), level), ("platform", level), ("delivery", level)])
        // Metrics are written separately, and each line costs money.
        .with_target(telemetry::TARGET, LevelFilter::OFF)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_never_log_below_warnings() {
        for (target, level, written) in [
            ("track_event::handler", Level::TRACE, true),
            ("platform::secrets", Level::TRACE, true),
            ("lambda_runtime::layers::trace", Level::INFO, true),
            ("lambda_runtime::layers::api_response", Level::TRACE, false),
            ("aws_smithy_runtime::client", Level::INFO, false),
            ("hyper", Level::WARN, true),
            ("platform::telemetry", Level::ERROR, false),
        ] {
            let targets = targets("track-event", LevelFilter::TRACE);
            assert_eq!(targets.would_enable(target, &level), written, "{target} {level}");
        }
        assert!(!targets("track-event", LevelFilter::ERROR).would_enable("hyper", &Level::WARN));
    }
}
