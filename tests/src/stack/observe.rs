//! What can be seen of a running stack: metrics, alarms, permissions, and what explains why something did not happen.

use serde_json::Value;

use super::Stack;
use crate::{alarms, metrics::Metric};

impl Stack {
    /// The sum of the functions' metrics of that name, for one reason or for all.
    pub fn metric(&self, name: &str, function: &str, reason: Option<&str>) -> f64 {
        self.metrics.sum(name, function, reason)
    }

    /// Every metric that has a value, by namespace, name and dimensions.
    pub fn metrics(&self) -> impl Iterator<Item = Metric> {
        self.metrics.names().into_iter()
    }

    /// The alarms that would be in ALARM, were all that happened so far within one of their periods.
    pub async fn alarms(&self) -> Vec<&str> {
        self.count_queues().await;
        let alarms = self.of_type("AWS::CloudWatch::Alarm");
        alarms
            .filter(|(_, alarm)| alarms::is_in_alarm(&alarm["Properties"], &self.metrics))
            .map(|(name, _)| name)
            .collect()
    }

    /// The metrics that an alarm looks at.
    pub fn metrics_of_alarm(&self, alarm: &str) -> Vec<Metric> {
        alarms::metrics_of(self.properties(alarm))
    }

    /// What a policy allows and nobody needed so far.
    pub fn unneeded_permissions(&self) -> Vec<String> {
        self.policies.unneeded()
    }

    /// What was wanted and no policy allows.
    pub fn denied(&self) -> Vec<String> {
        self.policies.denied()
    }

    /// The faults that the services' own models find in the functions' calls so far.
    pub fn refused_calls(&self) -> Vec<String> {
        self.gateway.refused()
    }

    /// What is wrong with the stack and AWS would not tell.
    pub fn notes(&self) -> Vec<String> {
        self.notes.0.lock().unwrap().clone()
    }

    /// What is known of the stack that may explain why something did not happen.
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

    /// The name in the template of what has this ARN.
    fn name_of(&self, arn: &str) -> String {
        arn.rsplit(':').next().unwrap_or_default().trim_start_matches("segue-").to_owned()
    }

    /// What SQS tells CloudWatch of each queue.
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
