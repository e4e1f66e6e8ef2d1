//! The address of Segment's Public API.

use std::{fmt, str::FromStr};

use reqwest::Url;

use crate::Endpoint;

/// The base URL of Segment's Public API: `https://api.segmentapis.com` (US),
/// `https://eu1.api.segmentapis.com` (EU), or any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicApi(Url);

/// Why a text is not a valid Public API address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicApiError {
    /// The text is not a base URL.
    #[error(
        "the Public API endpoint must be an http or https URL such as https://api.segmentapis.com, without query, \
         fragment, user name or password"
    )]
    NotABaseUrl,
    /// The text is one of the hosts that take messages, not the Public API.
    #[error(
        "this host takes messages and no regulations; the Public API is at https://api.segmentapis.com, or at \
         https://eu1.api.segmentapis.com for workspaces in Europe"
    )]
    TakesMessages,
}

impl PublicApi {
    /// The address for workspaces in the United States.
    pub const US: &str = "https://api.segmentapis.com";

    /// The address for workspaces in the European Union.
    pub const EU: &str = "https://eu1.api.segmentapis.com";

    pub(super) fn root(&self) -> Url {
        self.0.clone()
    }

    /// Returns the URL of a call, such as `regulations`.
    pub(super) fn call(&self, name: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{name}", url.path().trim_end_matches('/')));
        url
    }
}

impl FromStr for PublicApi {
    type Err = PublicApiError;

    fn from_str(text: &str) -> Result<Self, PublicApiError> {
        let url = text.parse::<Endpoint>().map_err(|_| PublicApiError::NotABaseUrl)?.root();
        let hosts = [Endpoint::US, Endpoint::EU].map(|one| one.trim_start_matches("https://"));
        match url.host_str() {
            Some(host) if hosts.contains(&host) => Err(PublicApiError::TakesMessages),
            _ => Ok(Self(url)),
        }
    }
}

impl fmt::Display for PublicApi {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_in_any_usual_form_gives_the_same_call() {
        for (base, expected) in [
            (PublicApi::US, "https://api.segmentapis.com/regulations"),
            (PublicApi::EU, "https://eu1.api.segmentapis.com/regulations"),
            ("https://api.segmentapis.com/", "https://api.segmentapis.com/regulations"),
            ("http://127.0.0.1:4010/public", "http://127.0.0.1:4010/public/regulations"),
        ] {
            assert_eq!(base.parse::<PublicApi>().unwrap().call("regulations").as_str(), expected, "{base}");
        }
    }

    #[test]
    fn an_invalid_public_api_is_refused() {
        for (base, expected) in [
            ("", PublicApiError::NotABaseUrl),
            ("api.segmentapis.com", PublicApiError::NotABaseUrl),
            ("https://token@api.segmentapis.com", PublicApiError::NotABaseUrl),
            (Endpoint::US, PublicApiError::TakesMessages),
            ("https://events.eu1.segmentapis.com/v1", PublicApiError::TakesMessages),
        ] {
            assert_eq!(base.parse::<PublicApi>(), Err(expected), "{base}");
        }
    }
}
