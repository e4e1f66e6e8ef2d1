//! Queues and the schedule as callers of functions.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value;

use super::{Wiring, text};
use crate::{
    cloud::{ACCOUNT, REGION},
    lambda::{Asynchronous, EventSource, Schedule},
};

impl Wiring<'_> {
    /// Returns the function's name, and the event source that passes a queue's messages to it.
    pub(super) async fn event_source(
        &self,
        name: &str,
        properties: &Value,
    ) -> Result<(String, EventSource), String> {
        let function_name = self.name_of(&properties["FunctionName"], "AWS::Lambda::Function")?;
        let queue = self.name_of(&properties["EventSourceArn"], "AWS::SQS::Queue")?;
        let function = &self.resources[function_name]["Properties"];
        let timeout = function["Timeout"].as_u64().unwrap_or_default();
        let visibility = self.resources[queue]["Properties"]["VisibilityTimeout"].as_u64().unwrap_or(30);
        // Lambda refuses a visibility timeout below the function's timeout, and recommends six times that.
        if visibility < 6 * timeout {
            return Err(format!(
                "{queue} hides messages for {visibility} s, which is less than six times the {timeout} s of {function_name}"
            ));
        }
        let number = |property: &str, default: u64| properties[property].as_u64().unwrap_or(default);
        let (batch_size, window) = (number("BatchSize", 10), number("MaximumBatchingWindowInSeconds", 0));
        if batch_size > 10 && window == 0 {
            return Err(format!("a batch of {batch_size} wants a batching window"));
        }
        let concurrency = properties["ScalingConfig"]["MaximumConcurrency"].as_u64().unwrap_or(1000);
        let types = properties["FunctionResponseTypes"].as_array();
        let partial_failures = types.is_some_and(|types| types.contains(&"ReportBatchItemFailures".into()));
        if !partial_failures {
            self.notes.add(format!("{name}: FunctionResponseTypes lacks ReportBatchItemFailures, so what {function_name} reports as failed is deleted"));
        }
        let client = self.client(&function["Role"]).await?;
        // Lambda sometimes does this.
        let url = self.references[queue].clone();
        let _ = client.get_queue_attributes().queue_url(&url).send().await;
        let source = EventSource {
            client,
            url,
            function: self.functions[function_name].clone(),
            batch_size: usize::try_from(batch_size).unwrap_or(usize::MAX),
            window: Duration::from_secs(window),
            concurrency: usize::try_from(concurrency).unwrap_or(usize::MAX),
            partial_failures,
        };
        Ok((function_name.to_owned(), source))
    }

    pub(super) async fn asynchronous(&self, properties: &Value) -> Result<(String, Asynchronous), String> {
        let name = self.name_of(&properties["FunctionName"], "AWS::Lambda::Function")?;
        let destination = &properties["DestinationConfig"]["OnFailure"]["Destination"];
        let on_failure = match destination {
            Value::Null => None,
            arn => Some(self.outlet(arn, &self.resources[name]["Properties"]["Role"]).await?),
        };
        let retries = properties["MaximumRetryAttempts"].as_u64().unwrap_or(2);
        Ok((name.to_owned(), Asynchronous { function: self.functions[name].clone(), retries, on_failure }))
    }

    pub(super) async fn schedule(
        &self,
        name: &str,
        properties: &Value,
        asynchronous: &BTreeMap<String, Arc<Asynchronous>>,
    ) -> Result<Schedule, String> {
        let target = &properties["Target"];
        let function = self.name_of(&target["Arn"], "AWS::Lambda::Function")?;
        let role = self.role(&target["RoleArn"], "scheduler.amazonaws.com")?;
        Ok(Schedule {
            arn: format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/segue-{name}"),
            role: role.to_owned(),
            target: text(&target["Arn"]).to_owned(),
            invocation: asynchronous
                .get(function)
                .ok_or_else(|| format!("failures of {function} vanish"))?
                .clone(),
            input: text(&target["Input"]).to_owned(),
            dead_letters: self.outlet(&target["DeadLetterConfig"]["Arn"], &target["RoleArn"]).await?,
            policies: self.policies.clone(),
        })
    }
}
