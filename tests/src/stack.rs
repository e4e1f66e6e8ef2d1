//! The deployed stack: what CloudFormation would make of the template, in the emulator.

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

/// How long a test waits for something that is on its way.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running stack. Dropping it ends it.
pub struct Stack {
    emulator: Emulator,
    gateway: Gateway,
    policies: Arc<Policies>,
    metrics: Arc<Metrics>,
    /// What AWS would pass over in silence.
    notes: Arc<Notes>,
    functions: BTreeMap<String, Arc<Function>>,
    sources: BTreeMap<String, Arc<EventSource>>,
    asynchronous: BTreeMap<String, Arc<Asynchronous>>,
    api: HttpApi,
    schedule: Schedule,
    /// What each resource is called, by its name in the template.
    references: HashMap<String, String>,
    resources: BTreeMap<String, Value>,
    pollers: Mutex<JoinSet<()>>,
    client: Client,
}

/// Sentences about what is wrong and would not be told.
#[derive(Default)]
pub(crate) struct Notes(Mutex<Vec<String>>);

impl Notes {
    /// Adds one, once.
    pub(crate) fn add(&self, note: String) {
        let mut notes = self.0.lock().unwrap();
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
}

impl Stack {
    /// A function, by its name in the template.
    pub fn function(&self, name: &str) -> &Arc<Function> {
        self.functions.get(name).unwrap_or_else(|| panic!("no function {name} in the stack"))
    }

    /// All functions.
    pub fn functions(&self) -> impl Iterator<Item = (&str, &Arc<Function>)> {
        self.functions.iter().map(|(name, function)| (name.as_str(), function))
    }

    /// A queue, by its name in the template.
    pub async fn queue(&self, name: &str) -> Queue {
        Queue::new(aws_sdk_sqs::Client::new(&self.emulator.config().await), self.reference(name))
    }

    /// What `!Ref` says of a resource.
    pub fn reference(&self, name: &str) -> &str {
        self.references.get(name).unwrap_or_else(|| panic!("no resource {name} in the stack"))
    }

    /// The properties of a resource with everything resolved.
    pub fn properties(&self, name: &str) -> &Value {
        &self.resources.get(name).unwrap_or_else(|| panic!("no resource {name} in the stack"))["Properties"]
    }

    /// Sends a request to the HTTP API.
    pub async fn http(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send(HttpRequest::new(method, path, headers, body)).await
    }

    /// Sends that to the HTTP API.
    pub async fn send(&self, request: HttpRequest) -> Reply {
        request.send(&self.client, &self.api.url()).await
    }

    /// The address of the HTTP API.
    pub fn url(&self) -> String {
        self.api.url()
    }

    /// The access log of the HTTP API.
    pub fn access_log(&self) -> Vec<String> {
        self.api.log()
    }

    /// Hands what is visible in its queue to a function, until there is no more. Returns how many messages were done.
    ///
    /// # Errors
    /// [`Failure`] of the function. The batch then stays in the queue.
    pub async fn deliver(&self, function: &str) -> Result<usize, Failure> {
        self.sources[function].deliver().await
    }

    /// From now on hands every queue's messages to its function, as Lambda does.
    pub fn poll(&self) {
        let mut pollers = self.pollers.lock().unwrap();
        self.sources.values().for_each(|source| source.clone().poll(&mut pollers));
    }

    /// Stops that.
    pub async fn stop_polling(&self) {
        let mut pollers = std::mem::take(&mut *self.pollers.lock().unwrap());
        pollers.shutdown().await;
    }

    /// Invokes a function as those do who do not wait for its answer.
    pub async fn invoke_asynchronously(&self, function: &str, payload: &str) {
        self.asynchronous[function].invoke(payload).await;
    }

    /// Lets the schedule fire at this time.
    pub async fn fire_schedule(&self, time: &str) {
        self.schedule.fire(time).await;
    }

    /// Lets the schedule find that Lambda takes no invocations.
    pub async fn fire_schedule_in_vain(&self) {
        self.schedule.give_up().await;
    }

    /// Publishes a message to the topic, as something of the user's own may.
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

    /// What the ledger holds under an id.
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

    /// The AWS that somebody meets who may do everything.
    pub fn emulator_url(&self) -> &str {
        self.emulator.url()
    }

    /// From now on this is wrong with a service.
    pub fn trouble(&self, service: Service, trouble: Trouble) {
        self.gateway.trouble(service.actions(), Some(trouble));
    }

    /// Lambda has no room for an invocation of the function.
    pub fn throttle(&self, function: &str) {
        self.metrics.aws("AWS/Lambda", "Throttles", ("FunctionName", self.reference(function)), 1.0);
    }

    /// From now on a service works.
    pub fn mend(&self, service: Service) {
        self.gateway.trouble(service.actions(), None);
    }

    /// From now on one action fails, such as `sqs:SendMessage`, or works again.
    pub fn fail(&self, action: &str, fails: bool) {
        self.gateway.trouble(action, fails.then_some(Trouble::Failing));
    }

    /// From now on every service that functions call fails.
    pub fn break_everything(&self) {
        for service in Service::ALL {
            self.trouble(service, Trouble::Failing);
        }
    }

    /// Lets this time pass for the queues: messages whose visibility timeout is over are visible again.
    pub async fn advance(&self, time: Duration) {
        self.emulator.advance(time).await;
    }

    /// Waits until it is so.
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

    /// The resources of a type.
    pub fn of_type(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let matching = self.resources.iter().filter(move |(_, resource)| resource["Type"] == kind);
        matching.map(|(name, resource)| (name.as_str(), resource))
    }
}
