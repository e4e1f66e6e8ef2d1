//! The deployed stack, as CloudFormation would create it from the template, in the emulator.

mod create;
mod names;
mod observe;
mod plan;
mod queue;
mod setup;
mod wire;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::Client;
use serde_json::Value;
use tokio::{task::JoinSet, time::sleep};

pub use self::{queue::Queue, setup::Setup};
use crate::{
    cloud::{Emulator, Gateway, Policies, Service, Trouble},
    http::{HttpRequest, Reply},
    lambda::{Asynchronous, EventSource, Failure, Function, HttpApi, Schedule},
    metrics::Metrics,
};

/// How long a test waits for an event.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running stack. Dropping it ends it.
pub struct Stack {
    emulator: Emulator,
    gateway: Gateway,
    policies: Arc<Policies>,
    metrics: Arc<Metrics>,
    /// Problems that AWS would not report.
    notes: Arc<Notes>,
    functions: BTreeMap<String, Arc<Function>>,
    sources: BTreeMap<String, Arc<EventSource>>,
    asynchronous: BTreeMap<String, Arc<Asynchronous>>,
    api: HttpApi,
    schedule: Schedule,
    /// The reference to each resource, by its name in the template.
    references: HashMap<String, String>,
    resources: BTreeMap<String, Value>,
    pollers: Mutex<JoinSet<()>>,
    client: Client,
}

/// Sentences about problems that AWS would not report.
#[derive(Default)]
pub(crate) struct Notes(Mutex<Vec<String>>);

impl Notes {
    /// Adds a sentence once.
    pub(crate) fn add(&self, note: String) {
        let mut notes = self.0.lock().unwrap();
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
}

impl Stack {
    /// Returns a function, by its name in the template.
    pub fn function(&self, name: &str) -> &Arc<Function> {
        self.functions.get(name).unwrap_or_else(|| panic!("no function {name} in the stack"))
    }

    /// Returns all functions.
    pub fn functions(&self) -> impl Iterator<Item = (&str, &Arc<Function>)> {
        self.functions.iter().map(|(name, function)| (name.as_str(), function))
    }

    /// Returns a queue, by its name in the template.
    pub async fn queue(&self, name: &str) -> Queue {
        Queue::new(aws_sdk_sqs::Client::new(&self.emulator.config().await), self.reference(name))
    }

    /// Returns the value of `!Ref` for a resource.
    pub fn reference(&self, name: &str) -> &str {
        self.references.get(name).unwrap_or_else(|| panic!("no resource {name} in the stack"))
    }

    /// Returns the resolved properties of a resource.
    pub fn properties(&self, name: &str) -> &Value {
        &self.resources.get(name).unwrap_or_else(|| panic!("no resource {name} in the stack"))["Properties"]
    }

    /// Sends a request to the HTTP API.
    pub async fn http(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send(HttpRequest::new(method, path, headers, body)).await
    }

    /// Sends a request to the HTTP API.
    pub async fn send(&self, request: HttpRequest) -> Reply {
        request.send(&self.client, &self.api.url()).await
    }

    /// Returns the address of the HTTP API.
    pub fn url(&self) -> String {
        self.api.url()
    }

    /// Returns the access log of the HTTP API.
    pub fn access_log(&self) -> Vec<String> {
        self.api.log()
    }

    /// Passes all visible messages in a function's queue to the function. Returns how many were deleted.
    ///
    /// # Errors
    /// [`Failure`] of the function. The batch then stays in the queue.
    pub async fn deliver(&self, function: &str) -> Result<usize, Failure> {
        self.sources[function].deliver().await
    }

    /// Passes every queue's messages to its function from now on, as Lambda does.
    pub fn poll(&self) {
        let mut pollers = self.pollers.lock().unwrap();
        self.sources.values().for_each(|source| source.clone().poll(&mut pollers));
    }

    /// Stops polling.
    pub async fn stop_polling(&self) {
        let mut pollers = std::mem::take(&mut *self.pollers.lock().unwrap());
        pollers.shutdown().await;
    }

    /// Invokes a function asynchronously.
    pub async fn invoke_asynchronously(&self, function: &str, payload: &str) {
        self.asynchronous[function].invoke(payload).await;
    }

    /// Fires the schedule at this time.
    pub async fn fire_schedule(&self, time: &str) {
        self.schedule.fire(time).await;
    }

    /// Fires the schedule while Lambda takes no invocations.
    pub async fn fire_schedule_in_vain(&self) {
        self.schedule.give_up().await;
    }

    /// Publishes a message to the topic, as a user's own program may.
    pub async fn publish(&self, body: &str, attributes: &[(&str, &str)]) {
        let client = aws_sdk_sns::Client::new(&self.emulator.config().await);
        let mut call = client.publish().topic_arn(self.reference("MessageTopic")).message(body);
        for (name, value) in attributes {
            let typed = aws_sdk_sns::types::MessageAttributeValue::builder().data_type("String");
            call = call.message_attributes(*name, typed.string_value(*value).build().unwrap());
        }
        call.send().await.unwrap();
    }

    /// Stores another text in a secret of the template.
    pub async fn rotate(&self, secret: &str, text: &str) {
        let client = aws_sdk_secretsmanager::Client::new(&self.emulator.config().await);
        client.put_secret_value().secret_id(self.reference(secret)).secret_string(text).send().await.unwrap();
    }

    /// Returns the ledger's item with this id.
    pub async fn item(&self, id: &str) -> HashMap<String, AttributeValue> {
        let client = aws_sdk_dynamodb::Client::new(&self.emulator.config().await);
        let call = client.get_item().table_name(self.reference("Ledger"));
        call.key("id", AttributeValue::S(id.to_owned())).send().await.unwrap().item.unwrap_or_default()
    }

    /// Puts an item into the ledger.
    pub async fn put_item(&self, item: &[(&str, AttributeValue)]) {
        let item = item.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let client = aws_sdk_dynamodb::Client::new(&self.emulator.config().await);
        let call = client.put_item().table_name(self.reference("Ledger"));
        call.set_item(Some(item)).send().await.unwrap();
    }

    /// Returns the URL of the AWS for clients that may do everything.
    pub fn emulator_url(&self) -> &str {
        self.emulator.url()
    }

    /// Sets the trouble of a service from now on.
    pub fn trouble(&self, service: Service, trouble: Trouble) {
        self.gateway.trouble(service.actions(), Some(trouble));
    }

    /// Counts an invocation of the function that Lambda refuses for lack of capacity.
    pub fn throttle(&self, function: &str) {
        self.metrics.aws("AWS/Lambda", "Throttles", ("FunctionName", self.reference(function)), 1.0);
    }

    /// Ends the trouble of a service.
    pub fn restore(&self, service: Service) {
        self.gateway.trouble(service.actions(), None);
    }

    /// Makes one action fail, such as `sqs:SendMessage`, or work again.
    pub fn fail(&self, action: &str, fails: bool) {
        self.gateway.trouble(action, fails.then_some(Trouble::Failing));
    }

    /// Makes every service that functions call fail from now on.
    pub fn break_everything(&self) {
        for service in Service::ALL {
            self.trouble(service, Trouble::Failing);
        }
    }

    /// Advances the time of the queues: messages whose visibility timeout is over become visible again.
    pub async fn advance(&self, time: Duration) {
        self.emulator.advance(time).await;
    }

    /// Waits until the condition holds.
    ///
    /// # Errors
    /// The stack's [`diagnosis`](Self::diagnosis) when it takes too long.
    pub async fn eventually(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Result<(), String> {
        let start = tokio::time::Instant::now();
        while !is_so().await {
            if start.elapsed() > PATIENCE {
                return Err(format!("{what}: that did not happen\n{}", self.diagnosis().await));
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Returns the resources of a type.
    pub fn of_type(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let matching = self.resources.iter().filter(move |(_, resource)| resource["Type"] == kind);
        matching.map(|(name, resource)| (name.as_str(), resource))
    }
}
