//! A secret in AWS Secrets Manager.

use aws_sdk_secretsmanager::{Client, operation::get_secret_value::GetSecretValueOutput};

use super::LazyClient;
use crate::secrets::{Fetched, SecretStore};

/// A secret in AWS Secrets Manager. Each fetch is a call that costs money, so wrap it in a
/// [`CachedSecret`](crate::secrets::CachedSecret).
pub struct SecretsManagerSecret {
    client: LazyClient<Client>,
    id: String,
}

/// The secret exists but holds no text.
#[derive(Debug, thiserror::Error)]
#[error("the secret holds no text; store a string in it")]
struct NoText;

impl SecretsManagerSecret {
    pub(super) fn new(client: LazyClient<Client>, id: String) -> Self {
        Self { client, id }
    }
}

impl SecretStore for SecretsManagerSecret {
    fn fetch(&self) -> Fetched<'_> {
        Box::pin(async {
            // Without a stage this is AWSCURRENT, never the half-rotated AWSPENDING.
            let secret = self.client.get_secret_value().secret_id(&self.id).send().await?;
            Ok(text(secret).ok_or(NoText)?)
        })
    }
}

/// Returns the text, which may be stored as bytes.
fn text(secret: GetSecretValueOutput) -> Option<String> {
    let bytes = secret.secret_binary.map(aws_sdk_secretsmanager::primitives::Blob::into_inner);
    secret.secret_string.or_else(|| String::from_utf8(bytes?).ok())
}
