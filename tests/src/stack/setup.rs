//! Creates a running stack from the template and parameters.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use serde_json::Value;

use super::{
    Notes, Stack, create,
    plan::{Plan, Resolved},
    wire,
};
use crate::{
    cloud::{ACCOUNT, Emulator, Gateway, Policies, REGION},
    lambda::HttpApi,
    metrics::Metrics,
    template::{defaults, template, transform},
};

/// The template, parameters and secrets of a stack.
#[derive(Clone)]
pub struct Setup {
    template: Value,
    parameters: BTreeMap<String, Value>,
    /// The contents to store in the template's secrets after they are created.
    contents: BTreeMap<String, String>,
    /// Secrets that belong to the user, by the parameter for their ARN.
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
    /// Sets a parameter.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.parameters.insert(name.to_owned(), value.into());
        self
    }

    /// Returns the value of a parameter.
    pub fn value(&self, parameter: &str) -> &Value {
        &self.parameters[parameter]
    }

    /// Sets the content of a secret of the template.
    #[must_use]
    pub fn secret(mut self, name: &str, content: &str) -> Self {
        self.contents.insert(name.to_owned(), content.to_owned());
        self
    }

    /// Adds a secret that belongs to the user, and sets the parameter to its ARN.
    #[must_use]
    pub fn given_secret(mut self, parameter: &str, content: &str) -> Self {
        self.given.insert(parameter.to_owned(), content.to_owned());
        self
    }

    /// Edits the template.
    #[must_use]
    pub fn edited(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        edit(&mut self.template);
        self
    }

    /// Returns the template as CloudFormation gets it from SAM.
    ///
    /// # Errors
    /// SAM's objection.
    pub fn transformed(&self) -> Result<Value, String> {
        let mut transformed = transform(&self.template, &[&self.parameters], REGION)?;
        Ok(transformed.remove(0))
    }

    /// Returns the resolved resources of stacks with this name, for several choices of parameters. They are
    /// not created.
    ///
    /// # Errors
    /// The objection of SAM or CloudFormation to the template.
    pub fn resources(
        &self,
        stack_name: &str,
        choices: &[BTreeMap<String, Value>],
    ) -> Result<Vec<BTreeMap<String, Value>>, String> {
        let parameters: Vec<BTreeMap<String, Value>> = choices
            .iter()
            .map(|choice| self.parameters.clone().into_iter().chain(choice.clone()).collect())
            .collect();
        let transformed = transform(&self.template, &parameters.iter().collect::<Vec<_>>(), REGION)?;
        let plans = transformed.into_iter().zip(parameters);
        let resources = plans.map(|(transformed, parameters)| {
            let plan = Plan::new(transformed, parameters, stack_name)?;
            let arn = |name| format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf");
            let secrets = plan.secrets().map(|(name, _)| (name.to_owned(), arn(name))).collect();
            let api = format!("https://abcdefghij.execute-api.{REGION}.amazonaws.com");
            let queues = format!("https://sqs.{REGION}.amazonaws.com");
            Ok(plan.resolve(&secrets, &queues, &api)?.resources)
        });
        resources.collect()
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
    /// The objection of SAM, CloudFormation or a service to the template.
    pub async fn try_up(mut self) -> Result<Stack, String> {
        let emulator = Emulator::start().await;
        let config = emulator.config().await;
        let mut own = HashSet::new();
        for (parameter, content) in &self.given {
            let arn = create::secret(&config, parameter, content).await;
            self.parameters.insert(parameter.clone(), arn.clone().into());
            own.insert(arn);
        }
        let setup = self.clone();
        let transformed = tokio::task::spawn_blocking(move || setup.transformed()).await.unwrap()?;
        let plan = Plan::new(transformed, self.parameters, "segue")?;
        let mut secrets = BTreeMap::new();
        for (name, text) in plan.secrets() {
            let text = self.contents.get(name).map_or(text, String::as_str);
            secrets.insert(name.to_owned(), create::secret(&config, name, text).await);
        }
        let (listener, url) = HttpApi::bind().await;
        let Resolved { references, resources } = plan.resolve(&secrets, emulator.url(), &url)?;

        let (notes, metrics) = (Arc::new(Notes::default()), Arc::new(Metrics::default()));
        create::all(&config, &resources, &notes).await?;
        let policies = Arc::new(policies(&resources)?);
        let gateway = Gateway::start(emulator.url(), policies.clone(), own).await;
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

/// Returns the permissions of all roles.
fn policies(resources: &BTreeMap<String, Value>) -> Result<Policies, String> {
    let mut policies = Policies::default();
    for (role, resource) in resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::IAM::Role") {
        for policy in resource["Properties"]["Policies"].as_array().into_iter().flatten() {
            for content in policy["PolicyDocument"]["Statement"].as_array().into_iter().flatten() {
                policies.grant(role, content)?;
            }
        }
    }
    Ok(policies)
}
