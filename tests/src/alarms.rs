//! CloudWatch's alarms and the dashboard, computed from the metrics since the start of the stack.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::metrics::{Metric, Metrics};

/// Returns the metrics of an alarm: its own, or those in its expression.
pub(crate) fn metrics_of(alarm: &Value) -> Vec<Metric> {
    match alarm["Metrics"].as_array() {
        None => vec![metric(alarm)],
        Some(queries) => {
            let queries = queries.iter().filter(|query| query["MetricStat"].is_object());
            queries.map(|query| metric(&query["MetricStat"]["Metric"])).collect()
        }
    }
}

/// Whether the alarm would be in ALARM if everything happened within one of its periods.
pub(crate) fn is_in_alarm(alarm: &Value, metrics: &Metrics) -> bool {
    let value = match alarm["Metrics"].as_array() {
        None => statistic(alarm["Statistic"].as_str().unwrap(), &metrics.values(&metric(alarm))),
        Some(queries) => {
            let statistics = queries.iter().filter(|query| query["MetricStat"].is_object()).map(|query| {
                let stat = &query["MetricStat"];
                statistic(stat["Stat"].as_str().unwrap(), &metrics.values(&metric(&stat["Metric"])))
            });
            let statistics: Vec<f64> = statistics.flatten().collect();
            let expression = queries.iter().find_map(|query| query["Expression"].as_str()).unwrap();
            match expression {
                "SUM(FILL(METRICS(), 0))" => statistic("Sum", &statistics),
                "MAX(FILL(METRICS(), 0))" => statistic("Maximum", &statistics),
                other => panic!("the expression {other} is not known here"),
            }
        }
    };
    // The template says for each alarm that missing data is no breach.
    assert_eq!(alarm["TreatMissingData"], "notBreaching");
    let threshold = alarm["Threshold"].as_f64().unwrap();
    value.is_some_and(|value| match alarm["ComparisonOperator"].as_str().unwrap() {
        "GreaterThanThreshold" => value > threshold,
        "GreaterThanOrEqualToThreshold" => value >= threshold,
        other => panic!("{other} is not known here"),
    })
}

fn metric(value: &Value) -> Metric {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned();
    let dimensions = value["Dimensions"].as_array().into_iter().flatten();
    let dimensions: BTreeMap<String, String> =
        dimensions.map(|one| (text(&one["Name"]), text(&one["Value"]))).collect();
    (text(&value["Namespace"]), text(&value["MetricName"]), dimensions)
}

fn statistic(name: &str, values: &[f64]) -> Option<f64> {
    match name {
        _ if values.is_empty() => None,
        "Sum" => Some(values.iter().sum()),
        "Maximum" => values.iter().copied().reduce(f64::max),
        other => panic!("the statistic {other} is not known here"),
    }
}
