//! The stack as CloudFormation would create it, with every value resolved.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
};

use serde_json::{Value, json};

use super::names::physical;
use crate::{
    cloud::{ACCOUNT, REGION},
    template::{Physical, Resolver},
};

const STACK_ID: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/segue/1";

/// The names of the resources whose conditions hold, before they exist.
pub(super) struct Plan {
    transformed: Value,
    resolver: Resolver,
    created: Vec<(String, String)>,
}

/// Every resource with resolved properties.
pub(super) struct Resolved {
    /// The reference to each resource, by its name in the template.
    pub references: HashMap<String, String>,
    pub resources: BTreeMap<String, Value>,
}

impl Plan {
    /// Returns the plan for a template that SAM transformed.
    ///
    /// # Errors
    /// Parameters or conditions that CloudFormation refuses.
    pub(super) fn new(
        transformed: Value,
        mut parameters: BTreeMap<String, Value>,
        stack_name: &str,
    ) -> Result<Self, String> {
        for (name, value) in [
            ("AWS::StackId", STACK_ID),
            ("AWS::StackName", stack_name),
            ("AWS::Region", REGION),
            ("AWS::AccountId", ACCOUNT),
            ("AWS::Partition", "aws"),
            ("AWS::URLSuffix", "amazonaws.com"),
        ] {
            parameters.insert(name.to_owned(), value.into());
        }
        let resolver = Resolver::new(&transformed, parameters)?;
        let mut created = Vec::new();
        for (name, resource) in transformed["Resources"].as_object().unwrap() {
            if resolver.is_created(resource)? {
                created.push((name.clone(), resource["Type"].as_str().unwrap().to_owned()));
            }
        }
        Ok(Self { transformed, resolver, created })
    }

    /// Returns the secrets to create, each with its first content.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        let secrets = self.created.iter().filter(|(_, kind)| kind == "AWS::SecretsManager::Secret");
        secrets.map(|(name, _)| {
            let text = &self.transformed["Resources"][name]["Properties"]["SecretString"];
            (name.as_str(), text.as_str().unwrap_or_default())
        })
    }

    /// Resolves the resources with these ARNs of the secrets and these addresses.
    ///
    /// # Errors
    /// The reference or function that cannot be resolved.
    pub(super) fn resolve(
        mut self,
        secrets: &BTreeMap<String, String>,
        emulator: &str,
        api: &str,
    ) -> Result<Resolved, String> {
        let mut references = HashMap::new();
        for (name, kind) in &self.created {
            let physical = match kind.as_str() {
                "AWS::SecretsManager::Secret" => {
                    Physical { reference: secrets[name].clone(), ..Physical::default() }
                }
                // AppConfig counts its versions; other content is another version.
                "AWS::AppConfig::HostedConfigurationVersion" => {
                    let content = &self.transformed["Resources"][name]["Properties"]["Content"];
                    let mut hasher = DefaultHasher::new();
                    self.resolver.value(content)?.to_string().hash(&mut hasher);
                    Physical { reference: hasher.finish().to_string(), ..Physical::default() }
                }
                kind => physical(kind, name, emulator, api),
            };
            references.insert(name.clone(), physical.reference.clone());
            self.resolver.know(name, physical);
        }
        let mut resources = BTreeMap::new();
        for (name, kind) in &self.created {
            let properties = self.resolver.value(&self.transformed["Resources"][name]["Properties"]);
            let properties = properties.map_err(|fault| format!("{name}: {fault}"))?;
            resources.insert(name.clone(), json!({"Type": kind, "Properties": properties}));
        }
        for (name, output) in self.transformed["Outputs"].as_object().unwrap() {
            if self.resolver.is_created(output)? {
                let value = self.resolver.value(&output["Value"]);
                value.map_err(|fault| format!("output {name}: {fault}"))?;
            }
        }
        Ok(Resolved { references, resources })
    }
}
