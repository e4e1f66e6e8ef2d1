//! A gateway in front of the emulator. It allows a role only the actions in its policy, and makes a service
//! fail or slow down when a test asks for it.

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    DECRYPT, Policies,
    call::{Call, Service},
};
use crate::tools;

/// A trouble of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It answers 500.
    Failing,
    /// It answers correctly after this time.
    Slow(Duration),
    /// It never answers.
    Hanging,
}

/// The running gateway. It stops with the runtime.
pub(crate) struct Gateway {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    emulator: String,
    client: Client,
    policies: Arc<Policies>,
    /// The user's own secrets, which may have a separate encryption key.
    own_secrets: HashSet<String>,
    /// All calls, for [`Gateway::refused`].
    calls: Mutex<Vec<Value>>,
    /// By action, such as `sqs:SendMessage`, or by service, such as `sqs:`.
    troubles: Mutex<BTreeMap<String, Trouble>>,
}

impl Gateway {
    pub(crate) async fn start(emulator: &str, policies: Arc<Policies>, own_secrets: HashSet<String>) -> Self {
        let client = platform::http::client().unwrap();
        let (emulator, troubles) = (emulator.to_owned(), Mutex::default());
        let calls = Mutex::default();
        let shared = Arc::new(Shared { emulator, client, policies, own_secrets, calls, troubles });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(forward).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the faults that the services' own models find in the calls so far.
    pub(crate) fn refused(&self) -> Vec<String> {
        let calls = self.shared.calls.lock().unwrap().clone();
        assert!(!calls.is_empty(), "nothing was called");
        refused(calls)
    }

    /// Sets the trouble of the actions that begin with `actions`, or removes it.
    pub(crate) fn trouble(&self, actions: &str, trouble: Option<Trouble>) {
        let mut troubles = self.shared.troubles.lock().unwrap();
        match trouble {
            Some(trouble) => drop(troubles.insert(actions.to_owned(), trouble)),
            None => drop(troubles.remove(actions)),
        }
    }
}

fn refused(calls: Vec<Value>) -> Vec<String> {
    let printed = tools::python(include_str!("calls.py"), &[], &Value::from(calls).to_string());
    serde_json::from_str(&printed).unwrap()
}

async fn forward(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = match Call::read(&headers, &body) {
        Ok(call) => call,
        Err(fault) => return (StatusCode::NOT_IMPLEMENTED, fault).into_response(),
    };
    shared.calls.lock().unwrap().push(json!({
        "service": call.service.actions().trim_end_matches(':'),
        "operation": call.operation,
        "form": call.is_form,
        "body": String::from_utf8_lossy(&body),
    }));
    let trouble = {
        let troubles = shared.troubles.lock().unwrap();
        troubles.iter().find(|(actions, _)| call.action.starts_with(*actions)).map(|(_, trouble)| *trouble)
    };
    match trouble {
        None => {}
        Some(Trouble::Failing) => {
            return refusal(&call, StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure");
        }
        Some(Trouble::Slow(time)) => tokio::time::sleep(time).await,
        Some(Trouble::Hanging) => std::future::pending().await,
    }
    let may_decrypt = !shared.own_secrets.contains(&call.resource)
        || shared.policies.allows(&call.role, DECRYPT, &call.resource);
    if !may_decrypt || !shared.policies.allows(&call.role, &call.action, &call.resource) {
        return match call.service {
            Service::Sns => refusal(&call, StatusCode::FORBIDDEN, "AuthorizationError"),
            _ => refusal(&call, StatusCode::BAD_REQUEST, "AccessDeniedException"),
        };
    }
    let request =
        shared.client.request(method, format!("{}{uri}", shared.emulator)).headers(headers).body(body);
    let Ok(answer) = request.send().await else {
        return refusal(&call, StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable");
    };
    let (status, headers) = (answer.status(), answer.headers().clone());
    #[allow(clippy::disallowed_methods, reason = "the emulator's answers are small")]
    match answer.bytes().await {
        Ok(body) => (status, headers, body).into_response(),
        Err(_) => refusal(&call, StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
    }
}

/// Returns an error in the service's protocol.
fn refusal(call: &Call, status: StatusCode, code: &str) -> Response {
    let message = format!("{} on {}", call.action, call.resource);
    let body = match call.service {
        Service::Sns => format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>r</RequestId></ErrorResponse>"
        ),
        _ => json!({"__type": code, "message": message}).to_string(),
    };
    (status, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_breaks_a_services_model_is_refused_with_its_position() {
        let send = json!({"QueueURL": "q", "MessageBody": "b", "DelaySeconds": 0});
        let put =
            json!({"TableName": "t", "Item": {"id": {"S": "u1", "T": "x"}}, "ReturnValues": "EVERYTHING"});
        let publish = "Action=PublishBatch&Version=2010-03-31&TopicArn=t&Entries.member.1.Id=0\
            &PublishBatchRequestEntries.member.1.Id=0&PublishBatchRequestEntries.member.1.Message=m\
            &PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Name=type\
            &PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Value.StringValue=track";
        let call = |service: &str, operation: &str, form: bool, body: String| json!({"service": service, "operation": operation, "form": form, "body": body});
        let calls = vec![
            call("sqs", "SendMessage", false, send.to_string()),
            call("dynamodb", "PutItem", false, put.to_string()),
            call("sns", "PublishBatch", true, publish.to_owned()),
            call("secretsmanager", "GetSecretValue", false, json!({"SecretId": "s"}).to_string()),
        ];
        let expected = [
            "PublishBatch.PublishBatchRequestEntries[0].MessageAttributes[type].DataType is missing",
            "PublishBatch: Entries.member.1.Id is unknown",
            "PutItem.Item[id].T is unknown",
            "PutItem.ReturnValues is none of ['NONE', 'ALL_OLD', 'UPDATED_OLD', 'ALL_NEW', 'UPDATED_NEW']",
            "SendMessage.QueueURL is unknown",
            "SendMessage.QueueUrl is missing",
        ];
        assert_eq!(refused(calls), expected);
    }
}
