//! The settings that are not secret.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use segment::json;
use serde_json::Value;
use settings::{ConfigError, DEFAULT_WRITE_KEY};

use crate::{mappings::Mappings, providers::Providers};

/// The name under which [`Config::from_variables`] asks for the text of the secret with the mapping.
pub const MAPPINGS_SECRET: &str = "MAPPINGS_SECRET";

/// The settings. Secrets are separate.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of this deployment, such as a stack's ARN. It is part of every message id, because Segment
    /// removes duplicates across workspaces: two deployments that receive the same event must not suppress
    /// each other's copy.
    pub deployment: String,
    /// Write key names by tenant id, in lower case. Other tenants use [`DEFAULT_WRITE_KEY`].
    pub tenants: BTreeMap<String, String>,
    /// The rules that turn events into messages.
    pub mappings: Arc<Mappings>,
}

impl Config {
    /// Returns the defaults for a deployment with this name.
    pub fn new(deployment: impl Into<String>) -> Self {
        Self { deployment: deployment.into(), tenants: BTreeMap::new(), mappings: Mappings::built_in() }
    }

    /// Reads `SEGUE_DEPLOYMENT`, `TENANT_WRITE_KEYS`, `MAPPINGS` and [`MAPPINGS_SECRET`] through `variable`.
    /// The last two are TOML, plain or in base64, and `MAPPINGS` goes on top. A blank variable counts as
    /// absent, because templates cannot leave one out.
    ///
    /// # Errors
    /// Every problem with them.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let mut problems = Vec::new();
        let mut config = Self::new(variable("SEGUE_DEPLOYMENT").unwrap_or_default());
        if config.deployment.is_empty() {
            problems.push(
                "SEGUE_DEPLOYMENT is missing; set it to a name of this deployment, such as the stack's ARN."
                    .to_owned(),
            );
        }
        if let Some(text) = variable("TENANT_WRITE_KEYS") {
            config.tenants = tenants(&text, &mut problems);
        }
        let files = [MAPPINGS_SECRET, "MAPPINGS"].map(|name| Some((name, plain(variable(name)?))));
        let files: Vec<(&str, &str)> =
            files.iter().flatten().map(|(name, text)| (*name, text.as_str())).collect();
        if !files.is_empty() {
            match Mappings::with_all(&files) {
                Ok(mappings) => config.mappings = mappings,
                Err(error) => problems.push(error.to_string()),
            }
        }
        if problems.is_empty() { Ok(config) } else { Err(ConfigError(problems)) }
    }

    /// Returns the providers.
    pub fn providers(&self) -> &Providers {
        self.mappings.providers()
    }

    /// Returns the name of the write key for a tenant.
    pub fn write_key(&self, tenant_id: Option<&str>) -> &str {
        tenant_id
            .filter(|_| !self.tenants.is_empty())
            .and_then(|id| self.tenants.get(&id.to_ascii_lowercase()))
            .map_or(DEFAULT_WRITE_KEY, String::as_str)
    }
}

/// Returns the text, decoded if it is base64: TOML with its quotes and line ends is hard to write on a
/// command line. TOML with a value in it is never valid base64, because base64 allows an equals sign only at
/// the end.
fn plain(text: String) -> String {
    let bytes = STANDARD.decode(text.trim()).ok();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or(text)
}

fn tenants(text: &str, problems: &mut Vec<String>) -> BTreeMap<String, String> {
    let object = match json::parse_object(text.as_bytes()) {
        Ok(object) => object,
        Err(error) => {
            problems.push(format!(
                "TENANT_WRITE_KEYS must be a JSON object from tenant id to write key name: {error}."
            ));
            return BTreeMap::new();
        }
    };
    let mut tenants = BTreeMap::new();
    for (tenant, name) in object {
        match name {
            Value::String(name) if !name.trim().is_empty() => {
                tenants.insert(tenant.to_ascii_lowercase(), name);
            }
            _ => problems
                .push(format!("TENANT_WRITE_KEYS: the write key name of tenant {tenant:?} must be a text.")),
        }
    }
    tenants
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Config::from_variables(find).map_err(|error| error.0)
    }

    #[test]
    fn only_the_deployment_has_no_default() {
        let blank = [("SEGUE_DEPLOYMENT", "stack"), ("TENANT_WRITE_KEYS", " "), ("MAPPINGS", "")];
        for variables in [&blank[..1], &blank] {
            let config = read(variables).unwrap();
            assert_eq!((config.deployment.as_str(), config.tenants.len()), ("stack", 0));
            assert!(Arc::ptr_eq(&config.mappings, &Mappings::built_in()));
        }
    }

    #[test]
    fn mappings_are_taken_as_toml_and_as_base64() {
        let toml = "fields.'traits.email' = 'hash'\n";
        for text in [toml.to_owned(), STANDARD.encode(toml), format!(" {}\n", STANDARD.encode(toml))] {
            let config = read(&[("SEGUE_DEPLOYMENT", "s"), ("MAPPINGS", &text)]).unwrap();
            assert!(config.mappings.needs_hash_key(), "{text}");
        }
        for text in ["naming='segment'", "a=1", "abc=", "naming"] {
            let problems = read(&[("SEGUE_DEPLOYMENT", "s"), ("MAPPINGS", text)]).err().unwrap_or_default();
            assert_eq!(problems.is_empty(), text.starts_with("naming="), "{text}: {problems:?}");
        }
    }

    #[test]
    fn the_mapping_in_a_secret_is_under_the_one_in_the_variable() {
        let provider = "[acme]\nproof = { kind = 'bearer' }\nevent = { type = 'event.type' }\nsubject = { userId = 'event.user' }\non.x.track = {}";
        let secret = format!("fields.'context.ip' = 'mask'\n{provider}");
        let variables =
            [("SEGUE_DEPLOYMENT", "s"), (MAPPINGS_SECRET, &secret), ("MAPPINGS", "acme.on.x.ignore = true")];
        let config = read(&variables).unwrap();
        assert!(config.providers().named("acme").is_ok());
        assert_eq!(config.mappings.fields.len(), 1);
        let text = "[acme]\non.x.ignroe = true";
        let problems = read(&[variables[0], variables[1], ("MAPPINGS", text)]).unwrap_err();
        assert_eq!(problems, ["MAPPINGS:2:6: there is no key \"ignroe\" here; did you mean \"ignore\"?"]);
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let problems =
            read(&[("TENANT_WRITE_KEYS", r#"{"a":"","b":7}"#), ("MAPPINGS", "naming = 1")]).unwrap_err();
        assert_eq!(
            problems,
            [
                "SEGUE_DEPLOYMENT is missing; set it to a name of this deployment, such as the stack's ARN.",
                r#"TENANT_WRITE_KEYS: the write key name of tenant "a" must be a text."#,
                r#"TENANT_WRITE_KEYS: the write key name of tenant "b" must be a text."#,
                "MAPPINGS:1:10: this must be a string",
            ]
        );
        assert_eq!(
            read(&[("SEGUE_DEPLOYMENT", "s"), ("TENANT_WRITE_KEYS", "[]")]).unwrap_err(),
            [
                "TENANT_WRITE_KEYS must be a JSON object from tenant id to write key name: the body is JSON but not an object."
            ]
        );
    }

    #[test]
    fn a_tenant_has_its_own_write_key_or_the_default_one() {
        let config = read(&[("SEGUE_DEPLOYMENT", "s"), ("TENANT_WRITE_KEYS", r#"{"AA-1":"shop"}"#)]).unwrap();
        for (tenant, expected) in
            [(Some("aa-1"), "shop"), (Some("AA-1"), "shop"), (Some("b"), "default"), (None, "default")]
        {
            assert_eq!(config.write_key(tenant), expected, "{tenant:?}");
        }
    }
}
