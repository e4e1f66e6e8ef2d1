//! The messages of a queue as Lambda passes them to a function, and the function's answer.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use jiff::Timestamp;

use crate::{clock::Clock, queue::Received};

/// Returns the messages of an SQS event.
pub fn batch(event: SqsEvent, clock: &dyn Clock) -> Vec<Received> {
    event.records.into_iter().map(|record| received(record, clock)).collect()
}

/// Reads a record of an SQS event. It never fails: a record without a body gets an empty one, which its
/// handler refuses, so that only this message fails. Attributes that are not text are left out.
fn received(record: SqsMessage, clock: &dyn Clock) -> Received {
    let sent_at = record.attributes.get("SentTimestamp").and_then(|milliseconds| milliseconds.parse().ok());
    let texts = record.message_attributes.into_iter();
    Received {
        // Exactly as given: with an unknown id in the answer, Lambda would repeat the whole batch.
        id: record.message_id.unwrap_or_default(),
        body: record.body.unwrap_or_default(),
        attributes: texts.filter_map(|(name, value)| Some((name, value.string_value?))).collect(),
        // SQS always sends this time. If it is missing, the message must not count as too old.
        sent_at: sent_at.and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or_else(|| clock.now()),
    }
}

/// Returns the answer that makes Lambda repeat the messages with these ids and delete all others. The
/// template must set `ReportBatchItemFailures`.
pub fn batch_response(failed: Vec<String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed
        .into_iter()
        .map(|id| {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failure
        })
        .collect();
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::HeldClock;

    fn received_from(record: &serde_json::Value) -> Received {
        let clock = HeldClock::at("2026-11-21T04:00:00Z".parse().unwrap());
        let event = serde_json::from_value(json!({"Records": [record]})).unwrap();
        batch(event, &*clock).remove(0)
    }

    #[test]
    fn a_record_becomes_the_message_that_was_queued() {
        let message = received_from(&json!({
            "messageId": "19dd0b57-b21e-4ac1-bd88-01bbb068cb78",
            "receiptHandle": "MessageReceiptHandle",
            "body": "{\"type\":\"track\",\"n\":1.0}",
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1763697600123"},
            "messageAttributes": {
                "writeKey": {"dataType": "String", "stringValue": "shop", "stringListValues": [], "binaryListValues": []},
                "blob": {"dataType": "Binary", "binaryValue": "AAE="},
            },
            "md5OfBody": "7b270e59b47ff90a553787216d55d91d",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:SegmentQueue",
            "awsRegion": "eu-central-1",
        }));
        assert_eq!(message.id, "19dd0b57-b21e-4ac1-bd88-01bbb068cb78");
        assert_eq!(message.body, "{\"type\":\"track\",\"n\":1.0}");
        assert_eq!(message.attributes, [("writeKey".to_owned(), "shop".to_owned())].into());
        assert_eq!(message.sent_at.as_millisecond(), 1_763_697_600_123);
    }

    #[test]
    fn a_record_without_anything_is_a_message_that_fails_alone() {
        let message = received_from(&json!({"messageId": "m", "attributes": null}));
        assert_eq!((message.id.as_str(), message.body.as_str()), ("m", ""));
        assert_eq!(message.sent_at.to_string(), "2026-11-21T04:00:00Z");
    }

    #[test]
    fn the_answer_names_the_failed_messages() {
        let answer = serde_json::to_value(batch_response(vec!["a".to_owned()])).unwrap();
        assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "a"}]}));
    }
}
