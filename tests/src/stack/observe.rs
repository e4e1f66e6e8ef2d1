//! Observes a running stack: metrics, alarms, permissions, and explanations for missing events.

use serde_json::Value;

use super::Stack;
use crate::{alarms, metrics::Metric};

impl Stack {
    /// Returns the sum of the functions' metrics with this name, for one reason or for all.
    pub fn metric(&self, name: &str, function: &str, reason: Option<&str>) -> f64 {
        self.metrics.sum(name, function, reason)
    }

    /// Returns every metric that has a value, by namespace, name and dimensions.
    pub fn metrics(&self) -> impl Iterator<Item = Metric> {
        self.metrics.names().into_iter()
    }

    /// Returns the alarms that would be in ALARM if everything so far happened within one of their periods.
    pub async fn alarms(&self) -> Vec<&str> {
        self.count_queues().await;
        let alarms = self.of_type("AWS::CloudWatch::Alarm");
        alarms
            .filter(|(_, alarm)| alarms::is_in_alarm(&alarm["Properties"], &self.metrics))
            .map(|(name, _)| name)
            .collect()
    }

    /// Returns the metrics of an alarm.
    pub fn metrics_of_alarm(&self, alarm: &str) -> Vec<Metric> {
        alarms::metrics_of(self.properties(alarm))
    }

    /// Returns the permissions that a policy allows and nothing has needed so far.
    pub fn unneeded_permissions(&self) -> Vec<String> {
        self.policies.unneeded()
    }

    /// Returns the requested permissions that no policy allows.
    pub fn denied(&self) -> Vec<String> {
        self.policies.denied()
    }

    /// Returns the faults that the services' own models find in the functions' calls so far.
    pub fn refused_calls(&self) -> Vec<String> {
        self.gateway.refused()
    }

    /// Returns the problems of the stack that AWS would not report.
    pub fn notes(&self) -> Vec<String> {
        self.notes.0.lock().unwrap().clone()
    }

    /// Returns everything that may explain a missing event.
    pub async fn diagnosis(&self) -> String {
        let mut lines = self.notes();
        lines.extend(self.denied());
        for (name, subscription) in self.of_type("AWS::SNS::Subscription") {
            let properties = &subscription["Properties"];
            let name_of = |arn: &Value| self.name_of(arn.as_str().unwrap_or_default());
            let (topic, queue) = (name_of(&properties["TopicArn"]), name_of(&properties["Endpoint"]));
            lines.push(format!("{name} brings messages of {topic} to {queue}"));
        }
        for (name, _) in self.of_type("AWS::SQS::Queue") {
            let (visible, hidden, delayed) = self.queue(name).await.counts().await;
            lines.push(format!(
                "{name} holds {visible} visible, {hidden} hidden and {delayed} delayed messages"
            ));
        }
        for (name, function) in &self.functions {
            let logs = function.logs();
            let warnings = logs.lines().filter(|line| line.contains("WARN") || line.contains("ERROR"));
            let warnings: Vec<&str> = warnings.collect();
            lines.extend(warnings.iter().rev().take(3).map(|line| format!("{name}: {line}")));
        }
        lines.join("\n")
    }

    /// Returns the name in the template of the resource with this ARN.
    fn name_of(&self, arn: &str) -> String {
        arn.rsplit(':').next().unwrap_or_default().trim_start_matches("segue-").to_owned()
    }

    /// Counts the metrics that SQS reports to CloudWatch for each queue.
    async fn count_queues(&self) {
        for (name, _) in self.of_type("AWS::SQS::Queue") {
            let queue = self.queue(name).await;
            let (visible, ..) = queue.counts().await;
            let physical = format!("segue-{name}");
            let dimension = ("QueueName", physical.as_str());
            self.metrics.aws("AWS/SQS", "ApproximateNumberOfMessagesVisible", dimension, visible as f64);
            if let Some(age) = queue.age_of_oldest(self.emulator.ahead()).await {
                self.metrics.aws("AWS/SQS", "ApproximateAgeOfOldestMessage", dimension, age.as_secs_f64());
            }
        }
    }
}
