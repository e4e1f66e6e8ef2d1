//! Segment's hosts: the region of each, and whether it takes messages.

use reqwest::Url;

/// The region of a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// The United States.
    Us,
    /// The European Union.
    Eu,
}

impl Region {
    /// Returns its name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Us => "the United States",
            Self::Eu => "Europe",
        }
    }
}

/// The role of a host at Segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// It takes messages.
    Messages(Region),
    /// It is the Public API. It takes no messages.
    PublicApi(Region),
    /// It is another host of Segment.
    OtherOfSegment,
    /// It is not Segment's.
    Foreign,
}

/// Returns the role of the URL's host.
pub fn host(url: &Url) -> Host {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let of = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
    match host {
        "api.segment.io" => Host::Messages(Region::Us),
        "events.eu1.segmentapis.com" => Host::Messages(Region::Eu),
        "api.segmentapis.com" => Host::PublicApi(Region::Us),
        "eu1.api.segmentapis.com" => Host::PublicApi(Region::Eu),
        _ if of("segment.io") || of("segment.com") || of("segmentapis.com") => Host::OtherOfSegment,
        _ => Host::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_of_segment_is_recognized() {
        for (url, expected) in [
            ("https://api.segment.io", Host::Messages(Region::Us)),
            ("https://api.segment.io./v1", Host::Messages(Region::Us)),
            ("https://events.eu1.segmentapis.com", Host::Messages(Region::Eu)),
            ("https://api.segmentapis.com", Host::PublicApi(Region::Us)),
            ("https://eu1.api.segmentapis.com", Host::PublicApi(Region::Eu)),
            ("https://app.segment.com", Host::OtherOfSegment),
            ("https://cdn.segment.com/v1", Host::OtherOfSegment),
            ("https://segment.io", Host::OtherOfSegment),
            ("https://events.segmentapis.com", Host::OtherOfSegment),
            ("https://notsegment.io", Host::Foreign),
            ("http://127.0.0.1:4010", Host::Foreign),
        ] {
            assert_eq!(host(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
