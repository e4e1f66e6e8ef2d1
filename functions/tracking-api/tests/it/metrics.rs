//! The recorded metrics of a request.

use serde_json::json;
use testkit::topic::Fault;
use testkit::{record, recorded};

use crate::support::{Api, keyless, request, track};

#[tokio::test(start_paused = true)]
async fn each_request_is_recorded_by_its_result() {
    let message = track("1").to_string();
    let batch = json!({"batch": [track("1"), {"type": "track", "userId": "u"}, track("2")]}).to_string();
    let accepted = |count| json!({"Accepted": count, "kind": "track"});
    let rejected = |reason| json!({"Rejected": 1, "Reason": reason});
    for (api, request, expected) in [
        (Api::new(), request("/v1/track", message.clone()), vec![accepted(1)]),
        (Api::new(), request("/v1/batch", batch), vec![accepted(2), rejected("invalid")]),
        (Api::new(), keyless("/v1/track", message.clone()), vec![rejected("not_authentic")]),
        (Api::new(), request("/v1/track", "not json"), vec![rejected("malformed")]),
        (Api::new(), request("/v1/batch", "\u{1f}\u{fffd}\u{8}"), vec![rejected("damaged_gzip")]),
        (Api::with_secret(None), request("/v1/track", message.clone()), vec![rejected("not_checked")]),
        (
            Api::with_secret(Some("{}")),
            request("/v1/track", message.clone()),
            vec![rejected("not_authentic")],
        ),
        (
            Api::with_fault(Fault::Refuses),
            request("/v1/track", message.clone()),
            vec![rejected("not_stored")],
        ),
        (Api::with_fault(Fault::Hangs), request("/v1/track", message), vec![rejected("not_stored")]),
    ] {
        record();
        api.respond(request).await;
        assert_eq!(recorded(), expected);
    }
}
