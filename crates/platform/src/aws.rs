//! Amazon SNS, SQS, DynamoDB and Secrets Manager, and the logs and metrics of a Lambda function.

mod ledger;
mod metrics;
mod pack;
mod queue;
mod quota;
mod rds;
mod record;
mod rejected;
mod roots;
mod secret;
mod table;
mod telemetry;
mod topic;

use std::{
    error::Error,
    fmt,
    str::FromStr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_config::{
    BehaviorVersion, ConfigLoader, SdkConfig,
    environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider},
    meta::region::ProvideRegion,
    retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_sns::config::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{Provider, TlsContext, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpClient, http_client_fn};

use crate::{clock::SystemClock, secrets::SecretStore, telemetry::Chain};

pub use self::{
    queue::SqsQueue,
    rds::RdsDatabase,
    record::{batch, batch_response},
    roots::BundleError,
    secret::SecretsManagerSecret,
    table::DynamoDbTable,
    telemetry::start_telemetry,
    topic::SnsTopic,
};

/// The longest time that one call to AWS may take, retries included. A webhook's sender waits only a few
/// seconds: a clear 503 within that time is better than an answer that comes too late.
const OPERATION_DEADLINE: Duration = Duration::from_secs(4);

/// The longest time that one attempt of a call may take. While Lambda freezes a function, an idle connection
/// can die. The attempt on it then fails early enough for a retry on a new connection within
/// [`OPERATION_DEADLINE`].
const ATTEMPT_DEADLINE: Duration = Duration::from_millis(1_500);

/// The settings that all AWS clients of a function share: region, credentials, connections and deadlines.
pub struct Aws {
    config: SdkConfig,
    /// The address of SQS, if it is another than that of its region.
    sqs_endpoint: Option<String>,
}

/// A client that is set up at its first call. Setting one up takes 0.1 ms: many execution environments never
/// need the one of a queue or of the table, and one client is set up while the server of another answers.
type LazyClient<C> = Arc<LazyLock<C, Box<dyn FnOnce() -> C + Send>>>;

/// The longest time that a function may spend on connecting and fetching before its first event. Lambda ends
/// an INIT phase after 10 s and starts it again, so a slow Segment must not delay it. Anything that is not
/// ready by then is fetched when it is needed.
const INIT_DEADLINE: Duration = Duration::from_secs(5);

/// Runs `preparation`, for at most the time that INIT allows.
pub async fn during_init(preparation: impl Future) {
    if tokio::time::timeout(INIT_DEADLINE, preparation).await.is_err() {
        tracing::warn!("Start-up did not finish in time; the first event will take longer.");
    }
}

/// An environment variable of the function is not as the template sets it.
#[derive(Debug, thiserror::Error)]
pub enum VariableError {
    /// The variable is absent or blank.
    #[error("the environment variable {0} is missing; the template sets it")]
    Missing(&'static str),
    /// The variable's value has the wrong type.
    #[error("the environment variable {0} cannot be used; the template sets it")]
    Unusable(&'static str, #[source] Box<dyn Error + Send + Sync>),
}

/// The error that stops a function at its start. Its `Debug` text is a sentence with its causes, because
/// `main` prints what it returns with `Debug`.
pub struct StartError(Box<dyn Error + Send + Sync>);

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for StartError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Debug for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Chain(&*self.0), formatter)
    }
}

/// Returns the value of a required environment variable.
///
/// # Errors
/// [`VariableError::Missing`] when it is absent or blank.
pub fn variable(name: &'static str) -> Result<String, VariableError> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty()).ok_or(VariableError::Missing(name))
}

/// Returns the value of a required environment variable, parsed as `T`.
///
/// # Errors
/// [`VariableError`].
pub fn parsed_variable<T>(name: &'static str) -> Result<T, VariableError>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    variable(name)?.parse().map_err(|error: T::Err| VariableError::Unusable(name, error.into()))
}

/// The AWS clients cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// The trusted root certificates cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The TLS configuration is not valid.
    #[error("TLS for AWS could not be set up")]
    Tls(#[from] aws_smithy_http_client::HttpClientError),
}

impl Aws {
    /// Reads the region and the credentials from the environment, as Lambda sets it. `AWS_ENDPOINT_URL`
    /// points to an emulator, which may use plain HTTP, and `AWS_ENDPOINT_URL_SQS` to another address of SQS
    /// alone. `AWS_CA_BUNDLE` names a file of root certificates to trust beside Amazon's.
    /// `AWS_USE_FIPS_ENDPOINT` and `AWS_USE_DUALSTACK_ENDPOINT` are respected.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub async fn from_env() -> Result<Self, AwsError> {
        // The SDK's loader would also look for profiles, metadata services and STS. A function has none of
        // them, and their code would be a tenth of the binary.
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(EnvironmentVariableRegionProvider::new().region().await)
            .credentials_provider(SharedCredentialsProvider::new(
                EnvironmentVariableCredentialsProvider::new(),
            ));
        let is_set = |name| Some(variable(name).is_ok_and(|value| value.eq_ignore_ascii_case("true")));
        config.set_endpoint_url(variable("AWS_ENDPOINT_URL").ok());
        config.set_use_fips(is_set("AWS_USE_FIPS_ENDPOINT"));
        config.set_use_dual_stack(is_set("AWS_USE_DUALSTACK_ENDPOINT"));
        let aws = Self::with(config.build())?;
        Ok(Self { sqs_endpoint: variable("AWS_ENDPOINT_URL_SQS").ok(), ..aws })
    }

    /// Sets the address of SQS, such as that of a VPC endpoint.
    #[must_use]
    pub fn with_sqs_endpoint(self, url: impl Into<String>) -> Self {
        Self { sqs_endpoint: Some(url.into()), ..self }
    }

    /// Uses the settings that `loader` finds, for programs outside Lambda.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub async fn load(loader: ConfigLoader) -> Result<Self, AwsError> {
        Self::with(loader.load().await)
    }

    /// Adds the connections and deadlines that all clients share.
    fn with(config: SdkConfig) -> Result<Self, AwsError> {
        let client = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(TlsContext::builder().with_trust_store(roots::trusted()?).build()?)
            .build_https();
        // Passed in directly, the client would read the roots and set up TLS once more for each AWS client,
        // only to validate itself.
        let http = http_client_fn(move |settings, components| client.http_connector(settings, components));
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(ATTEMPT_DEADLINE)
            .operation_timeout(OPERATION_DEADLINE)
            .build();
        let retries = RetryConfig::standard().with_initial_backoff(Duration::from_millis(100));
        let config = config.into_builder().http_client(http);
        let config = config.timeout_config(timeouts).retry_config(retries).build();
        Ok(Self { config, sqs_endpoint: None })
    }

    fn lazy<C>(&self, set_up: impl FnOnce(&SdkConfig) -> C + Send + 'static) -> LazyClient<C> {
        let config = self.config.clone();
        Arc::new(LazyLock::new(Box::new(move || set_up(&config))))
    }

    /// Returns the message topic with this ARN.
    pub fn topic(&self, arn: impl Into<String>) -> SnsTopic {
        SnsTopic::new(self.lazy(aws_sdk_sns::Client::new), arn.into())
    }

    /// Returns the queue with this URL, and its dead-letter queue.
    pub fn queue(&self, url: impl Into<String>, dead_letter_url: impl Into<String>) -> SqsQueue {
        let endpoint = self.sqs_endpoint.clone();
        let client = self.lazy(|config| {
            let sqs = aws_sdk_sqs::config::Builder::from(config);
            let sqs = match endpoint {
                Some(endpoint) => sqs.endpoint_url(endpoint),
                None => sqs,
            };
            aws_sdk_sqs::Client::from_conf(sqs.build())
        });
        SqsQueue::new(client, url.into(), dead_letter_url.into())
    }

    /// Returns the rejected queue with this URL.
    pub fn rejected(&self, url: impl Into<String>) -> SqsQueue {
        let url = url.into();
        self.queue(url.clone(), url)
    }

    /// Returns the table with this name or ARN. Its partition key is the text `id`.
    pub fn table(&self, name: impl Into<String>) -> DynamoDbTable {
        DynamoDbTable::new(self.lazy(aws_sdk_dynamodb::Client::new), name.into())
    }

    /// Returns the database of Amazon RDS with this address, `postgres://<user>@<host>:<port>/<database>`. It is
    /// in the function's own region.
    pub fn rds_database(&self, url: impl Into<String>) -> RdsDatabase {
        RdsDatabase::new(self.config.clone(), url.into(), SystemClock::shared())
    }

    /// Returns the text of the secret whose ARN or name is in this environment variable. Returns `None` if the
    /// variable is absent or blank.
    ///
    /// # Errors
    /// When the secret cannot be read.
    pub async fn secret_text(
        &self,
        name: &'static str,
    ) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        match variable(name) {
            Ok(id) => Ok(Some(self.secret(id).fetch().await?)),
            Err(_) => Ok(None),
        }
    }

    /// Returns the secret with this ARN or name.
    pub fn secret(&self, id: impl Into<String>) -> SecretsManagerSecret {
        SecretsManagerSecret::new(self.lazy(aws_sdk_secretsmanager::Client::new), id.into())
    }
}

#[cfg(test)]
mod tests {
    use super::VariableError;

    #[test]
    fn the_error_that_stops_a_start_is_printed_as_a_sentence() {
        let no_number = "five".parse::<u32>().unwrap_err().into();
        for (error, sentence) in [
            (VariableError::Missing("A"), "the environment variable A is missing; the template sets it"),
            (
                VariableError::Unusable("B", no_number),
                "the environment variable B cannot be used; the template sets it: invalid digit found in string",
            ),
        ] {
            assert_eq!(format!("{:?}", super::StartError::from(error)), sentence);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_preparation_that_hangs_does_not_delay_the_start() {
        let start = tokio::time::Instant::now();
        super::during_init(std::future::pending::<()>()).await;
        assert_eq!(start.elapsed(), super::INIT_DEADLINE);
    }
}
