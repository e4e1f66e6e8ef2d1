//! The address of Segment's HTTP API.

use std::{fmt, str::FromStr};

use reqwest::Url;

/// The base URL of a Segment HTTP API, without `/v1`: `https://api.segment.io` (US),
/// `https://events.eu1.segmentapis.com` (EU), or any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why a text is not a valid endpoint.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The text is not an absolute `http` or `https` URL.
    #[error("the Segment endpoint must be an http or https URL such as https://api.segment.io")]
    NotAUrl,
    /// It has a query, a fragment or credentials.
    #[error("the Segment endpoint must have no query, fragment, user name or password")]
    Extra,
}

impl Endpoint {
    /// The endpoint for workspaces in the United States.
    pub const US: &str = "https://api.segment.io";

    /// The endpoint for workspaces in the European Union.
    pub const EU: &str = "https://events.eu1.segmentapis.com";

    pub(crate) fn root(&self) -> Url {
        self.0.clone()
    }

    /// Returns the URL of a call, such as `batch`.
    pub(super) fn call(&self, name: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/v1/{name}", url.path().trim_end_matches('/')));
        url
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Removes a trailing slash or `/v1`, which some of Segment's pages include.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let mut url = Url::parse(text.trim()).map_err(|_| EndpointError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(EndpointError::NotAUrl);
        }
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(EndpointError::Extra);
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path).to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_in_any_usual_form_gives_the_same_calls() {
        for (base, expected) in [
            (Endpoint::US, "https://api.segment.io/v1/batch"),
            (Endpoint::EU, "https://events.eu1.segmentapis.com/v1/batch"),
            ("https://api.segment.io/", "https://api.segment.io/v1/batch"),
            ("https://api.segment.io/v1", "https://api.segment.io/v1/batch"),
            ("https://api.segment.io/v1/", "https://api.segment.io/v1/batch"),
            ("http://127.0.0.1:3000/stand-in", "http://127.0.0.1:3000/stand-in/v1/batch"),
        ] {
            assert_eq!(base.parse::<Endpoint>().unwrap().call("batch").as_str(), expected, "{base}");
        }
    }

    #[test]
    fn an_invalid_base_url_is_refused() {
        for (base, expected) in [
            ("", EndpointError::NotAUrl),
            ("api.segment.io", EndpointError::NotAUrl),
            ("ftp://api.segment.io", EndpointError::NotAUrl),
            ("https://api.segment.io?x=1", EndpointError::Extra),
            ("https://key:@api.segment.io", EndpointError::Extra),
        ] {
            assert_eq!(base.parse::<Endpoint>(), Err(expected), "{base}");
        }
    }
}
