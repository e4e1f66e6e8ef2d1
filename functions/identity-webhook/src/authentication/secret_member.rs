//! Adds a member to the identity secret. One secret holds the credentials of all providers, so a new member
//! must not replace another one.

use identity::{HashKey, Providers, Signature, StaticProof};
use segment::json;
use serde_json::{Map, Value, json};

use super::{requirements::Authentication, settings};

/// Why a member cannot be added. The texts quote nothing from the secret.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// There is no member with this name.
    #[error("the identity secret has no {name:?}; {suggestion}")]
    Unknown {
        /// The requested name.
        name: String,
        /// The nearest name, or all names.
        suggestion: String,
    },
    /// The member exists already and may be in use.
    #[error("the secret has {0} already")]
    Taken(String),
    /// The existing secret cannot be used.
    #[error("the existing secret cannot be used: {0}")]
    Secret(String),
    /// The new member cannot be used.
    #[error("the new member cannot be used: {0}")]
    Value(String),
}

/// Returns the identity secret `secret` with `value` for `provider` or for `hashKey`. A value that is a JSON
/// object is the whole member, such as `{"jwksUrl":"https://…"}`. Any other text is the secret that the
/// provider signs with, or the token that it sends if it does not sign. All other members stay as they are.
///
/// # Errors
/// [`AddError`] when the functions would refuse the result, or when the member exists and `replace` is not
/// set.
pub fn add_member(
    secret: &str,
    provider: &str,
    value: &str,
    replace: bool,
    providers: &Providers,
) -> Result<String, AddError> {
    let member = member(provider, value, providers)?;
    let unusable = |problems: String| AddError::Secret(problems.replace('\n', "; "));
    Authentication::parse(secret, providers).map_err(unusable)?;
    let mut document = json::parse_object(secret.as_bytes()).map_err(|error| unusable(error.to_string()))?;
    if document.contains_key(provider) && !replace {
        return Err(AddError::Taken(provider.to_owned()));
    }
    document.insert(provider.to_owned(), member);
    let added = json::encode(&document);
    match Authentication::parse(&added, providers) {
        Ok(_) => Ok(added),
        Err(problems) => Err(AddError::Value(problems.replace('\n', "; "))),
    }
}

fn member(provider: &str, value: &str, providers: &Providers) -> Result<Value, AddError> {
    let value = value.trim();
    if provider == HashKey::MEMBER {
        return Ok(value.into());
    }
    let Some(row) = providers.with_secret_member(provider) else {
        let suggestion = settings::suggestion(provider, providers);
        return Err(AddError::Unknown { name: provider.to_owned(), suggestion });
    };
    if value.starts_with('{') {
        let member: Map<String, Value> =
            json::parse_object(value.as_bytes()).map_err(|error| AddError::Value(error.to_string()))?;
        return Ok(member.into());
    }
    Ok(match (&row.signature, row.static_proof) {
        // A key set has an address, and another key pair a PEM text. Everybody knows them.
        (Some(Signature::WholeBody | Signature::BodyHash(_)), _) if value.starts_with("http") => {
            json!({"jwksUrl": value})
        }
        (Some(Signature::BodyHash(_)), _) if value.starts_with("-----BEGIN") => {
            json!({"publicKeys": [value]})
        }
        (Some(Signature::WholeBody), _) => json!({"publicKeys": [value]}),
        (Some(_), _) => json!({"signingSecrets": [value]}),
        (None, StaticProof::Bearer) => json!({"bearer": [value]}),
        (None, StaticProof::Header(name)) => json!({"header": {"name": name, "value": value}}),
        (None, StaticProof::Basic) => match value.split_once(':') {
            Some((username, password)) => json!({"basic": {"username": username, "password": password}}),
            None => return Err(AddError::Value("write it as username:password".to_owned())),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_comes_beside_the_others_in_the_form_that_its_provider_needs() {
        for (provider, value, expected) in [
            ("fusionauth", " key\n", r#"{"auth0":{"bearer":"a"},"fusionauth":{"signingSecrets":["key"]}}"#),
            ("okta", "text", r#"{"auth0":{"bearer":"a"},"okta":{"bearer":["text"]}}"#),
            ("auth0/logs", "text", r#"{"auth0":{"bearer":"a"},"auth0/logs":{"bearer":["text"]}}"#),
            ("hashKey", "text", r#"{"auth0":{"bearer":"a"},"hashKey":"text"}"#),
            (
                "fusionauth",
                r#"{"jwksUrl":"https://auth.example.com/jwks.json"}"#,
                r#"{"auth0":{"bearer":"a"},"fusionauth":{"jwksUrl":"https://auth.example.com/jwks.json"}}"#,
            ),
        ] {
            let added =
                add_member(r#"{"auth0":{"bearer":"a"}}"#, provider, value, false, &Providers::built_in())
                    .unwrap();
            assert_eq!(added, expected);
        }
    }

    #[test]
    fn nothing_is_pushed_out_and_nothing_is_added_that_would_be_refused() {
        let secret = r#"{"auth0":{"bearer":"hush"}}"#;
        for (secret, provider, value, expected) in [
            (secret, "auth0", "x", "the secret has auth0 already"),
            (secret, "auht0", "x", "the identity secret has no \"auht0\"; did you mean \"auth0\"?"),
            (
                secret,
                "clerk",
                "hush!",
                "the new member cannot be used: clerk.signingSecrets[0]: is not a signing secret of the form whsec_…",
            ),
            (secret, "okta", "", "the new member cannot be used: okta.bearer[0]: must not be empty"),
            (secret, "okta", "{hush", "the new member cannot be used: "),
            ("", "okta", "x", "the existing secret cannot be used: the body is empty"),
            (
                r#"{"auth0":{"baerer":"hush"}}"#,
                "okta",
                "x",
                "the existing secret cannot be used: auth0: there is no \"baerer\"; did you mean \"bearer\"?",
            ),
        ] {
            let error =
                add_member(secret, provider, value, false, &Providers::built_in()).unwrap_err().to_string();
            assert!(error.starts_with(expected) && !error.contains("hush"), "{error}");
        }
        assert_eq!(
            add_member(secret, "auth0", "x", true, &Providers::built_in()).unwrap(),
            r#"{"auth0":{"bearer":["x"]}}"#
        );
    }
}
