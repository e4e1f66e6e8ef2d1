//! Builds the body of a request and its signatures.

use bytes::Bytes;
use delivery::Request;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use segment::{Message, MessageType, Secret};

use crate::{signature, stringify, webhooks::Webhook};

/// Segment's own signature, made with each valid secret: the current one and the previous one.
const X_SIGNATURE: [HeaderName; 2] =
    [HeaderName::from_static("x-signature"), HeaderName::from_static("x-signature-previous")];

/// The headers of the Standard Webhooks specification.
const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// A message as text. The parsed tree may be a hundred times as large, and many messages are in memory while
/// webhooks answer.
#[derive(Debug)]
pub struct Outgoing {
    /// Its type.
    pub message_type: MessageType,
    /// Its `messageId`, if it has one.
    pub message_id: Option<String>,
    /// The message as the queue stores it.
    pub json: String,
    /// The message as it is sent.
    pub body: String,
}

impl Outgoing {
    /// Returns the texts of a message.
    pub fn new(message: &Message) -> Self {
        Self {
            message_type: message.message_type(),
            message_id: message.message_id().map(str::to_owned),
            json: message.as_json().to_owned(),
            body: stringify::of_message(message),
        }
    }
}

/// One message, or a batch of them, ready to send to any webhook, as often as needed.
#[derive(Debug)]
pub struct Payload {
    /// The body. Node's `JSON.stringify(JSON.parse(body))` returns it unchanged.
    pub body: Bytes,
    id: String,
    signatures: Vec<HeaderValue>,
}

impl Payload {
    /// Returns the payload of one message. The signature covers the whole body.
    pub fn of_message(message: &Outgoing, shared_secrets: &[Secret]) -> Self {
        let (body, message_id) = (message.body.clone(), message.message_id.as_deref());
        let id = message_id.and_then(header_safe);
        let id = id.unwrap_or_else(|| hashed("msg", message_id.unwrap_or(&body)));
        Self { id, signatures: signatures(shared_secrets, &body), body: body.into() }
    }

    /// Returns the payload of several messages, as an array. The signature covers only the first message
    /// (Segment's Webhooks destination, "Authentication": "a hash of the first event in the batch"). Standard
    /// Webhooks signs all of it, and is the better choice here. The id belongs to this batch: the same
    /// members give the same id.
    pub fn of_batch<'a>(messages: impl IntoIterator<Item = &'a Outgoing>, shared_secrets: &[Secret]) -> Self {
        let bodies: Vec<&str> = messages.into_iter().map(|message| message.body.as_str()).collect();
        let body = format!("[{}]", bodies.join(","));
        let signed = bodies.first().copied().unwrap_or_default();
        Self { id: hashed("batch", &body), signatures: signatures(shared_secrets, signed), body: body.into() }
    }

    /// Returns the headers of an attempt at `now`.
    pub fn headers(&self, webhook: &Webhook, now: Timestamp) -> HeaderMap {
        let mut headers = webhook.headers.clone();
        for (name, signature) in X_SIGNATURE.into_iter().zip(&self.signatures) {
            headers.insert(name, signature.clone());
        }
        let seconds = now.as_second();
        let signed = webhook.signing_secrets.iter().map(|secret| secret.sign(&self.id, seconds, &self.body));
        let signatures = signed.collect::<Vec<_>>().join(" ");
        if let (false, Ok(id), Ok(signatures)) =
            (signatures.is_empty(), HeaderValue::from_str(&self.id), HeaderValue::from_str(&signatures))
        {
            headers.insert(WEBHOOK_ID, id);
            headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(seconds));
            headers.insert(WEBHOOK_SIGNATURE, signatures);
        }
        headers
    }

    /// Returns the request with these headers, for the report.
    pub fn request(&self, webhook: &Webhook, headers: &HeaderMap) -> Request {
        Request { url: webhook.url.to_string(), headers: headers.clone(), body: self.body.clone() }
    }
}

fn signatures(shared_secrets: &[Secret], signed: &str) -> Vec<HeaderValue> {
    let signature = |secret| signature::x_signature(secret, signed.as_bytes());
    // Hexadecimal digits are always a valid header value.
    shared_secrets.iter().filter_map(|secret| HeaderValue::from_str(&signature(secret)).ok()).collect()
}

/// Returns a message id unchanged if a header can hold it.
fn header_safe(id: &str) -> Option<String> {
    id.bytes().all(|byte| byte.is_ascii_graphic()).then(|| id.to_owned())
}

/// Returns an id that is the same for the same text.
fn hashed(prefix: &str, text: &str) -> String {
    format!("{prefix}_{}", &signature::sha256(text)[..32])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Webhooks;

    fn message(id: &str) -> Outgoing {
        let text = format!(r#"{{"type":"track","userId":"u","event":"e","messageId":"{id}","2":1,"1":1.0}}"#);
        Outgoing::new(&Message::from_json(text.as_bytes()).unwrap())
    }

    fn webhooks(signing: &str) -> Webhooks {
        Webhooks::parse(&format!(r#"{{"webhooks":[{{"url":"https://a.example/"{signing}}}]}}"#)).unwrap()
    }

    const SECRETS: &str = r#","signingSecret":["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw","whsec_bmV3LXNlY3JldC1vZi0yNC1ieXRlcyEhISE="]"#;

    #[test]
    fn both_signatures_are_made_with_both_secrets() {
        let shared = [Secret::new("current"), Secret::new("previous")];
        let payload = Payload::of_message(&message("m-1"), &shared);
        assert!(payload.body.starts_with(br#"{"1":1,"2":1,"version":1,"type":"track""#));
        let webhooks = webhooks(SECRETS);
        let headers = payload.headers(&webhooks.webhooks[0], Timestamp::UNIX_EPOCH);
        assert_eq!(headers["x-signature"], signature::x_signature(&shared[0], &payload.body).as_str());
        assert_eq!(
            headers["x-signature-previous"],
            signature::x_signature(&shared[1], &payload.body).as_str()
        );
        assert_eq!(headers["webhook-id"], "m-1");
        assert_eq!(headers["webhook-timestamp"], "0");
        let signatures = headers["webhook-signature"].to_str().unwrap();
        assert_eq!(signatures.split(' ').filter(|one| one.starts_with("v1,")).count(), 2);
        assert_eq!(headers["user-agent"], "Segment.io/1.0");
        assert_eq!(headers["content-type"], "application/json");
    }

    #[test]
    fn standard_webhooks_are_signed_again_at_each_attempt() {
        let payload = Payload::of_message(&message("m-1"), &[]);
        let webhooks = webhooks(SECRETS);
        let at = |second| payload.headers(&webhooks.webhooks[0], Timestamp::from_second(second).unwrap());
        assert_eq!(at(1)["webhook-id"], at(2)["webhook-id"]);
        assert_ne!(at(1)["webhook-signature"], at(2)["webhook-signature"]);
        assert!(!at(1).contains_key("x-signature"), "no shared secret");
    }

    #[test]
    fn a_batch_is_signed_over_its_first_message_and_keeps_its_id() {
        let shared = [Secret::new("current")];
        let messages = [message("a"), message("b")];
        let payload = Payload::of_batch(&messages, &shared);
        let first = Payload::of_message(&messages[0], &shared);
        assert_eq!(payload.signatures, first.signatures);
        let text = std::str::from_utf8(&payload.body).unwrap();
        assert_eq!(text, format!("[{},{}]", messages[0].body, messages[1].body));
        assert_eq!(payload.id, Payload::of_batch(&messages, &[]).id);
        assert_ne!(payload.id, Payload::of_batch(&messages[..1], &[]).id);
    }

    #[test]
    fn an_id_that_no_header_can_hold_is_hashed() {
        for id in ["ä", "two words", "tab\\t"] {
            let payload = Payload::of_message(&message(id), &[]);
            assert!(payload.id.starts_with("msg_") && payload.id.len() == 36, "{}", payload.id);
        }
        let none = Outgoing::new(&Message::from_json(br#"{"type":"page","userId":"u"}"#).unwrap());
        let ids = [&none, &none].map(|message| Payload::of_message(message, &[]).id);
        assert_eq!(ids[0], ids[1]);
    }
}
