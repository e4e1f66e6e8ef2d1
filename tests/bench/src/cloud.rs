//! A fake of AWS, over TLS, and of Segment, with fixed answers to the calls that the functions make.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use testkit::tls::Authority;

use crate::{
    http::{self, Answer, Request},
    load::{SIGNING_SECRET, WRITE_KEY},
};

/// The running fake.
pub struct Cloud {
    aws: String,
    segment: String,
    /// The file with the roots that a function must trust.
    bundle: NamedTempFile,
    queued: Arc<AtomicUsize>,
}

impl Cloud {
    /// Starts it with secrets that name `webhooks` and the database at `warehouse`.
    pub async fn start(webhooks: &[String], warehouse: &str) -> Self {
        let queued = Arc::new(AtomicUsize::new(0));
        let webhooks: Vec<Value> = webhooks.iter().map(|url| json!({"url": url})).collect();
        let webhooks = json!({"sharedSecret": SIGNING_SECRET, "webhooks": webhooks}).to_string();
        let (count, warehouse) = (queued.clone(), json!({"url": warehouse}).to_string());
        let (authority, mut bundle) = (Authority::default(), NamedTempFile::new().unwrap());
        bundle.write_all(authority.pem().as_bytes()).unwrap();
        // In HTTP/1.1, like AWS's endpoints.
        let tls = authority.good("127.0.0.1").acceptor(&["http/1.1"]);
        let aws = http::serve_tls(tls, move |request| {
            let answer = answer(request, &webhooks, &warehouse, &count);
            async move { answer }
        })
        .await;
        let segment = http::serve(|_| async { json(&json!({"success": true})) }).await;
        Self { aws: format!("https://{aws}"), segment: format!("http://{segment}"), bundle, queued }
    }

    /// Returns the number of `SendMessageBatch` calls.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::SeqCst)
    }

    /// Returns the functions' environment.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", &self.aws),
            ("AWS_CA_BUNDLE", self.bundle.path().to_str().unwrap()),
            ("SEGMENT_ENDPOINT", &self.segment),
            // No pace, because the benchmark measures the work.
            ("SEGMENT_EVENTS_PER_SECOND", "1000000000"),
            ("SEGMENT_CONCURRENCY", "1"),
            ("SEGUE_DEPLOYMENT", "bench"),
            ("ALLOW_PRIVATE_WEBHOOKS", "true"),
            ("LEDGER_TABLE", "Ledger"),
            ("PUBLIC_API_TOKEN_SECRET_ARN", &secret("public-api-token")),
            ("PUBLIC_API_ENDPOINT", &self.segment),
            ("REGULATION_TYPE", "DELETE_ONLY"),
            ("TOPIC_ARN", "arn:aws:sns:eu-central-1:123456789012:MessageTopic"),
            ("IDENTITY_SECRET_ARN", &secret("identity")),
            ("WRITE_KEYS_SECRET_ARN", &secret("write-keys")),
            ("WEBHOOKS_SECRET_ARN", &secret("webhooks")),
            ("WAREHOUSE_SECRET_ARN", &secret("warehouse")),
            ("WAREHOUSE_SCHEMA", "segue"),
            ("QUEUE_URL", &format!("{}/queue", self.aws)),
            ("DEAD_LETTER_QUEUE_URL", &format!("{}/dead", self.aws)),
            ("REJECTED_QUEUE_URL", &format!("{}/rejected", self.aws)),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into()
    }
}

/// Returns the ARN of a secret.
pub fn secret(name: &str) -> String {
    format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}")
}

fn answer(request: &Request<'_>, webhooks: &str, warehouse: &str, queued: &AtomicUsize) -> Answer {
    let Request { head, body, .. } = request;
    if head.contains("secretsmanager.getsecretvalue") {
        let secret = if body.contains("secret:auth0") {
            json!({"auth0": {"bearer": SIGNING_SECRET}}).to_string()
        } else if body.contains("secret:identity") {
            json!({"fusionauth": {"signingSecrets": SIGNING_SECRET}}).to_string()
        } else if body.contains("secret:webhooks") {
            webhooks.to_owned()
        } else if body.contains("secret:warehouse") {
            warehouse.to_owned()
        } else {
            WRITE_KEY.to_owned()
        };
        return json(&json!({"ARN": "arn", "Name": "name", "VersionId": "v", "SecretString": secret}));
    }
    if head.contains("dynamodb_20120810.") {
        return json(&json!({"Attributes": {"used": {"N": "1"}}}));
    }
    if head.contains("amazonsqs.sendmessagebatch") {
        queued.fetch_add(1, Ordering::SeqCst);
        let call: Value = serde_json::from_str(body).unwrap();
        let taken = |entry: &Value| json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "0"});
        let taken: Vec<Value> = call["Entries"].as_array().unwrap().iter().map(taken).collect();
        return json(&json!({"Successful": taken, "Failed": []}));
    }
    if head.contains("amazonsqs.") {
        return json(&json!({"Attributes": {}}));
    }
    if body.contains("Action=PublishBatch") {
        // The ids are short and consist of letters and digits, so they need no decoding.
        let entries: String = body
            .split('&')
            .filter_map(|pair| pair.split_once(".Id="))
            .map(|(_, id)| format!("<member><Id>{id}</Id><MessageId>m</MessageId></member>"))
            .collect();
        return xml(&format!(
            "<PublishBatchResponse><PublishBatchResult><Successful>{entries}</Successful><Failed/>\
             </PublishBatchResult></PublishBatchResponse>"
        ));
    }
    if body.contains("Action=GetTopicAttributes") {
        return xml("<GetTopicAttributesResponse><GetTopicAttributesResult><Attributes/>\
             </GetTopicAttributesResult></GetTopicAttributesResponse>");
    }
    panic!("AWS is not expected to be asked this: {head}{body}")
}

fn json(body: &Value) -> Answer {
    Answer::ok("application/json", body.to_string())
}

fn xml(body: &str) -> Answer {
    Answer::ok("text/xml", body)
}
