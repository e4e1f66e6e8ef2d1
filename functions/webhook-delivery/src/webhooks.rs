//! The webhooks and their settings, as the secret holds them.

mod reader;

use std::{collections::BTreeSet, time::Duration};

use http::{HeaderMap, HeaderValue, header};
use reqwest::Url;
use segment::{MessageType, Secret, json};
use serde_json::{Map, Value};

use self::reader::Reader;
use crate::{
    address, headers,
    signature::{SigningSecret, sha256},
};

/// The most webhooks (Segment's Webhooks destination: "up to five").
pub const MAX_WEBHOOKS: usize = 5;

/// The largest batch size that can be set.
pub const MAX_BATCH_SIZE: usize = 1_000;

/// How long a message is retried from its first attempt, by default (Segment's Webhooks destination,
/// "Retries": "for up to four hours").
const WINDOW: Duration = Duration::from_secs(4 * 60 * 60);

/// The longest retry window that can be set.
const MAX_WINDOW: Duration = Duration::from_secs(12 * 60 * 60);

/// The user agent of Segment's Webhooks destination. Some receivers check it.
const USER_AGENT: &str = "Segment.io/1.0";

/// The settings of all webhooks.
#[derive(Debug)]
pub struct Webhooks {
    /// The secrets that sign each request: the current one and, during a change, the previous one.
    pub shared_secrets: Vec<Secret>,
    /// When a message counts as delivered.
    pub success: Success,
    /// How long a message is retried from its first attempt.
    pub window: Duration,
    /// One to five webhooks.
    pub webhooks: Vec<Webhook>,
}

/// When a message counts as delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Success {
    /// When every webhook took it. Each webhook is retried separately.
    All,
    /// When any webhook took it, as in Segment's classic destination.
    Any,
}

/// One webhook.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its host and a short hash of its URL. Attributes, logs and metrics use this name, because paths and
    /// query strings may hold secrets.
    pub name: String,
    /// Its URL.
    pub url: Url,
    /// The headers of each request: the static headers, the content type and the user agent.
    pub headers: HeaderMap,
    /// The message types that it gets.
    pub types: Vec<MessageType>,
    /// The secrets that sign by the Standard Webhooks specification.
    pub signing_secrets: Vec<SigningSecret>,
    /// The most messages in a request. With 1, the body is the message itself, otherwise an array.
    pub batch_size: usize,
}

impl Webhooks {
    /// Reads the secret's text.
    ///
    /// # Errors
    /// A sentence for each problem. Quotes no secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Ok(object) = json::parse_object(text.as_bytes()) else {
            return Err("it is not a JSON object; store {\"webhooks\":[{\"url\":\"https://…\"}]}".to_owned());
        };
        let mut problems = Vec::new();
        let webhooks = read(object, &mut problems);
        if problems.is_empty() { Ok(webhooks) } else { Err(problems.join("; ")) }
    }

    /// Returns the first webhook whose URL contains an address that is not public. A host name is checked
    /// only when it is called.
    pub fn private(&self) -> Option<&Webhook> {
        self.webhooks.iter().find(|webhook| {
            let local = webhook.url.host_str() == Some("localhost");
            address::literal(&webhook.url).map_or(local, |address| !address::is_public(address))
        })
    }
}

impl Webhook {
    /// Whether it gets messages of that type.
    pub fn wants(&self, message_type: MessageType) -> bool {
        self.types.contains(&message_type)
    }

    /// Whether its requests hold arrays.
    pub fn takes_batches(&self) -> bool {
        self.batch_size > 1
    }
}

/// Returns a webhook's name: its host and eight hexadecimal digits of its URL's SHA-256.
pub fn name(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}/{}", url.host_str().unwrap_or_default(), &sha256(url.as_str())[..8])
}

fn read(object: Map<String, Value>, problems: &mut Vec<String>) -> Webhooks {
    let mut reader = Reader::new(object, String::new(), problems);
    let shared_secrets = reader.secrets("sharedSecret").into_iter().map(Secret::new).collect();
    let success = match reader.take("success").as_ref().map(Value::as_str) {
        None | Some(Some("all")) => Success::All,
        Some(Some("any")) => Success::Any,
        Some(_) => {
            reader.problem("success", "must be \"all\" or \"any\"");
            Success::All
        }
    };
    let hours = MAX_WINDOW.as_secs_f64() / 3_600.0;
    let window = reader
        .number("retryHours", 0.0, hours)
        .map_or(WINDOW, |hours| Duration::from_secs_f64(hours * 3_600.0));
    let objects = reader.objects("webhooks", "{\"url\":\"https://…\"}");
    reader.finish();
    let mut webhooks = Vec::new();
    let mut names = BTreeSet::new();
    for (index, object) in objects {
        let place = format!("webhooks[{index}]");
        let Some(webhook) = read_webhook(object, &place, problems) else { continue };
        if index >= MAX_WEBHOOKS {
            problems.push(format!("{place} ({}): is one too many; at most five webhooks", webhook.name));
        }
        if !names.insert(webhook.name.clone()) {
            problems.push(format!("{place} ({}): is listed twice", webhook.name));
        }
        if success == Success::Any && webhook.takes_batches() {
            problems.push(format!("{place}.batchSize: does not go with \"success\":\"any\""));
        }
        webhooks.push(webhook);
    }
    Webhooks { shared_secrets, success, window, webhooks }
}

fn read_webhook(object: Map<String, Value>, place: &str, problems: &mut Vec<String>) -> Option<Webhook> {
    let mut reader = Reader::new(object, format!("{place}."), problems);
    let url = read_url(&mut reader);
    let mut headers = HeaderMap::new();
    if let Some(given) = reader.object("headers") {
        match headers::parse(&given) {
            Ok(parsed) => headers = parsed,
            Err(faults) => faults.iter().for_each(|fault| reader.problem("headers", fault)),
        }
    }
    for (name, value) in [(header::CONTENT_TYPE, "application/json"), (header::USER_AGENT, USER_AGENT)] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    let types = reader.texts("types").map_or(MessageType::ALL.to_vec(), |names| {
        let types: Vec<MessageType> = names.iter().filter_map(|name| name.parse().ok()).collect();
        if types.is_empty() || types.len() < names.len() {
            reader.problem("types", "must list some of identify, track, page, screen, group, alias, delete");
        }
        types
    });
    let mut signing_secrets = Vec::new();
    for secret in reader.secrets("signingSecret") {
        match SigningSecret::parse(&secret) {
            Ok(secret) => signing_secrets.push(secret),
            Err(problem) => reader.problem("signingSecret", &problem),
        }
    }
    let batch_size = reader.count("batchSize", MAX_BATCH_SIZE).unwrap_or(1);
    reader.finish();
    let url = url?;
    Some(Webhook { name: name(&url), url, headers, types, signing_secrets, batch_size })
}

fn read_url(reader: &mut Reader<'_>) -> Option<Url> {
    let value = reader.take("url");
    let url = value.as_ref().and_then(Value::as_str).and_then(|text| Url::parse(text.trim()).ok());
    let Some(mut url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        reader.problem("url", "must be a full http:// or https:// URL");
        return None;
    };
    url.set_fragment(None);
    Some(url)
}

#[cfg(test)]
mod tests;
