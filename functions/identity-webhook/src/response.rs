//! The answers to a sender.

use http::{HeaderValue, Method, Response, StatusCode, header};
use identity::MapError;
use serde_json::{Value, json};

use crate::authentication::Refusal;

/// Why a request did not end in 200, with its status, code and sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(
        "There is nothing at this address. Webhooks go to /identity/ followed by the provider's name: {0}."
    )]
    NotFound(String),
    #[error("This address takes {0} only.")]
    Method(Method),
    #[error("The body is larger than 6 MB.")]
    TooLarge,
    #[error(
        "The body is compressed. Send it as it is: the signature is checked over the bytes as they arrive."
    )]
    Encoded,
    #[error("The content type is not JSON. Send application/json.")]
    ContentType,
    #[error("The request is not authentic: {0}.")]
    NotAuthentic(#[source] Refusal),
    #[error("The request could not be checked: {0}.")]
    Unchecked(#[source] Refusal),
    #[error(
        "The request was not checked against the newest secret. The secret in use refuses it: {0}. \
         The secret is read again within 5 seconds; send the request again then."
    )]
    NotYetRefused(#[source] Refusal),
    #[error(
        "The settings for authentication could not be read. Send the request again later; the log says more."
    )]
    NoSettings,
    #[error("The mapping cannot be applied: {0}.")]
    NoHashKey(#[source] MapError),
    #[error("The body is too large: {0}.")]
    TooMuch(#[source] MapError),
    #[error("The body cannot be read: {0}.")]
    Malformed(#[source] MapError),
    #[error("The event cannot be used: {0}.")]
    Unusable(#[source] MapError),
    #[error("The messages could not be stored. Send the event again.")]
    NotStored,
    #[error("The login could not be handled in time. Let the user continue.")]
    TooSlow,
}

impl Failure {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::Method(_) => "method_not_allowed",
            Self::TooLarge | Self::TooMuch(_) => "too_large",
            Self::Encoded => "encoded_body",
            Self::ContentType => "content_type",
            Self::NotAuthentic(_) => "not_authentic",
            Self::Unchecked(_) | Self::NotYetRefused(_) | Self::NoSettings => "not_checked",
            Self::NoHashKey(_) => "no_hash_key",
            Self::Malformed(_) => "malformed",
            Self::Unusable(_) => "unusable",
            Self::NotStored | Self::TooSlow => "not_stored",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge | Self::TooMuch(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoded | Self::ContentType | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NotAuthentic(_) => StatusCode::UNAUTHORIZED,
            Self::Unusable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unchecked(_) | Self::NotYetRefused(_) | Self::NoSettings | Self::NoHashKey(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::NotStored | Self::TooSlow => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub fn response(&self) -> Response<String> {
        let body = json!({"error": self.code(), "message": self.to_string()});
        let mut response = json_response(self.status(), &body);
        let headers = response.headers_mut();
        if let Self::Method(allowed) = self
            && let Ok(allowed) = HeaderValue::from_str(allowed.as_str())
        {
            headers.insert(header::ALLOW, allowed);
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

impl From<MapError> for Failure {
    fn from(error: MapError) -> Self {
        match error {
            MapError::Unusable(_) => Self::Unusable(error),
            MapError::NoHashKey => Self::NoHashKey(error),
            MapError::Json(ref json) if json.is_too_much() => Self::TooMuch(error),
            MapError::Json(_) | MapError::NotAJwt | MapError::UnknownProvider { .. } => {
                Self::Malformed(error)
            }
        }
    }
}

/// Returns the answer to a successful request.
pub(crate) fn ok(body: &Value) -> Response<String> {
    json_response(StatusCode::OK, body)
}

/// Returns the answer that a provider's file describes.
pub(crate) fn fixed(status: u16, body: &str) -> Response<String> {
    let mut response = Response::new(body.to_owned());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    if !body.is_empty() {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

fn json_response(status: StatusCode, body: &Value) -> Response<String> {
    let mut response = Response::new(body.to_string());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
