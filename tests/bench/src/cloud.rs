//! AWS and Segment as far as the functions call them, with fixed answers.

use crate::{
    http::{self, Answer},
    load::SIGNING_SECRET,
};

/// Starts it; returns its address.
pub async fn start() -> String {
    http::serve(|request| {
        let answer = answer(request.head, request.body);
        async move { answer }
    })
    .await
}

fn answer(head: &str, body: &str) -> Answer {
    if head.contains("secretsmanager.getsecretvalue") {
        let secret = format!(r#"{{\"fusionauth\":{{\"signingSecrets\":[\"{SIGNING_SECRET}\"]}}}}"#);
        let secret = if body.contains("identity") { secret.as_str() } else { "write-key" };
        return json(&format!(r#"{{"ARN":"arn","Name":"name","VersionId":"v","SecretString":"{secret}"}}"#));
    }
    if head.contains("amazonsqs.") {
        return json(r#"{"Attributes":{}}"#);
    }
    if body.contains("Action=PublishBatch") {
        // The ids are short and made of letters and digits, so nothing in them is encoded.
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
    json(r#"{"success":true}"#)
}

fn json(body: &str) -> Answer {
    ("Content-Type: application/json\r\n".to_owned(), body.to_owned())
}

fn xml(body: &str) -> Answer {
    ("Content-Type: text/xml\r\n".to_owned(), body.to_owned())
}
