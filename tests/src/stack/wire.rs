//! Functions, and what invokes them, as the template says.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tokio::net::TcpListener;

use super::Notes;
use crate::{
    binaries,
    cloud::{Gateway, Policies, REGION, config, matches},
    lambda::{Asynchronous, EventSource, Function, HttpApi, Outlet, Route, Schedule, Settings},
    metrics::Metrics,
};

/// What is wired.
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

/// Wires everything.
///
/// # Errors
/// What Lambda, API Gateway or EventBridge Scheduler would refuse.
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
    let (_, stage) = wiring.only("AWS::ApiGatewayV2::Stage")?;
    let format = text(&stage["AccessLogSettings"]["Format"]);
    let (api, _) = wiring.only("AWS::ApiGatewayV2::Api")?;
    let api = HttpApi::serve(listener, &references[api], routes, format, metrics.clone(), notes.clone());
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

    /// The name in the template of what an ARN or a URL is of.
    fn name_of(&self, reference: &Value, kind: &str) -> Result<&'a str, String> {
        let reference = text(reference);
        // A function's alias is as good as the function.
        let reference = reference.strip_suffix(":live").unwrap_or(reference);
        let last = reference.rsplit([':', '/']).next().unwrap_or_default();
        let named = self.of(kind).into_iter().map(|(name, _)| name);
        let mut matching = named.filter(|name| last == format!("segue-{name}"));
        matching.next().ok_or_else(|| format!("{reference} is no {kind} of this stack"))
    }

    async fn function(&self, name: &str, properties: &Value) -> Result<Function, String> {
        for (property, wanted) in
            [("Handler", "bootstrap"), ("Runtime", "provided.al2023"), ("PackageType", "Zip")]
        {
            let value = properties[property].as_str().unwrap_or(wanted);
            if value != wanted {
                return Err(format!("{property} is {value:?}; what is built is {wanted:?}"));
            }
        }
        let role = self.role(&properties["Role"], "lambda.amazonaws.com")?;
        let folder = text(&properties["Code"]["S3Key"]).to_owned();
        let artifact = name.to_owned();
        let binary =
            tokio::task::spawn_blocking(move || binaries::binary(&folder, &artifact)).await.unwrap()?;
        let mut variables = vec![
            ("AWS_REGION".to_owned(), REGION.to_owned()),
            // The gateway knows by it whose call it is.
            ("AWS_ACCESS_KEY_ID".to_owned(), role.to_owned()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), "secret".to_owned()),
            ("AWS_ENDPOINT_URL".to_owned(), self.gateway.url()),
            ("AWS_LAMBDA_FUNCTION_NAME".to_owned(), format!("segue-{name}")),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".to_owned(), properties["MemorySize"].to_string()),
            ("AWS_LAMBDA_FUNCTION_VERSION".to_owned(), "1".to_owned()),
        ];
        for (variable, value) in properties["Environment"]["Variables"].as_object().into_iter().flatten() {
            variables
                .push((variable.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        }
        let group = text(&properties["LoggingConfig"]["LogGroup"]);
        self.of("AWS::Logs::LogGroup")
            .into_iter()
            .find(|(group_name, _)| group == format!("segue-{group_name}"))
            .ok_or_else(|| format!("its log group {group} is not in the template"))?;
        // Lambda writes the logs with the function's role, and drops in silence what that may not.
        let stream =
            format!("arn:aws:logs:{REGION}:{}:log-group:{group}:log-stream:1", crate::cloud::ACCOUNT);
        self.policies.allows(role, "logs:CreateLogStream", &stream);
        self.policies.allows(role, "logs:PutLogEvents", &stream);
        if properties["TracingConfig"]["Mode"] == "Active" {
            self.policies.allows(role, "xray:PutTraceSegments", "*");
            self.policies.allows(role, "xray:PutTelemetryRecords", "*");
        }
        let timeout = properties["Timeout"].as_u64().ok_or("it has no timeout")?;
        let settings = Settings {
            name: format!("segue-{name}"),
            arn: format!("arn:aws:lambda:{REGION}:{}:function:segue-{name}", crate::cloud::ACCOUNT),
            binary,
            variables,
            timeout: Duration::from_secs(timeout),
        };
        Ok(Function::new(settings, self.metrics.clone(), self.notes.clone()))
    }

    /// The name of a role that this service may assume.
    fn role(&self, arn: &Value, service: &str) -> Result<&'a str, String> {
        let role = self.name_of(arn, "AWS::IAM::Role")?;
        let trust = &self.resources[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        let mut statements = trust.as_array().into_iter().flatten();
        match statements.any(|statement| statement["Principal"]["Service"] == service) {
            true => Ok(role),
            false => Err(format!("{role} cannot be assumed by {service}")),
        }
    }

    async fn event_source(&self, name: &str, properties: &Value) -> Result<(String, EventSource), String> {
        let function_name = self.name_of(&properties["FunctionName"], "AWS::Lambda::Function")?;
        let queue = self.name_of(&properties["EventSourceArn"], "AWS::SQS::Queue")?;
        let function = &self.resources[function_name]["Properties"];
        let timeout = function["Timeout"].as_u64().unwrap_or_default();
        let visibility = self.resources[queue]["Properties"]["VisibilityTimeout"].as_u64().unwrap_or(30);
        // Lambda itself refuses what is below the timeout, and asks for six times that.
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
        let types = properties["FunctionResponseTypes"].as_array();
        let partial_failures = types.is_some_and(|types| types.contains(&"ReportBatchItemFailures".into()));
        if !partial_failures {
            self.notes.add(format!("{name}: FunctionResponseTypes lacks ReportBatchItemFailures, so what {function_name} reports as failed is deleted"));
        }
        let client = self.client(&function["Role"]).await?;
        // Which Lambda does now and then.
        let url = self.references[queue].clone();
        let _ = client.get_queue_attributes().queue_url(&url).send().await;
        let source = EventSource {
            client,
            url,
            function: self.functions[function_name].clone(),
            batch_size: usize::try_from(batch_size).unwrap_or(usize::MAX),
            window: Duration::from_secs(window),
            concurrency: properties["ScalingConfig"]["MaximumConcurrency"].as_u64().map_or(1000, |most| most)
                as usize,
            partial_failures,
        };
        Ok((function_name.to_owned(), source))
    }

    async fn asynchronous(&self, properties: &Value) -> Result<(String, Asynchronous), String> {
        let name = self.name_of(&properties["FunctionName"], "AWS::Lambda::Function")?;
        let destination = &properties["DestinationConfig"]["OnFailure"]["Destination"];
        let on_failure = match destination {
            Value::Null => None,
            arn => Some(self.outlet(arn, &self.resources[name]["Properties"]["Role"]).await?),
        };
        let retries = properties["MaximumRetryAttempts"].as_u64().unwrap_or(2);
        Ok((name.to_owned(), Asynchronous { function: self.functions[name].clone(), retries, on_failure }))
    }

    async fn schedule(
        &self,
        name: &str,
        properties: &Value,
        asynchronous: &BTreeMap<String, Arc<Asynchronous>>,
    ) -> Result<Schedule, String> {
        let target = &properties["Target"];
        let function = self.name_of(&target["Arn"], "AWS::Lambda::Function")?;
        let role = self.role(&target["RoleArn"], "scheduler.amazonaws.com")?;
        Ok(Schedule {
            arn: format!(
                "arn:aws:scheduler:{REGION}:{}:schedule/default/segue-{name}",
                crate::cloud::ACCOUNT
            ),
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

    fn routes(&self) -> Result<Vec<Route>, String> {
        let (api, properties) = self.only("AWS::ApiGatewayV2::Api")?;
        let mut routes = Vec::new();
        for (path, methods) in properties["Body"]["paths"].as_object().into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                let method = match method.as_str() {
                    "x-amazon-apigateway-any-method" => "ANY".to_owned(),
                    method => method.to_uppercase(),
                };
                let integration = &operation["x-amazon-apigateway-integration"];
                if integration["payloadFormatVersion"] != "2.0" {
                    return Err(format!("{api}: {method} {path} is not of payload format 2.0"));
                }
                let uri = text(&integration["uri"]);
                let arn = uri.rsplit("functions/").next().unwrap_or_default();
                let arn = arn.strip_suffix("/invocations").unwrap_or_default();
                let function = self.name_of(&arn.into(), "AWS::Lambda::Function")?;
                if !self.may_invoke(api, arn, &method, path) {
                    self.notes
                        .add(format!("{api}: no permission lets it invoke {function} for {method} {path}"));
                    continue;
                }
                let function = self.functions[function].clone();
                routes.push(Route { method, path: path.clone(), function });
            }
        }
        Ok(routes)
    }

    /// Whether a permission lets the API invoke the function on that route.
    fn may_invoke(&self, api: &str, function: &str, method: &str, path: &str) -> bool {
        let method = if method == "ANY" { "*" } else { method };
        let path = path.replace("{proxy+}", "*");
        let id = &self.references[api];
        let source =
            format!("arn:aws:execute-api:{REGION}:{}:{id}/$default/{method}{path}", crate::cloud::ACCOUNT);
        let permissions = self.of("AWS::Lambda::Permission");
        permissions.iter().any(|(_, permission)| {
            permission["Principal"] == "apigateway.amazonaws.com"
                && permission["Action"] == "lambda:InvokeFunction"
                && [function, function.rsplit(':').next().unwrap_or_default()]
                    .contains(&text(&permission["FunctionName"]))
                && matches(text(&permission["SourceArn"]), &source)
        })
    }

    async fn outlet(&self, queue: &Value, role: &Value) -> Result<Outlet, String> {
        let queue = self.name_of(queue, "AWS::SQS::Queue")?;
        Ok(Outlet { client: self.client(role).await?, url: self.references[queue].clone() })
    }

    /// A client with a role, as AWS's services have that act for it.
    async fn client(&self, role: &Value) -> Result<aws_sdk_sqs::Client, String> {
        let role = self.name_of(role, "AWS::IAM::Role")?;
        Ok(aws_sdk_sqs::Client::new(&config(&self.gateway.url(), role).await))
    }
}

fn text(property: &Value) -> &str {
    property.as_str().unwrap_or_default()
}
