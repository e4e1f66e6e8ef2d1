use super::*;
use crate::doctor::finding::Status;

#[test]
fn an_endpoint_that_cannot_be_right_is_found_before_anything_is_called() {
    for (url, found, fix) in [
        (
            "https://api.segmentapis.com",
            "is Segment's Public API",
            "set SEGMENT_ENDPOINT to https://api.segment.io",
        ),
        (
            "https://eu1.api.segmentapis.com",
            "is Segment's Public API",
            "set SEGMENT_ENDPOINT to https://events.eu1.segmentapis.com",
        ),
        ("https://app.segment.com/workspace", "does not take messages", "for workspaces in Europe"),
        ("http://api.segment.io", "is not encrypted", "begin SEGMENT_ENDPOINT with https://"),
        ("https://api.segment.io/v1/track", "has the path /v1/track", "Segue adds /v1 and the call"),
    ] {
        let finding = obvious_mistake(&url.parse().unwrap()).unwrap();
        assert!(
            finding.found.contains(found) && finding.fix.unwrap().contains(fix),
            "{url}: {}",
            finding.found
        );
    }
    for url in ["https://api.segment.io/", "https://events.eu1.segmentapis.com", "http://127.0.0.1:1/x"] {
        assert_eq!(obvious_mistake(&url.parse().unwrap()), None, "{url}");
    }
}

#[test]
fn an_answer_names_the_region() {
    for (url, status, expected) in [
        ("https://api.segment.io", 404, "It is for workspaces in the United States"),
        ("https://events.eu1.segmentapis.com", 200, "It is for workspaces in Europe"),
        ("https://relay.example", 405, "It is not Segment's"),
        ("https://api.segment.io", 503, "answers 503; messages wait"),
        ("https://api.segment.io", 301, "a redirect; Segue follows none"),
    ] {
        let finding = assess(&url.parse().unwrap(), status);
        assert!(finding.found.contains(expected), "{}", finding.found);
    }
}

#[test]
fn only_an_endpoint_on_this_machine_may_be_unencrypted() {
    for (url, expected) in
        [("http://relay.example", true), ("https://relay.example", false), ("http://[::1]:9", false)]
    {
        assert_eq!(unencrypted(&url.parse().unwrap()).is_some(), expected, "{url}");
    }
}

#[test]
fn a_clock_is_right_within_half_a_minute_and_useless_after_five() {
    for (skew, expected) in [
        (Some(0), Status::Ok),
        (Some(-30), Status::Ok),
        (Some(31), Status::Warning),
        (Some(-300), Status::Warning),
        (Some(301), Status::Problem),
        (Some(i64::MIN), Status::Problem),
        (None, Status::Skipped),
    ] {
        assert_eq!(clock(skew).status, expected, "{skew:?}");
    }
    assert!(clock(Some(40)).found.contains("40 s behind"));
    assert!(clock(Some(-40)).found.contains("40 s ahead"));
}
