//! A stack in the state after a deployment.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::QueueAttributeName::{All, Policy, QueueArn};
use reqwest::Client;
use serde_json::Value;

use super::Ministack;
use crate::{HttpRequest, Queue, Reply, cloud::lets_in};

/// A deployed stack, in the state that the test found.
#[derive(Clone)]
pub struct Deployment<'a> {
    aws: &'a Ministack,
    /// The physical name of each resource, by its name in the template.
    resources: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
    client: Client,
}

impl<'a> Deployment<'a> {
    /// Returns the stack as it is now.
    pub(super) async fn of(aws: &'a Ministack, stack: &str) -> Self {
        let question = |call: &'static str| ["cloudformation", call, "--stack-name", stack];
        let (stacks, resources) = (question("describe-stacks"), question("list-stack-resources"));
        let (stacks, resources) = tokio::join!(aws.aws(&stacks), aws.aws(&resources));
        Self {
            aws,
            resources: texts(&resources["StackResourceSummaries"], "LogicalResourceId", "PhysicalResourceId"),
            outputs: texts(&stacks["Stacks"][0]["Outputs"], "OutputKey", "OutputValue"),
            client: platform::http::client().unwrap(),
        }
    }

    /// Returns the physical name of a resource, by its name in the template.
    pub fn resource(&self, name: &str) -> &str {
        self.resources.get(name).unwrap_or_else(|| panic!("no resource {name} in the stack"))
    }

    /// Returns an output of the template.
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("no output {name}"))
    }

    /// Returns a queue, by its name in the template.
    pub async fn queue(&self, name: &str) -> Queue {
        Queue::new(aws_sdk_sqs::Client::new(&self.aws.config().await), self.resource(name))
    }

    /// Whether a queue's policy accepts the topic's messages.
    pub async fn lets_topic_into(&self, queue: &str) -> bool {
        let client = aws_sdk_sqs::Client::new(&self.aws.config().await);
        let call = client.get_queue_attributes().queue_url(self.resource(queue));
        let answer = call.attribute_names(All).send().await.unwrap();
        let attributes = answer.attributes.unwrap();
        let policy = attributes.get(&Policy).map(|policy| serde_json::from_str(policy).unwrap());
        lets_in(&policy.unwrap_or(Value::Null), &attributes[&QueueArn], self.resource("MessageTopic"))
    }

    /// Stores a text in a secret of the template.
    pub async fn store(&self, secret: &str, text: &str) {
        let client = aws_sdk_secretsmanager::Client::new(&self.aws.config().await);
        client.put_secret_value().secret_id(self.resource(secret)).secret_string(text).send().await.unwrap();
    }

    /// Sends a request to the address in the outputs.
    pub async fn send(&self, request: HttpRequest) -> Reply {
        let address = match request.path().starts_with("/v1") {
            true => self.output("TrackingApiUrl"),
            false => self.output("HealthUrl").trim_end_matches("/health"),
        };
        // ministack takes the name of the API or the function URL from the path too, and this machine cannot
        // resolve the host.
        let host = address.split("//").nth(1).unwrap();
        let path = match host.split_once('.').unwrap() {
            (id, rest) if rest.starts_with("lambda-url.") => format!("/_aws/lambda-url/{id}"),
            (id, _) => format!("/_aws/execute-api/{id}/$default"),
        };
        request.send(&self.client, &format!("{}{path}", self.aws.url())).await
    }

    /// Fires the schedule at this time. ministack sends a schedule's input unchanged and does not replace
    /// Scheduler's context attributes.
    pub async fn fire_schedule(&self, time: &str) {
        let question = ["scheduler", "get-schedule", "--name", self.resource("TrackEventSchedule")];
        let schedule = self.aws.aws(&question).await;
        let target = &schedule["Target"];
        let input = target["Input"].as_str().unwrap();
        let input = input.replace("<aws.scheduler.schedule-arn>", schedule["Arn"].as_str().unwrap());
        let input = input.replace("<aws.scheduler.scheduled-time>", time);
        self.aws.invoke(target["Arn"].as_str().unwrap(), &input).await;
    }

    /// Returns the configuration of the version behind a function's alias.
    pub async fn live(&self, function: &str) -> Value {
        let name = self.resource(function);
        let question = ["lambda", "get-function-configuration", "--function-name", name];
        self.aws.aws(&[&question[..], &["--qualifier", "live"]].concat()).await
    }
}

fn texts(list: &Value, name: &str, value: &str) -> BTreeMap<String, String> {
    let text = |one: &Value| one.as_str().unwrap_or_default().to_owned();
    list.as_array().unwrap().iter().map(|one| (text(&one[name]), text(&one[value]))).collect()
}
