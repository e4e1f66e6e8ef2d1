//! The options of webhooks.

use clap::Args;
use serde_json::{Map, Value, json};
use webhook_delivery::Webhooks;

use crate::error::CommandError;

/// The options of webhooks.
#[derive(Args)]
pub struct WebhookOptions {
    /// A webhook that gets every message; up to five, each with its own --webhook
    #[arg(long, env = "SEGUE_WEBHOOK", value_name = "URL", hide_env_values = true, value_delimiter = ' ')]
    webhook: Vec<String>,
    /// A static header for one of them, as 'URL Name: value'
    #[arg(
        long,
        env = "SEGUE_WEBHOOK_HEADER",
        value_name = "HEADER",
        value_delimiter = '\n',
        hide_env_values = true
    )]
    webhook_header: Vec<String>,
    /// The secret that signs each request: X-Signature is the HMAC-SHA1 of the body
    #[arg(long, env = "SEGUE_SHARED_SECRET", value_name = "SECRET", hide_env_values = true)]
    shared_secret: Option<String>,
    /// All webhook settings, as the JSON object of docs/webhooks.md
    #[arg(
        long,
        env = "WEBHOOKS_SECRET",
        value_name = "JSON",
        hide_env_values = true,
        conflicts_with_all = ["webhook", "webhook_header", "shared_secret"]
    )]
    webhooks_secret: Option<String>,
    /// Also deliver to loopback and private addresses
    #[arg(long, env = "SEGUE_ALLOW_PRIVATE_WEBHOOKS")]
    pub allow_private_webhooks: bool,
}

/// The settings of webhooks.
pub struct WebhookSettings {
    /// The secret's text, in the format of Secrets Manager.
    pub secret: String,
    /// The parsed secret.
    pub webhooks: Webhooks,
}

impl WebhookOptions {
    /// Returns the settings, if there are any webhooks. Refuses private addresses unless they are allowed.
    ///
    /// # Errors
    /// Every problem with them, without secrets.
    pub fn settings(&self) -> Result<Option<WebhookSettings>, CommandError> {
        let Some(given) = self.read()? else { return Ok(None) };
        if let Some(private) = given.webhooks.private().filter(|_| !self.allow_private_webhooks) {
            return Err(format!(
                "the webhook {} is at a private address; pass --allow-private-webhooks to deliver there",
                private.name
            )
            .into());
        }
        Ok(Some(given))
    }

    /// Returns whether there are any webhooks.
    pub fn are_given(&self) -> bool {
        self.webhooks_secret.is_some() || !self.webhook.is_empty()
    }

    /// Returns the settings, if there are any webhooks, private ones included.
    ///
    /// # Errors
    /// Every problem with them, without secrets.
    pub fn read(&self) -> Result<Option<WebhookSettings>, CommandError> {
        let Some(secret) = self.secret()? else { return Ok(None) };
        let webhooks = Webhooks::parse(&secret).map_err(|problem| {
            format!("the webhooks are not usable: {problem}; docs/webhooks.md shows the form")
        })?;
        Ok(Some(WebhookSettings { secret, webhooks }))
    }

    fn secret(&self) -> Result<Option<String>, CommandError> {
        if let Some(secret) = &self.webhooks_secret {
            return Ok(Some(secret.clone()));
        }
        if self.webhook.is_empty() {
            return match (&self.shared_secret, &self.webhook_header[..]) {
                (None, []) => Ok(None),
                _ => {
                    Err("there is a shared secret or a header, but no webhook; add one with --webhook".into())
                }
            };
        }
        let mut webhooks: Vec<(&str, Map<String, Value>)> =
            self.webhook.iter().map(|url| (url.as_str(), Map::new())).collect();
        for header in &self.webhook_header {
            let (url, name, value) = split(header)?;
            let webhook = webhooks.iter_mut().find(|(known, _)| *known == url);
            let (_, headers) = webhook
                .ok_or("a --webhook-header is for a URL that no --webhook has; use the same URL in both")?;
            headers.insert(name.to_owned(), value.into());
        }
        let webhooks: Vec<Value> =
            webhooks.into_iter().map(|(url, headers)| json!({"url": url, "headers": headers})).collect();
        let mut secret = json!({"webhooks": webhooks});
        if let Some(shared_secret) = &self.shared_secret {
            secret["sharedSecret"] = shared_secret.as_str().into();
        }
        Ok(Some(secret.to_string()))
    }
}

/// Splits `URL Name: value`. The value may contain colons and spaces.
fn split(header: &str) -> Result<(&str, &str, &str), CommandError> {
    let parts = header
        .split_once(' ')
        .and_then(|(url, rest)| rest.split_once(':').map(|(name, value)| (url, name.trim(), value.trim())));
    parts.ok_or_else(|| "a --webhook-header must be 'URL Name: value'".into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: WebhookOptions,
    }

    fn given(arguments: &[&str]) -> Result<Option<String>, String> {
        let options = Cli::parse_from([&["segue"], arguments].concat()).options;
        match options.settings() {
            Ok(given) => Ok(given.map(|given| given.secret)),
            Err(error) => Err(error.to_string()),
        }
    }

    const A: &str = "https://a.example/hook";

    #[test]
    fn options_become_the_secret() {
        assert_eq!(given(&[]), Ok(None));
        let header = format!("{A} X-Api-Key: a: b");
        assert_eq!(
            given(&["--webhook", A, "--webhook-header", &header, "--shared-secret", "s"]).unwrap().unwrap(),
            r#"{"webhooks":[{"url":"https://a.example/hook","headers":{"X-Api-Key":"a: b"}}],"sharedSecret":"s"}"#
        );
        let many: Vec<String> = (0..5).map(|number| format!("https://a.example/{number}")).collect();
        let many: Vec<&str> = many.iter().flat_map(|url| ["--webhook", url]).collect();
        assert!(given(&many).is_ok());
    }

    #[test]
    fn an_invalid_option_is_an_error_that_names_it() {
        let sixth: Vec<String> = (0..6).map(|number| format!("https://a.example/{number}")).collect();
        let sixth: Vec<&str> = sixth.iter().flat_map(|url| ["--webhook", url]).collect();
        let wrong = format!("{A} X-Signature: s");
        for (arguments, expected) in [
            (&["--shared-secret", "s"][..], "no webhook; add one with --webhook"),
            (&["--webhook", "http://127.0.0.1:9/"], "is at a private address"),
            (&["--webhook", "http://localhost:9/"], "is at a private address"),
            (&["--webhook", "a.example"], "webhooks[0].url: must be a full http:// or https:// URL"),
            (
                &["--webhook", A, "--webhook-header", "https://b.example X-Api-Key: a"],
                "for a URL that no --webhook has",
            ),
            (&["--webhook", A, "--webhook-header", "nonsense"], "must be 'URL Name: value'"),
            (&["--webhook", A, "--webhook-header", &wrong], "webhooks[0].headers: "),
            (&sixth, "webhooks[5] (a.example/"),
        ] {
            let error = given(arguments).unwrap_err();
            assert!(error.contains(expected), "{arguments:?}: {error}");
        }
    }
}
