//! The rejected queue on Amazon SQS.

use segment::{json, timestamp};

use super::SqsQueue;
use crate::{
    queue::{Entry, TargetQueue},
    rejected::{FIELD, PROBLEM, RECEIVED_AT, RejectedError, RejectedMessage, RejectedQueue},
    topic::WRITE_KEY,
};

impl RejectedQueue for SqsQueue {
    async fn put(&self, messages: Vec<RejectedMessage>) -> Result<(), RejectedError> {
        let entries = messages.into_iter().map(entry).collect();
        self.send_all(entries).await.map_err(RejectedError)
    }
}

fn entry(message: RejectedMessage) -> Entry {
    let attributes = [
        (FIELD, message.field),
        (PROBLEM, message.problem),
        (RECEIVED_AT, timestamp::format(message.received_at)),
        (WRITE_KEY, message.write_key),
    ];
    Entry {
        body: json::for_queues(message.text),
        attributes: attributes.map(|(name, value)| (name.to_owned(), value)).into(),
        target: TargetQueue::DeadLetter,
    }
}
