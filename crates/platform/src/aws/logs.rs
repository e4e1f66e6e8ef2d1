//! What a function writes to CloudWatch.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// Writes logs as lines of JSON, each with the id of its request. The level is `LOG_LEVEL`: `error`, `warn`,
/// `info` (otherwise), `debug` or `trace`.
///
/// The level is that of `function` (its module path) and of Segue's crates alone. The libraries below stay at
/// warnings, because at their finer levels they print bodies and headers.
pub fn log_as_json(function: &str) {
    let configured = std::env::var("LOG_LEVEL").unwrap_or_default();
    let level = configured.trim().parse().unwrap_or(LevelFilter::INFO);
    let layer = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_ansi(false)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stderr);
    // Fails when there is a subscriber already, which is then the one to use.
    let _ = tracing_subscriber::registry().with(targets(function, level)).with(layer).try_init();
}

fn targets(function: &str, level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        // The runtime's span of one invocation carries the request's id; its finer levels carry the payload.
        .with_target("lambda_runtime", level.min(LevelFilter::INFO))
        .with_targets([(function, level), ("platform", level), ("segment", level)])
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
            ("segment::client", Level::TRACE, true),
            ("lambda_runtime::layers::trace", Level::INFO, true),
            ("lambda_runtime::layers::api_response", Level::TRACE, false),
            ("aws_smithy_runtime::client", Level::INFO, false),
            ("hyper", Level::WARN, true),
        ] {
            let targets = targets("track_event", LevelFilter::TRACE);
            assert_eq!(targets.would_enable(target, &level), written, "{target} {level}");
        }
        assert!(!targets("track_event", LevelFilter::ERROR).would_enable("hyper", &Level::WARN));
    }
}
