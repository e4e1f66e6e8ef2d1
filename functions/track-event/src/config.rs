//! The settings that are not secret.

use segment::{Endpoint, json};
use serde_json::{Map, Value};
use settings::ConfigError;

/// The settings, from the environment of the function.
#[derive(Clone, Debug)]
pub struct Config {
    /// Segment's endpoint.
    pub endpoint: Endpoint,
    /// The secret with the write keys: its ARN or name.
    pub write_keys_secret: String,
    /// The input of invocations without one, such as those by an EventBridge rule.
    pub scheduled_input: Option<Map<String, Value>>,
}

impl Config {
    /// Reads `SEGMENT_ENDPOINT`, `WRITE_KEYS_SECRET_ARN` and `TRACK_EVENT_INPUT` through `variable`. A blank
    /// variable counts as absent, because templates cannot leave one out.
    ///
    /// # Errors
    /// [`ConfigError`] with all problems.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let mut problems = Vec::new();
        let endpoint = variable("SEGMENT_ENDPOINT").unwrap_or_else(|| Endpoint::US.to_owned());
        let endpoint = endpoint.parse().map_err(|error| problems.push(format!("SEGMENT_ENDPOINT: {error}.")));
        let write_keys_secret = variable("WRITE_KEYS_SECRET_ARN");
        if write_keys_secret.is_none() {
            problems.push("WRITE_KEYS_SECRET_ARN is missing; set it to the ARN of the secret.".to_owned());
        }
        let scheduled_input = variable("TRACK_EVENT_INPUT")
            .map(|text| json::parse_object(text.as_bytes()))
            .transpose()
            .map_err(|error| problems.push(format!("TRACK_EVENT_INPUT: {error}.")));
        match (endpoint, write_keys_secret, scheduled_input) {
            (Ok(endpoint), Some(write_keys_secret), Ok(scheduled_input)) => {
                Ok(Self { endpoint, write_keys_secret, scheduled_input })
            }
            _ => Err(ConfigError(problems)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Config::from_variables(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn only_the_secret_has_no_default() {
        let config = read(&[("WRITE_KEYS_SECRET_ARN", "arn"), ("TRACK_EVENT_INPUT", " ")]).unwrap();
        assert_eq!(config.endpoint.to_string(), Endpoint::US);
        assert_eq!((config.write_keys_secret.as_str(), config.scheduled_input), ("arn", None));
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let ConfigError(problems) =
            read(&[("SEGMENT_ENDPOINT", "segment"), ("TRACK_EVENT_INPUT", "[]")]).unwrap_err();
        assert_eq!(
            problems,
            [
                "SEGMENT_ENDPOINT: the Segment endpoint must be an http or https URL such as https://api.segment.io.",
                "WRITE_KEYS_SECRET_ARN is missing; set it to the ARN of the secret.",
                "TRACK_EVENT_INPUT: the body is JSON but not an object.",
            ]
        );
    }
}
