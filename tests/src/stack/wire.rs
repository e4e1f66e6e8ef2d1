//! Connects functions with their callers, as the template says.

mod functions;
mod routes;
mod sources;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;
use tokio::net::TcpListener;

use super::Notes;
use crate::{
    cloud::{Gateway, Policies, config},
    lambda::{Asynchronous, EventSource, Function, HttpApi, Outlet, Schedule},
    metrics::Metrics,
};

/// The connected parts of the stack.
pub(super) struct Wired {
    pub functions: BTreeMap<String, Arc<Function>>,
    pub sources: BTreeMap<String, Arc<EventSource>>,
    pub asynchronous: BTreeMap<String, Arc<Asynchronous>>,
    pub api: HttpApi,
    pub schedule: Schedule,
}

struct Wiring<'a> {
    resources: &'a BTreeMap<String, Value>,
    references: &'a HashMap<String, String>,
    gateway: &'a Gateway,
    policies: &'a Arc<Policies>,
    metrics: &'a Arc<Metrics>,
    notes: &'a Arc<Notes>,
    functions: BTreeMap<String, Arc<Function>>,
}

type Named<'a> = Vec<(&'a str, &'a Value)>;

/// Connects everything.
///
/// # Errors
/// The objection of Lambda, API Gateway or EventBridge Scheduler.
pub(super) async fn all(
    resources: &BTreeMap<String, Value>,
    references: &HashMap<String, String>,
    gateway: &Gateway,
    policies: &Arc<Policies>,
    metrics: &Arc<Metrics>,
    notes: &Arc<Notes>,
    listener: TcpListener,
) -> Result<Wired, String> {
    let functions = BTreeMap::new();
    let mut wiring = Wiring { resources, references, gateway, policies, metrics, notes, functions };
    for (name, properties) in wiring.of("AWS::Lambda::Function") {
        let function = wiring.function(name, properties).await.map_err(|fault| format!("{name}: {fault}"))?;
        wiring.functions.insert(name.to_owned(), Arc::new(function));
    }
    let mut sources = BTreeMap::new();
    for (name, properties) in wiring.of("AWS::Lambda::EventSourceMapping") {
        let (function, source) =
            wiring.event_source(name, properties).await.map_err(|fault| format!("{name}: {fault}"))?;
        sources.insert(function, Arc::new(source));
    }
    let mut asynchronous = BTreeMap::new();
    for (name, properties) in wiring.of("AWS::Lambda::EventInvokeConfig") {
        let (function, one) =
            wiring.asynchronous(properties).await.map_err(|fault| format!("{name}: {fault}"))?;
        asynchronous.insert(function, Arc::new(one));
    }
    let (name, properties) = wiring.only("AWS::Scheduler::Schedule")?;
    let schedule =
        wiring.schedule(name, properties, &asynchronous).await.map_err(|fault| format!("{name}: {fault}"))?;
    let routes = wiring.routes()?;
    let access = wiring.access()?;
    let (api, _) = wiring.only("AWS::ApiGatewayV2::Api")?;
    let api = HttpApi::serve(listener, &references[api], routes, access, metrics.clone(), notes.clone());
    Ok(Wired { functions: wiring.functions, sources, asynchronous, api, schedule })
}

impl<'a> Wiring<'a> {
    fn of(&self, kind: &str) -> Named<'a> {
        let matching = self.resources.iter().filter(|(_, resource)| resource["Type"] == kind);
        matching.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
    }

    fn only(&self, kind: &str) -> Result<(&'a str, &'a Value), String> {
        match self.of(kind)[..] {
            [one] => Ok(one),
            ref others => Err(format!("there are {} of {kind}", others.len())),
        }
    }

    /// Returns the name in the template of the resource with this ARN or URL.
    fn name_of(&self, reference: &Value, kind: &str) -> Result<&'a str, String> {
        let reference = text(reference);
        // A function's alias stands for the function.
        let reference = reference.strip_suffix(":live").unwrap_or(reference);
        let last = reference.rsplit([':', '/']).next().unwrap_or_default();
        let named = self.of(kind).into_iter().map(|(name, _)| name);
        let mut matching = named.filter(|name| last == format!("segue-{name}"));
        matching.next().ok_or_else(|| format!("{reference} is no {kind} of this stack"))
    }

    /// Returns the name of a role that this service may assume.
    fn role(&self, arn: &Value, service: &str) -> Result<&'a str, String> {
        let role = self.name_of(arn, "AWS::IAM::Role")?;
        let trust = &self.resources[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        let mut statements = trust.as_array().into_iter().flatten();
        match statements.any(|statement| statement["Principal"]["Service"] == service) {
            true => Ok(role),
            false => Err(format!("{role} cannot be assumed by {service}")),
        }
    }

    async fn outlet(&self, queue: &Value, role: &Value) -> Result<Outlet, String> {
        let queue = self.name_of(queue, "AWS::SQS::Queue")?;
        Ok(Outlet { client: self.client(role).await?, url: self.references[queue].clone() })
    }

    /// Returns a client with a role, like an AWS service that acts with it.
    async fn client(&self, role: &Value) -> Result<aws_sdk_sqs::Client, String> {
        let role = self.name_of(role, "AWS::IAM::Role")?;
        Ok(aws_sdk_sqs::Client::new(&config(&self.gateway.url(), role).await))
    }
}

fn text(property: &Value) -> &str {
    property.as_str().unwrap_or_default()
}
