//! The permissions in the template's policies, and which of them were needed.

use std::{collections::BTreeSet, sync::Mutex};

use serde_json::Value;

/// Needed beside `secretsmanager:GetSecretValue` for a secret that is encrypted with the user's own key.
pub(crate) const DECRYPT: &str = "kms:Decrypt";

/// One permission of a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Permission {
    role: String,
    action: String,
    resource: String,
}

/// The permissions of all roles.
#[derive(Default)]
pub(crate) struct Policies {
    granted: Vec<Permission>,
    used: Mutex<BTreeSet<Permission>>,
    denied: Mutex<BTreeSet<String>>,
}

impl Policies {
    /// Grants the permissions in a resolved statement of a role's policy.
    ///
    /// # Errors
    /// When the statement has a part that is not supported here.
    pub(crate) fn grant(&mut self, role: &str, statement: &Value) -> Result<(), String> {
        let members = statement.as_object().ok_or("a statement that is no object")?;
        let decrypts = statement["Action"] == DECRYPT;
        let condition = &statement["Condition"]["StringEquals"];
        let resource = match decrypts {
            // A key serves many secrets. The condition names the secret that may be decrypted and the calling
            // service.
            true if text(&condition["kms:ViaService"]).starts_with("secretsmanager.") => {
                &condition["kms:EncryptionContext:SecretARN"]
            }
            true => return Err(format!("{role} may decrypt anything")),
            false => &statement["Resource"],
        };
        for (name, value) in members {
            match name.as_str() {
                "Action" | "Resource" | "Sid" => {}
                "Condition" if decrypts => {}
                "Effect" if value == "Allow" => {}
                other => return Err(format!("{role}: {other} is not known in a statement here")),
            }
        }
        for action in texts(&statement["Action"]) {
            for resource in texts(resource) {
                let (action, resource) = (action.to_owned(), resource.to_owned());
                self.granted.push(Permission { role: role.to_owned(), action, resource });
            }
        }
        Ok(())
    }

    /// Whether the role has the permission. Records the answer.
    pub(crate) fn allows(&self, role: &str, action: &str, resource: &str) -> bool {
        let matching = self.granted.iter().filter(|permission| {
            permission.role == role
                && matches(&permission.action, action)
                && matches(&permission.resource, resource)
        });
        let matching: Vec<Permission> = matching.cloned().collect();
        if matching.is_empty() {
            let denied = format!("{role} does not allow {action} on {resource}");
            self.denied.lock().unwrap().insert(denied);
        }
        let allowed = !matching.is_empty();
        self.used.lock().unwrap().extend(matching);
        allowed
    }

    /// Returns the requested permissions that no policy allows.
    pub(crate) fn denied(&self) -> Vec<String> {
        self.denied.lock().unwrap().iter().cloned().collect()
    }

    /// Returns the allowed permissions that were not needed.
    pub(crate) fn unneeded(&self) -> Vec<String> {
        let used = self.used.lock().unwrap();
        let unneeded = self.granted.iter().filter(|permission| !used.contains(*permission));
        unneeded
            .map(|Permission { role, action, resource }| format!("{role} allows {action} on {resource}"))
            .collect()
    }
}

/// Whether a queue's policy accepts the topic's messages.
pub(crate) fn lets_in(policy: &Value, queue: &str, topic: &str) -> bool {
    let mut statements = policy["Statement"].as_array().into_iter().flatten();
    statements.any(|statement| {
        let source = &statement["Condition"]["ArnEquals"]["aws:SourceArn"];
        statement["Effect"] == "Allow"
            && statement["Principal"]["Service"] == "sns.amazonaws.com"
            && texts(&statement["Action"]).any(|action| matches(action, "sqs:SendMessage"))
            && texts(&statement["Resource"]).any(|resource| matches(resource, queue))
            && texts(source).any(|arn| arn == topic)
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns a text, or each text of a list.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter().filter_map(Value::as_str)
}

/// Whether the text matches the pattern, in which `*` stands for any text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).any(|end| rest.is_char_boundary(end) && matches(tail, &rest[end..]))
        }),
    }
}
