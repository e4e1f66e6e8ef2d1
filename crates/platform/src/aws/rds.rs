//! Passwords for databases of Amazon RDS that are signed here (RDS user guide, "IAM database authentication").

use std::{
    error::Error,
    iter,
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4,
};
use reqwest::Url;
use serde_json::json;

use crate::{
    clock::SharedClock,
    secrets::{Fetched, SecretStore},
};

/// How long a token is valid, which is the longest time that RDS allows. A connection outlives its token.
const TOKEN_TIME: Duration = Duration::from_secs(15 * 60);

/// The port of PostgreSQL.
const PORT: u16 = 5432;

/// A database of Amazon RDS whose password is a token that the function signs with its own credentials. This
/// takes no call, so it works in subnets that lead nowhere else.
///
/// The text of this secret is a JSON object with the `url` and the `password`.
pub struct RdsDatabase {
    config: SdkConfig,
    url: String,
    clock: SharedClock,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
enum TokenError {
    #[error("the address of the database is not postgres://<user>@<host>:<port>/<database>")]
    Address,
    #[error("the function has no region or no credentials")]
    NoCredentials,
}

impl RdsDatabase {
    pub(super) fn new(config: SdkConfig, url: String, clock: SharedClock) -> Self {
        Self { config, url, clock }
    }

    async fn token(&self) -> Result<String, Box<dyn Error + Send + Sync>> {
        let database = Url::parse(&self.url).map_err(|_| TokenError::Address)?;
        let host = database.host_str().filter(|_| !database.username().is_empty());
        let (host, port) = (host.ok_or(TokenError::Address)?, database.port().unwrap_or(PORT));
        let region = self.config.region().ok_or(TokenError::NoCredentials)?;
        let credentials = self.config.credentials_provider().ok_or(TokenError::NoCredentials)?;
        let identity = credentials.provide_credentials().await?.into();

        let mut settings = SigningSettings::default();
        settings.expires_in = Some(TOKEN_TIME);
        settings.signature_location = SignatureLocation::QueryParams;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region.as_ref())
            .name("rds-db")
            .time(SystemTime::from(self.clock.now()))
            .settings(settings)
            .build()?;
        // The user name is percent-encoded already.
        let user = database.username();
        let mut request = Url::parse(&format!("https://{host}:{port}/?Action=connect&DBUser={user}"))?;
        let signed = SignableRequest::new("GET", request.as_str(), iter::empty(), SignableBody::Bytes(&[]))?;
        let (instructions, _) = sign(signed, &parameters.into())?.into_parts();
        for (name, value) in instructions.params() {
            request.query_pairs_mut().append_pair(name, value);
        }
        Ok(request.as_str().trim_start_matches("https://").to_owned())
    }
}

impl SecretStore for RdsDatabase {
    fn fetch(&self) -> Fetched<'_> {
        Box::pin(async { Ok(json!({"url": self.url, "password": self.token().await?}).to_string()) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aws_config::{BehaviorVersion, Region};
    use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
    use serde_json::Value;

    use super::*;
    use crate::clock::HeldClock;

    async fn fetched(url: &str, session: Option<&str>) -> Result<Value, String> {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials =
            Credentials::new("AKIDEXAMPLE", secret, session.map(str::to_owned), None, "the test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        let clock = HeldClock::at("2026-11-27T19:44:35Z".parse().unwrap());
        let text = RdsDatabase::new(config.build(), url.to_owned(), clock).fetch().await;
        text.map(|text| serde_json::from_str(&text).unwrap()).map_err(|error| error.to_string())
    }

    /// The parts of a token in any order. RDS sorts them before it checks the signature.
    fn parts(token: &str) -> BTreeSet<&str> {
        token.split('&').collect()
    }

    /// The expected tokens are those of botocore 1.43.127, `generate_db_auth_token`, at the same time.
    #[tokio::test]
    async fn a_token_is_the_one_that_the_sdk_for_python_makes() {
        let common = "db.abc.eu-central-1.rds.amazonaws.com:5433/?Action=connect&DBUser=segue\
            &X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=AKIDEXAMPLE%2F20261127%2Feu-central-1%2Frds-db%2Faws4_request\
            &X-Amz-Date=20261127T194435Z&X-Amz-SignedHeaders=host&X-Amz-Expires=900";
        for (session, expected) in [
            (None, "&X-Amz-Signature=f0fe97b33f7cef9ccc59de0780de2101cdf59c65dfd64d1d9a1e5c02410aeec4"),
            (
                Some("FwoGZXIvYXdz//+session="),
                "&X-Amz-Security-Token=FwoGZXIvYXdz%2F%2F%2Bsession%3D\
                 &X-Amz-Signature=54d4c84f470f17ba44f41307e3907b4782b018905f17620487020bf6623def09",
            ),
        ] {
            let url = "postgres://segue@db.abc.eu-central-1.rds.amazonaws.com:5433/analytics";
            let secret = fetched(url, session).await.unwrap();
            let expected = format!("{common}{expected}");
            assert_eq!(parts(secret["password"].as_str().unwrap()), parts(&expected));
            assert_eq!(secret["url"], url);
        }
    }

    #[tokio::test]
    async fn an_address_without_a_user_or_a_host_is_refused_and_a_port_is_not_needed() {
        let secret = fetched("postgres://segue@db.example.com/analytics", None).await.unwrap();
        assert!(secret["password"].as_str().unwrap().starts_with("db.example.com:5432/?Action=connect"));
        for url in ["postgres://db.example.com/analytics", "postgres:///analytics", "db.example.com"] {
            assert!(fetched(url, None).await.unwrap_err().contains("<user>@<host>"), "{url}");
        }
    }
}
