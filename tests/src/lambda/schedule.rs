//! Asynchronous invocations, and EventBridge Scheduler, which makes them.

use std::sync::Arc;

use aws_sdk_sqs::Client;
use serde_json::{Value, json};

use super::Function;
use crate::cloud::Policies;

/// A queue, and a client that may send to it if its role may.
pub(crate) struct Outlet {
    pub client: Client,
    pub url: String,
}

impl Outlet {
    async fn send(&self, body: &str) {
        // The policies record a missing permission.
        let _ = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
    }
}

/// A function's asynchronous invocations (Lambda developer guide, "Configuring error handling settings for
/// asynchronous invocations").
pub(crate) struct Asynchronous {
    pub function: Arc<Function>,
    /// How many times a failed invocation is repeated.
    pub retries: u64,
    /// The queue for an invocation that failed each time.
    pub on_failure: Option<Outlet>,
}

impl Asynchronous {
    /// Invokes the function, with the allowed retries. The minutes between the attempts are skipped.
    pub(crate) async fn invoke(&self, payload: &str) {
        let mut attempts = 0;
        while attempts <= self.retries {
            attempts += 1;
            let Err(failure) = self.function.invoke(payload).await else { return };
            if attempts > self.retries {
                let payload: Value = serde_json::from_str(payload).unwrap_or(Value::Null);
                let record = json!({
                    "version": "1.0",
                    "requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": attempts},
                    "requestPayload": payload,
                    "responsePayload": {"errorType": failure.kind, "errorMessage": failure.message},
                });
                if let Some(outlet) = &self.on_failure {
                    outlet.send(&record.to_string()).await;
                }
            }
        }
    }
}

/// A schedule.
pub(crate) struct Schedule {
    pub arn: String,
    /// The role that it invokes with.
    pub role: String,
    pub target: String,
    pub invocation: Arc<Asynchronous>,
    pub input: String,
    pub dead_letters: Outlet,
    pub policies: Arc<Policies>,
}

impl Schedule {
    /// Fires the schedule at this time (EventBridge Scheduler user guide, "context attributes").
    pub(crate) async fn fire(&self, time: &str) {
        let input = self.input.replace("<aws.scheduler.scheduled-time>", time);
        let input = input.replace("<aws.scheduler.schedule-arn>", &self.arn);
        match self.policies.allows(&self.role, "lambda:InvokeFunction", &self.target) {
            true => self.invocation.invoke(&input).await,
            false => self.dead_letters.send(&input).await,
        }
    }

    /// Acts as if Lambda did not take the invocation for a day.
    pub(crate) async fn give_up(&self) {
        self.dead_letters.send(&self.input).await;
    }
}
