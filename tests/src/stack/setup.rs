//! From template and parameters to a running stack.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{Notes, Stack, create, names::physical, wire};
use crate::{
    cloud::{ACCOUNT, Emulator, Gateway, Policies, REGION},
    lambda::HttpApi,
    metrics::Metrics,
    template::{Physical, Resolver, defaults, template, transform},
};

const STACK_ID: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/segue/1";

/// What a stack is made from.
#[derive(Clone)]
pub struct Setup {
    template: Value,
    parameters: BTreeMap<String, Value>,
    /// What is stored in the template's secrets once they exist.
    contents: BTreeMap<String, String>,
    /// Secrets of the user's own, by the parameter that gets their ARN.
    given: BTreeMap<String, String>,
}

impl Default for Setup {
    fn default() -> Self {
        let template = template().clone();
        let mut parameters = defaults(&template);
        parameters.insert("LogLevel".to_owned(), "debug".into());
        Self { template, parameters, contents: BTreeMap::new(), given: BTreeMap::new() }
    }
}

impl Setup {
    /// With this value for a parameter.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.parameters.insert(name.to_owned(), value.into());
        self
    }

    /// With this stored in a secret of the template.
    #[must_use]
    pub fn secret(mut self, name: &str, content: &str) -> Self {
        self.contents.insert(name.to_owned(), content.to_owned());
        self
    }

    /// With a secret of the user's own, whose ARN the parameter gets.
    #[must_use]
    pub fn given_secret(mut self, parameter: &str, content: &str) -> Self {
        self.given.insert(parameter.to_owned(), content.to_owned());
        self
    }

    /// With a template that somebody changed.
    #[must_use]
    pub fn edited(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        edit(&mut self.template);
        self
    }

    /// The template as CloudFormation gets it from SAM.
    ///
    /// # Errors
    /// What SAM has against it.
    pub fn transformed(&self) -> Result<Value, String> {
        transform(&self.template, &self.parameters, REGION)
    }

    /// Creates the stack.
    ///
    /// # Panics
    /// When it cannot be created.
    pub async fn up(self) -> Stack {
        self.try_up().await.unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// Creates the stack.
    ///
    /// # Errors
    /// What SAM, CloudFormation or a service has against the template.
    pub async fn try_up(mut self) -> Result<Stack, String> {
        let emulator = Emulator::start().await;
        let config = emulator.config().await;
        for (parameter, content) in &self.given {
            let arn = create::secret(&config, parameter, content).await;
            self.parameters.insert(parameter.clone(), arn.into());
        }
        let setup = self.clone();
        let transformed = tokio::task::spawn_blocking(move || setup.transformed()).await.unwrap()?;
        let mut parameters = self.parameters;
        for (name, value) in [
            ("AWS::StackId", STACK_ID),
            ("AWS::StackName", "segue"),
            ("AWS::Region", REGION),
            ("AWS::AccountId", ACCOUNT),
            ("AWS::Partition", "aws"),
            ("AWS::URLSuffix", "amazonaws.com"),
        ] {
            parameters.insert(name.to_owned(), value.into());
        }
        let mut resolver = Resolver::new(&transformed, parameters)?;

        let (listener, url) = HttpApi::bind().await;
        let mut references = HashMap::new();
        let mut created = BTreeMap::new();
        for (name, resource) in transformed["Resources"].as_object().unwrap() {
            if resolver.is_created(resource)? {
                let physical = match resource["Type"].as_str().unwrap() {
                    "AWS::SecretsManager::Secret" => {
                        let text = &resource["Properties"]["SecretString"];
                        let text = self.contents.get(name).map(String::as_str).or(text.as_str());
                        let arn = create::secret(&config, name, text.unwrap_or_default()).await;
                        Physical { reference: arn, ..Physical::default() }
                    }
                    kind => physical(kind, name, emulator.url(), &url),
                };
                references.insert(name.clone(), physical.reference.clone());
                resolver.know(name, physical);
                created.insert(name.clone(), resource);
            }
        }
        let mut resources = BTreeMap::new();
        for (name, resource) in created {
            let properties =
                resolver.value(&resource["Properties"]).map_err(|fault| format!("{name}: {fault}"))?;
            resources.insert(name, json!({"Type": resource["Type"], "Properties": properties}));
        }
        for (name, output) in transformed["Outputs"].as_object().unwrap() {
            if resolver.is_created(output)? {
                resolver.value(&output["Value"]).map_err(|fault| format!("output {name}: {fault}"))?;
            }
        }

        let (notes, metrics) = (Arc::new(Notes::default()), Arc::new(Metrics::default()));
        create::all(&config, &resources, &notes).await?;
        let policies = Arc::new(policies(&resources)?);
        let gateway = Gateway::start(emulator.url(), policies.clone()).await;
        let wired =
            wire::all(&resources, &references, &gateway, &policies, &metrics, &notes, listener).await?;
        Ok(Stack {
            emulator,
            gateway,
            policies,
            metrics,
            notes,
            functions: wired.functions,
            sources: wired.sources,
            asynchronous: wired.asynchronous,
            api: wired.api,
            schedule: wired.schedule,
            references,
            resources,
            pollers: Default::default(),
            client: platform::http::client().unwrap(),
        })
    }
}

/// The permissions of all roles.
fn policies(resources: &BTreeMap<String, Value>) -> Result<Policies, String> {
    let mut policies = Policies::default();
    for (_, resource) in resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::IAM::Policy") {
        let properties = &resource["Properties"];
        for role in properties["Roles"].as_array().into_iter().flatten() {
            let role = role.as_str().unwrap_or_default().trim_start_matches("segue-");
            for content in properties["PolicyDocument"]["Statement"].as_array().into_iter().flatten() {
                policies.grant(role, content)?;
            }
        }
    }
    for (role, resource) in resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::IAM::Role") {
        for policy in resource["Properties"]["Policies"].as_array().into_iter().flatten() {
            for content in policy["PolicyDocument"]["Statement"].as_array().into_iter().flatten() {
                policies.grant(role, content)?;
            }
        }
    }
    Ok(policies)
}
