//! The fields of a batch that apply to all of its messages.

use serde_json::{Map, Value};

/// The fields of a batch. A message's own fields take precedence.
#[derive(Debug, Default)]
pub(crate) struct BatchFields {
    /// Merged into each message's context.
    pub context: Map<String, Value>,
    /// Merged into each message's integrations.
    pub integrations: Map<String, Value>,
    /// The time at which the batch was sent, by the sender's clock.
    pub sent_at: Option<Value>,
}

impl BatchFields {
    /// Merges context and integrations into those of a message.
    pub fn apply(&self, message: &mut Map<String, Value>) {
        for (field, shared) in [("context", &self.context), ("integrations", &self.integrations)] {
            if shared.is_empty() {
                continue;
            }
            match message.get_mut(field) {
                Some(Value::Object(own)) => merge_under(own, shared),
                None | Some(Value::Null) => {
                    message.insert(field.to_owned(), Value::Object(shared.clone()));
                }
                // The check refuses this value with the field's name.
                Some(_) => {}
            }
        }
    }
}

/// Adds the values that `own` lacks, at every depth. If both have a value, `own` wins. The parser's limit on
/// nesting bounds the recursion.
fn merge_under(own: &mut Map<String, Value>, shared: &Map<String, Value>) {
    for (field, value) in shared {
        match (own.get_mut(field), value) {
            (Some(Value::Object(own)), Value::Object(shared)) => merge_under(own, shared),
            (Some(_), _) => {}
            (None, _) => {
                own.insert(field.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use segment::json;

    use super::*;

    #[test]
    fn a_message_wins_over_its_batch_at_every_depth() {
        let object = |text: &str| json::parse_object(text.as_bytes()).unwrap();
        let shared = BatchFields {
            context: object(
                r#"{"ip":"192.0.2.1","app":{"name":"a","build":{"n":1.0,"m":2}},"os":{"name":"x"}}"#,
            ),
            integrations: object(r#"{"All":false,"Webhooks":{"path":"/a"}}"#),
            sent_at: None,
        };
        let whole = r#"{"ip":"192.0.2.1","app":{"name":"a","build":{"n":1.0,"m":2}},"os":{"name":"x"}}"#;
        for (own, context, integrations) in [
            (r#"{}"#, whole, r#"{"All":false,"Webhooks":{"path":"/a"}}"#),
            (r#"{"context":null,"integrations":{}}"#, whole, r#"{"All":false,"Webhooks":{"path":"/a"}}"#),
            (
                r#"{"context":{"app":{"build":{"n":9.50}},"os":"y","ip":null},"integrations":{"Webhooks":true}}"#,
                r#"{"app":{"build":{"n":9.50,"m":2},"name":"a"},"os":"y","ip":null}"#,
                r#"{"Webhooks":true,"All":false}"#,
            ),
            (r#"{"context":"c","integrations":[]}"#, r#""c""#, "[]"),
        ] {
            let mut message = object(own);
            shared.apply(&mut message);
            assert_eq!(message["context"].to_string(), context, "{own}");
            assert_eq!(message["integrations"].to_string(), integrations, "{own}");
        }
    }

    #[test]
    fn without_shared_fields_nothing_is_added() {
        let mut message = Map::new();
        BatchFields::default().apply(&mut message);
        assert!(message.is_empty());
    }
}
