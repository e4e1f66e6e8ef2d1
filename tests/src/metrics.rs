//! CloudWatch's metrics: those that the functions write in the embedded metric format, and those that AWS
//! counts itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use serde_json::Value;

/// The namespace, the name, and the dimensions in alphabetical order.
pub(crate) type Metric = (String, String, BTreeMap<String, String>);

/// All values so far.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<BTreeMap<Metric, Vec<f64>>>);

impl Metrics {
    /// Reads a line of a function if it is in the embedded metric format (Amazon CloudWatch user guide,
    /// "Specification: Embedded metric format").
    pub(crate) fn read(&self, line: &str) {
        let Ok(line) = serde_json::from_str::<Value>(line) else { return };
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
            let namespace = directive["Namespace"].as_str().unwrap();
            for set in directive["Dimensions"].as_array().unwrap() {
                let names = set.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                let dimensions: BTreeMap<String, String> =
                    names.map(|name| (name.to_owned(), line[name].as_str().unwrap().to_owned())).collect();
                for metric in directive["Metrics"].as_array().unwrap() {
                    let name = metric["Name"].as_str().unwrap();
                    let values = match &line[name] {
                        Value::Array(values) => values.iter().map(|value| value.as_f64().unwrap()).collect(),
                        value => vec![value.as_f64().unwrap()],
                    };
                    let metric = (namespace.to_owned(), name.to_owned(), dimensions.clone());
                    self.0.lock().unwrap().entry(metric).or_default().extend(values);
                }
            }
        }
    }

    /// Adds a value to a metric that AWS counts itself.
    pub(crate) fn aws(&self, namespace: &str, name: &str, dimension: (&str, &str), value: f64) {
        let dimensions = BTreeMap::from([(dimension.0.to_owned(), dimension.1.to_owned())]);
        self.add((namespace.to_owned(), name.to_owned(), dimensions), value);
    }

    /// Adds a value.
    pub(crate) fn add(&self, metric: Metric, value: f64) {
        self.0.lock().unwrap().entry(metric).or_default().push(value);
    }

    /// Returns the values of a metric.
    pub(crate) fn values(&self, metric: &Metric) -> Vec<f64> {
        self.0.lock().unwrap().get(metric).cloned().unwrap_or_default()
    }

    /// Returns the sum of the functions' metrics with this name, for one reason or for all.
    pub(crate) fn sum(&self, name: &str, function: &str, reason: Option<&str>) -> f64 {
        let metrics = self.0.lock().unwrap();
        let of_function = |dimensions: &BTreeMap<String, String>| {
            dimensions.get("Function").is_some_and(|one| one == function)
                && reason.is_none_or(|reason| dimensions.get("Reason").is_some_and(|one| one == reason))
        };
        let matching =
            metrics.iter().filter(|((_, other, dimensions), _)| other == name && of_function(dimensions));
        let (with, without): (Vec<_>, Vec<_>) =
            matching.partition(|((_, _, dimensions), _)| dimensions.contains_key("Reason"));
        // A metric that is counted both ways is in the log once.
        let counted = if with.is_empty() { without } else { with };
        counted.into_iter().flat_map(|(_, values)| values).sum()
    }

    /// Returns every metric that has a value, without the values.
    pub(crate) fn names(&self) -> BTreeSet<Metric> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}
