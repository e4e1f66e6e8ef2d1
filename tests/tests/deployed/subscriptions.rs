//! The filters of the topic's subscriptions.

use end_to_end::template::properties;
use platform::topic::{Attributes, for_regulations, for_segment, for_warehouse, for_webhooks};
use serde_json::{Value, json};

/// The local program uses the same rules.
#[test]
fn subscriptions_want_the_right_messages() {
    for (attributes, segment, webhooks, warehouse, regulations) in [
        (json!({"type": "identify"}), true, true, true, false),
        (json!({"type": "track", "writeKey": "shop"}), true, true, true, false),
        (json!({"type": "page"}), true, true, true, false),
        (json!({"type": "screen"}), true, true, true, false),
        (json!({"type": "group"}), true, true, true, false),
        (json!({"type": "alias"}), true, true, true, false),
        (json!({"type": "delete"}), false, true, true, true),
        (json!({"type": "track", "notFor": "segment"}), false, true, true, false),
        (json!({"type": "delete", "notFor": "segment"}), false, true, true, false),
        (json!({"type": "track", "notFor": "webhooks"}), true, false, true, false),
        (json!({"type": "delete", "notFor": "webhooks"}), false, false, true, true),
        (json!({"type": "track", "notFor": "warehouse"}), true, true, false, false),
        (json!({"type": "track", "notFor": "segment,webhooks"}), false, false, true, false),
        (json!({"type": "track", "notFor": "segment,warehouse"}), false, true, false, false),
        (json!({"type": "track", "notFor": "warehouse,webhooks"}), true, false, false, false),
        (json!({"type": "delete", "notFor": "segment,warehouse,webhooks"}), false, false, false, false),
        (json!({"writeKey": "shop"}), false, true, true, false),
        (json!({}), false, true, true, false),
    ] {
        assert_eq!(wants("SegmentSubscription", &attributes), segment, "{attributes}");
        assert_eq!(wants("WebhookSubscription", &attributes), webhooks, "{attributes}");
        assert_eq!(wants("WarehouseSubscription", &attributes), warehouse, "{attributes}");
        assert_eq!(wants("RegulationSubscription", &attributes), regulations, "{attributes}");
        let local: Attributes = serde_json::from_value(attributes.clone()).unwrap();
        let wanted =
            [for_segment(&local), for_webhooks(&local), for_warehouse(&local), for_regulations(&local)];
        assert_eq!(wanted, [segment, webhooks, warehouse, regulations], "{attributes}");
    }
}

/// Whether a subscription wants a message with these attributes (SNS developer guide, "Filter policies":
/// every attribute in the policy must match one of its conditions; a text is matched exactly).
fn wants(subscription: &str, attributes: &Value) -> bool {
    let properties = properties(subscription);
    assert_eq!(properties["FilterPolicyScope"], "MessageAttributes");
    properties["FilterPolicy"].as_object().unwrap().iter().all(|(name, conditions)| {
        let value = attributes.get(name);
        let mut conditions = conditions.as_array().unwrap().iter();
        conditions.any(|condition| match condition {
            Value::String(_) => value == Some(condition),
            _ => match condition.as_object().unwrap().iter().next().unwrap() {
                (kind, exists) if kind == "exists" => value.is_some() == exists.as_bool().unwrap(),
                (kind, others) if kind == "anything-but" => {
                    value.is_some_and(|value| !others.as_array().unwrap().contains(value))
                }
                (kind, _) => panic!("{kind} is not known here"),
            },
        })
    })
}
