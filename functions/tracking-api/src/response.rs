//! What the sender is answered.

use http::{HeaderValue, Response, StatusCode, header};
use segment::json::JsonError;
use serde_json::{Value, json};

use crate::write_key::Refusal;

/// Why nothing of a request was taken, with its status, its code and its sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(
        "There is nothing at this address. Calls go to /v1/ and identify, track, page, screen, group, alias, \
         batch or import."
    )]
    NotFound,
    #[error("This address takes POST only.")]
    Method,
    #[error("The request is larger than 500 KB. Send fewer messages at a time.")]
    TooLarge,
    #[error("The batch has more than 2,500 messages. Send fewer at a time.")]
    TooMany,
    #[error(
        "The batch's context and integrations, put into each of its messages, are larger than 8 MB. Send fewer \
         messages at a time."
    )]
    SharedTooLarge,
    #[error("The body is encoded in a way that is not understood. Send it as it is, or with gzip.")]
    Encoded,
    #[error("The body is not the gzip that its Content-Encoding says it is.")]
    NotGzip,
    #[error("The body cannot be read: {0}.")]
    Malformed(#[source] JsonError),
    #[error("The body cannot be used: {0} {1}.")]
    Field(&'static str, &'static str),
    #[error("The request is not authentic: {0}.")]
    NotAuthentic(#[from] Refusal),
    #[error("The write keys could not be read. Send the request again later; the log says more.")]
    NoWriteKeys,
    #[error("The messages could not be stored. Send all of them again.")]
    NotStored,
}

impl From<JsonError> for Failure {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::TooManyItems { .. } => Self::TooMany,
            JsonError::TooManyValues => Self::TooLarge,
            error => Self::Malformed(error),
        }
    }
}

/// A message that will never be taken. It names the field and never quotes its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// Its place in the batch.
    pub index: usize,
    pub field: &'static str,
    pub problem: String,
}

impl Failure {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Method => "method_not_allowed",
            Self::TooLarge | Self::TooMany | Self::SharedTooLarge => "too_large",
            Self::Encoded | Self::NotGzip => "encoded_body",
            Self::Malformed(_) | Self::Field(..) => "malformed",
            Self::NotAuthentic(_) => "not_authentic",
            Self::NoWriteKeys => "not_checked",
            Self::NotStored => "not_stored",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            // As Segment does it, and not 413, which some of its libraries would take for worth a retry.
            Self::TooLarge | Self::TooMany | Self::SharedTooLarge => StatusCode::BAD_REQUEST,
            Self::Encoded | Self::NotGzip | Self::Malformed(_) | Self::Field(..) => StatusCode::BAD_REQUEST,
            Self::NotAuthentic(_) => StatusCode::UNAUTHORIZED,
            Self::NoWriteKeys | Self::NotStored => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub fn response(&self) -> Response<String> {
        let mut response = answer(self.status(), &json!({"error": self.code(), "message": self.to_string()}));
        let headers = response.headers_mut();
        if matches!(self, Self::Method) {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// The answer to a request whose messages are all stored.
pub(crate) fn accepted() -> Response<String> {
    answer(StatusCode::OK, &json!({"success": true}))
}

/// The answer to a request of whose messages `accepted` are stored and the others never will be.
pub(crate) fn partly_accepted(accepted: usize, invalid: &[Invalid]) -> Response<String> {
    let refused: Vec<Value> = invalid
        .iter()
        .map(|one| json!({"index": one.index, "field": one.field, "problem": one.problem}))
        .collect();
    let message = match (invalid, accepted) {
        ([one], 0) => format!("The message cannot be taken: {} {}.", one.field, one.problem),
        (_, 0) => "None of the messages can be taken, as listed.".to_owned(),
        _ => format!(
            "{} of {} messages cannot be taken, as listed. The rest is stored; do not send it again.",
            invalid.len(),
            invalid.len() + accepted,
        ),
    };
    let body = json!({"error": "invalid", "message": message, "accepted": accepted, "invalid": refused});
    answer(StatusCode::BAD_REQUEST, &body)
}

/// The answer to a browser that asks whether a page may send.
pub(crate) fn preflight() -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    allow_every_origin(&mut response);
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    // Segment's browser library counts its retries in X-Retry-Count: not allowed, no retry would get through.
    let allowed = HeaderValue::from_static("authorization, content-type, x-retry-count");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

fn answer(status: StatusCode, body: &Value) -> Response<String> {
    let mut response = Response::new(body.to_string());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    allow_every_origin(&mut response);
    response
}

/// Write keys of browsers are public, so pages of every site may send, and may read when to come again.
fn allow_every_origin(response: &mut Response<String>) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
}
