//! Reads which AWS operation a request calls.

use axum::http::HeaderMap;
use serde_json::Value;

use super::{ACCOUNT, REGION};

/// A service that functions call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Amazon SNS.
    Sns,
    /// Amazon SQS.
    Sqs,
    /// Amazon DynamoDB.
    DynamoDb,
    /// AWS Secrets Manager.
    SecretsManager,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sns, Self::Sqs, Self::DynamoDb, Self::SecretsManager];

    /// Returns the prefix of its actions.
    pub(crate) fn actions(self) -> &'static str {
        match self {
            Self::Sns => "sns:",
            Self::Sqs => "sqs:",
            Self::DynamoDb => "dynamodb:",
            Self::SecretsManager => "secretsmanager:",
        }
    }
}

/// A call, in the terms of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub service: Service,
    /// The name of the calling role, which the access key holds.
    pub role: String,
    /// The action, such as `sns:Publish`, which `PublishBatch` needs too.
    pub action: String,
    /// The ARN of the resource.
    pub resource: String,
    /// The operation, such as `PublishBatch`.
    pub operation: String,
    /// Whether the body is a form, not JSON.
    pub is_form: bool,
}

impl Call {
    /// Reads the call from the request, in each service's protocol.
    ///
    /// # Errors
    /// A sentence that says which part is unknown.
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, String> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let role =
            header("authorization").split_once("Credential=").and_then(|(_, rest)| rest.split_once('/'));
        let role = role.ok_or("a call to AWS without a signature")?.0.to_owned();
        if let Some((target, operation)) = header("x-amz-target").rsplit_once('.') {
            let body: Value = serde_json::from_slice(body).map_err(|_| "a call to AWS that is no JSON")?;
            let text = |field: &str| body[field].as_str().unwrap_or_default();
            let (service, resource) = match target {
                "AmazonSQS" => {
                    let queue = text("QueueUrl").rsplit('/').next().unwrap_or_default();
                    (Service::Sqs, format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"))
                }
                "DynamoDB_20120810" => {
                    let table = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{}", text("TableName"));
                    (Service::DynamoDb, table)
                }
                "secretsmanager" => (Service::SecretsManager, text("SecretId").to_owned()),
                other => return Err(format!("a call to {other}, which is not known here")),
            };
            // A batch needs the permission of the single operation.
            let action = operation.strip_suffix("Batch").unwrap_or(operation);
            let action = format!("{}{action}", service.actions());
            return Ok(Self {
                service,
                role,
                action,
                resource,
                operation: operation.to_owned(),
                is_form: false,
            });
        }
        let form: Vec<(String, String)> = form(body);
        let field =
            |name: &str| form.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
        let operation = field("Action").ok_or("a call to AWS that names no action")?;
        let resource = field("TopicArn").ok_or_else(|| format!("{operation} without a topic"))?.to_owned();
        let action = operation.strip_suffix("Batch").unwrap_or(operation);
        let action = format!("{}{action}", Service::Sns.actions());
        Ok(Self {
            service: Service::Sns,
            role,
            action,
            resource,
            operation: operation.to_owned(),
            is_form: true,
        })
    }
}

fn form(body: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    let decoded = |part: &str| {
        let part = part.replace('+', " ");
        percent_encoding::percent_decode_str(&part).decode_utf8_lossy().into_owned()
    };
    let fields = text.split('&').filter_map(|field| field.split_once('='));
    fields.map(|(name, value)| (decoded(name), decoded(value))).collect()
}
