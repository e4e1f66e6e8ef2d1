//! The answers to a sender.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use segment::json::JsonError;
use serde_json::{Value, json};

use crate::{pixel, recent::Fingerprint, write_key::Refusal};

/// Why nothing of a request was accepted, with its status, code and sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(
        "There is nothing at this address. Calls go to /v1/ and identify, track, page, screen, group, alias, \
         batch or import."
    )]
    NotFound,
    #[error("This address takes {0} only.")]
    Method(&'static str),
    #[error("The request is larger than 576 KB. Send fewer messages at a time.")]
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
    #[error(
        "The body was gzip and was damaged on its way: something took it for text, as an HTTP API of AWS may. It would be \
         damaged again, so do not repeat it. Turn gzip off in the library."
    )]
    DamagedGzip,
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

/// Why messages of a request were rejected, in the extensions of its answer. The local page shows it; the
/// answer to a pixel does not contain it.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// The number of messages, or one for a request that could not be read.
    pub count: usize,
    /// A sentence about them.
    pub reason: String,
}

impl Rejected {
    /// Returns the description of a request with at least one bad message. `good` messages of it are stored.
    pub(crate) fn of(invalid: &[Invalid], good: usize) -> Self {
        let first = invalid.first().map(|one| format!("{} {}", one.field, one.problem)).unwrap_or_default();
        let (count, all) = (invalid.len(), invalid.len() + good);
        let reason = match (count, good) {
            (1, 0) => format!("The message cannot be taken: {first}."),
            (1, _) => format!("1 of {all} messages cannot be taken: {first}. The rest is stored."),
            (_, 0) => format!("None of {all} messages can be taken; the first: {first}."),
            (_, _) => {
                format!("{count} of {all} messages cannot be taken; the first: {first}. The rest is stored.")
            }
        };
        Self { count, reason }
    }
}

/// A message that will never be accepted. It names the field and never quotes its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// Its index in the batch.
    pub index: usize,
    pub field: &'static str,
    pub problem: String,
    /// The name of its write key, if it has one.
    pub write_key: Option<String>,
    /// Its fingerprint, if its sender may repeat it.
    pub fingerprint: Option<Fingerprint>,
}

impl Failure {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Method(_) => "method_not_allowed",
            Self::TooLarge | Self::TooMany | Self::SharedTooLarge => "too_large",
            Self::Encoded | Self::NotGzip => "encoded_body",
            Self::DamagedGzip => "damaged_gzip",
            Self::Malformed(_) | Self::Field(..) => "malformed",
            Self::NotAuthentic(_) => "not_authentic",
            Self::NoWriteKeys => "not_checked",
            Self::NotStored => "not_stored",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            // As Segment does. Some of its libraries would retry after a 413.
            Self::TooLarge | Self::TooMany | Self::SharedTooLarge => StatusCode::BAD_REQUEST,
            // Not 503: apps keep a batch that gets 503, and would send the same damage forever.
            Self::Encoded | Self::NotGzip | Self::DamagedGzip => StatusCode::BAD_REQUEST,
            Self::Malformed(_) | Self::Field(..) => StatusCode::BAD_REQUEST,
            Self::NotAuthentic(_) => StatusCode::UNAUTHORIZED,
            Self::NoWriteKeys | Self::NotStored => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub fn response(&self) -> Response<Bytes> {
        let mut response = answer(self.status(), &error(self.code(), &self.to_string()));
        let headers = response.headers_mut();
        if let Self::Method(method) = self {
            let allowed = if *method == "GET" { "GET, OPTIONS" } else { "POST, OPTIONS" };
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// Returns the answer to a request whose messages are all stored.
pub(crate) fn accepted() -> Response<Bytes> {
    answer(StatusCode::OK, &json!({"success": true}))
}

/// Returns the answer to a request of which `accepted` messages are stored and the others never will be. Like
/// Segment's answer it is a success, because app libraries would otherwise send the request again and again.
pub(crate) fn partly_accepted(accepted: usize, invalid: &[Invalid]) -> Response<Bytes> {
    let message = match accepted {
        0 => "None of the messages can be taken, as listed. Do not send them again.".to_owned(),
        _ => format!(
            "{} of {} messages cannot be taken, as listed. The rest is stored; do not send it again.",
            invalid.len(),
            invalid.len() + accepted,
        ),
    };
    let body = json!({
        "success": true, "message": message, "accepted": accepted, "rejected": invalid.len(), "invalid": invalid_list(invalid),
    });
    answer(StatusCode::OK, &body)
}

/// Returns the answer to a request without any good message.
pub(crate) fn refused(invalid: &[Invalid]) -> Response<Bytes> {
    let message = match invalid {
        [one] => format!("The message cannot be taken: {} {}.", one.field, one.problem),
        _ => "None of the messages can be taken, as listed.".to_owned(),
    };
    let mut body = error("invalid", &message);
    body["accepted"] = 0.into();
    body["invalid"] = invalid_list(invalid).into();
    answer(StatusCode::BAD_REQUEST, &body)
}

/// Returns the body of an error. It holds the code twice, because Segment's older Python libraries take an
/// answer without `code` for a broken connection and send their request again.
fn error(code: &str, message: &str) -> Value {
    json!({"error": code, "code": code, "message": message})
}

fn invalid_list(invalid: &[Invalid]) -> Vec<Value> {
    let entry = |one: &Invalid| json!({"index": one.index, "field": one.field, "problem": one.problem});
    invalid.iter().map(entry).collect()
}

/// Returns the image that answers every pixel.
pub(crate) fn pixel() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(pixel::GIF));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/gif"));
    // Not cached, because every time that it is shown counts.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns the answer to a browser's preflight. Libraries have headers of their own, and their users add
/// others, so every header is allowed. Credentials are not needed, because a page sends its write key itself.
pub(crate) fn preflight(asked: &HeaderMap) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    allow_every_origin(&mut response);
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    headers.insert(header::VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

fn answer(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    allow_every_origin(&mut response);
    response
}

/// Allows pages of every site. Write keys of browsers are public, and pages may read when to retry.
fn allow_every_origin(response: &mut Response<Bytes>) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
}
