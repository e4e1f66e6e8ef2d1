//! A stack that is deployed, as it was after a deployment.

use std::{collections::BTreeMap, fs};

use aws_sdk_sqs::types::QueueAttributeName::{All, Policy, QueueArn};
use reqwest::Client;
use serde_json::{Value, json};

use super::{Ministack, Release};
use crate::{HttpRequest, Queue, Reply, cloud::lets_in, tools};

/// What there is after a deployment.
#[derive(Clone)]
pub struct Deployment<'a> {
    aws: &'a Ministack,
    /// What each resource is called, by its name in the template.
    resources: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
    client: Client,
}

impl Ministack {
    /// Creates a stack or updates it.
    ///
    /// # Panics
    /// When SAM or CloudFormation refuses, or the stack is rolled back.
    pub async fn deploy(
        &self,
        stack: &str,
        release: &Release,
        parameters: &[(&str, &str)],
    ) -> Deployment<'_> {
        self.try_deploy(stack, release, parameters).await.unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// Creates a stack or updates it, as the documentation says: the settings of `samconfig.toml`, and parameters from
    /// a file.
    ///
    /// # Errors
    /// What SAM or CloudFormation has against it, or why the stack was rolled back.
    pub async fn try_deploy(
        &self,
        stack: &str,
        release: &Release,
        parameters: &[(&str, &str)],
    ) -> Result<Deployment<'_>, String> {
        let mut given = json!({"Architecture": release.architecture()});
        for (name, value) in parameters {
            given[*name] = (*value).into();
        }
        let template = release.write(self.folder(), &given);
        // JSON is YAML too.
        let file = self.folder().join("parameters.yaml");
        fs::write(&file, given.to_string()).unwrap();
        let settings = tools::root().join("samconfig.toml");
        let parameters = format!("file://{}", file.display());
        let arguments = [
            "deploy",
            "--config-file",
            settings.to_str().unwrap(),
            "--template-file",
            template.to_str().unwrap(),
            "--stack-name",
            stack,
            "--parameter-overrides",
            &parameters,
            "--no-confirm-changeset",
        ];
        self.run("sam", &arguments).await?;
        Ok(self.deployment(stack).await)
    }

    /// What a function answers, by its name or ARN.
    pub async fn invoke(&self, function: &str, payload: &str) -> Value {
        let file = self.folder().join("answer");
        let output = file.to_str().unwrap();
        let told =
            self.aws(&["lambda", "invoke", "--function-name", function, "--payload", payload, output]).await;
        let answer = fs::read_to_string(&file).unwrap();
        assert!(told["FunctionError"].is_null(), "{function}: {answer}");
        serde_json::from_str(&answer).unwrap_or_default()
    }

    /// Deletes a stack.
    pub async fn delete(&self, stack: &str) {
        self.aws(&["cloudformation", "delete-stack", "--stack-name", stack]).await;
        self.aws(&["cloudformation", "wait", "stack-delete-complete", "--stack-name", stack]).await;
    }

    /// The stack as it is now.
    pub async fn deployment(&self, stack: &str) -> Deployment<'_> {
        let answer = self.aws(&["cloudformation", "describe-stacks", "--stack-name", stack]).await;
        let outputs = texts(&answer["Stacks"][0]["Outputs"], "OutputKey", "OutputValue");
        let answer = self.aws(&["cloudformation", "list-stack-resources", "--stack-name", stack]).await;
        let resources = texts(&answer["StackResourceSummaries"], "LogicalResourceId", "PhysicalResourceId");
        let client = platform::http::client().unwrap();
        Deployment { aws: self, resources, outputs, client }
    }
}

impl Deployment<'_> {
    /// What a resource is called, by its name in the template.
    pub fn resource(&self, name: &str) -> &str {
        self.find(name).unwrap_or_else(|| panic!("no resource {name} in the stack"))
    }

    /// The same, if there is one.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.resources.get(name).map(String::as_str)
    }

    /// An output of the template.
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("no output {name}"))
    }

    /// A queue, by its name in the template.
    pub async fn queue(&self, name: &str) -> Queue {
        Queue::new(aws_sdk_sqs::Client::new(&self.aws.config().await), self.resource(name))
    }

    /// Whether a queue's policy lets the topic into it.
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

    /// Sends that to the address that the outputs tell users of.
    pub async fn send(&self, request: HttpRequest) -> Reply {
        let address = match request.path().starts_with("/v1") {
            true => self.output("TrackingApiUrl"),
            false => self.output("HealthUrl").trim_end_matches("/health"),
        };
        // ministack takes the name of the API or the function URL from the path too, and nobody knows it by the host.
        let host = address.split("//").nth(1).unwrap();
        let path = match host.split_once('.').unwrap() {
            (id, rest) if rest.starts_with("lambda-url.") => format!("/_aws/lambda-url/{id}"),
            (id, _) => format!("/_aws/execute-api/{id}/$default"),
        };
        request.send(&self.client, &format!("{}{path}", self.aws.url())).await
    }

    /// Lets the schedule fire at this time. ministack sends a schedule's input as it stands, and puts neither times nor
    /// names in the place of Scheduler's context attributes.
    pub async fn fire_schedule(&self, time: &str) {
        let question = ["scheduler", "get-schedule", "--name", self.resource("TrackEventSchedule")];
        let schedule = self.aws.aws(&question).await;
        let target = &schedule["Target"];
        let input = target["Input"].as_str().unwrap();
        let input = input.replace("<aws.scheduler.schedule-arn>", schedule["Arn"].as_str().unwrap());
        let input = input.replace("<aws.scheduler.scheduled-time>", time);
        self.aws.invoke(target["Arn"].as_str().unwrap(), &input).await;
    }

    /// The configuration of the version that a function's alias leads to.
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
