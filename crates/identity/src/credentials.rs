//! Finds credentials in free-form data. It drops too much rather than too little: a lost trait is a nuisance,
//! a leaked password is not. It looks only at the key, because no value is certain to be harmless.

use serde_json::{Map, Value};

/// A key that contains one of these, ignoring case and punctuation, names a credential.
const ANYWHERE: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "sharedkey",
    "sshkey",
    "recoverycode",
    "backupcode",
    "onetimecode",
    "mfacode",
    "securitycode",
    "securityanswer",
    "verificationcode",
    "authorization",
    "cookie",
    "sessionid",
    "seedphrase",
    "mnemonic",
    "cardnumber",
];

/// A key that begins or ends with one of these names a credential.
const AT_AN_END: &[&str] = &["pwd", "otp", "jwt", "cvv", "cvc"];

/// A key that equals one of these names a credential. As parts of words they are too common.
const ALONE: &[&str] = &[
    "pass",
    "userpass",
    "pw",
    "pin",
    "pincode",
    "pinnumber",
    "userpin",
    "cardpin",
    "salt",
    "hashsalt",
    "factor",
    "bearer",
    "csc",
    "cvv2",
    "cvc2",
    "sid",
    "encryptionscheme",
];

/// A key with one of these endings describes a credential but does not hold one: `passwordChangeRequired`,
/// `tokensUsed`.
const ABOUT: &[&str] = &[
    "required",
    "reason",
    "instant",
    "count",
    "used",
    "expired",
    "enabled",
    "accepted",
    "consent",
    "status",
    "changedat",
    "createdat",
    "updatedat",
    "expiresat",
    "issuedat",
];

/// Removes every member whose key names a credential, at any depth.
///
/// ```
/// let mut data = serde_json::json!({"plan": "pro", "sso": [{"Refresh-Token": "x", "idp": "corp"}]});
/// identity::credentials::strip(&mut data);
/// assert_eq!(data, serde_json::json!({"plan": "pro", "sso": [{"idp": "corp"}]}));
/// ```
pub fn strip(value: &mut Value) {
    match value {
        Value::Object(object) => strip_object(object),
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

fn strip_object(object: &mut Map<String, Value>) {
    object.retain(|key, value| !is_credential(key, value));
    if names_a_credential(object) {
        object.retain(|key, _| !VALUES.iter().any(|value| key.eq_ignore_ascii_case(value)));
    }
    object.values_mut().for_each(strip);
}

/// Returns the paths of credentials in a value named `name`: the ones that [`strip`] removes.
pub fn paths_in(value: &Value, name: &str) -> Vec<String> {
    let mut stripped = value.clone();
    strip(&mut stripped);
    let mut paths = Vec::new();
    collect_removed(value, &stripped, name, &mut paths);
    paths
}

fn collect_removed(before: &Value, after: &Value, at: &str, paths: &mut Vec<String>) {
    let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, value) in before {
                match after.get(name) {
                    Some(left) => collect_removed(value, left, &below(name), paths),
                    None => paths.push(below(name)),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            let pairs = before.iter().zip(after).enumerate();
            pairs.for_each(|(index, (value, left))| {
                collect_removed(value, left, &below(&index.to_string()), paths);
            });
        }
        _ => {}
    }
}

/// Members that name the meaning of another member, and that other member: `{"name": "password", "value":
/// "…"}`.
const NAMES: [&str; 5] = ["name", "key", "field", "attribute", "label"];
const VALUES: [&str; 3] = ["value", "values", "val"];

fn names_a_credential(object: &Map<String, Value>) -> bool {
    object.iter().any(|(key, name)| {
        NAMES.iter().any(|known| key.eq_ignore_ascii_case(known))
            && name.as_str().is_some_and(|text| is_credential(text, name))
    })
}

/// Whether a member holds a credential, judged by its key. A boolean never does. A plain value does not if
/// its key describes a credential.
pub fn is_credential(key: &str, value: &Value) -> bool {
    if value.is_boolean() || value.is_null() {
        return false;
    }
    let mut name = String::with_capacity(key.len());
    name.extend(key.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase));
    // A secretary is a person.
    if name.contains("secretar") {
        name = name.replace("secretar", "");
    }
    let plain = !value.is_object() && !value.is_array();
    if plain && ABOUT.iter().any(|end| name.ends_with(end)) {
        return false;
    }
    ALONE.contains(&name.as_str())
        || AT_AN_END.iter().any(|part| name.starts_with(part) || name.ends_with(part))
        || ANYWHERE.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn credentials_are_known_in_every_spelling() {
        for key in [
            "password",
            "Password",
            "PASS_WORD",
            "passwd",
            "pwd",
            "userPwd",
            "pass",
            "passphrase",
            "passwordHash",
            "newPassword",
            "secret",
            "clientSecret",
            "client_secret",
            "CLIENT-SECRET",
            "token",
            "tokens",
            "accessToken",
            "access_token",
            "refresh-token",
            "id_token",
            "x-auth-token",
            "sessionToken",
            "authenticationToken",
            "apiKey",
            "api_key",
            "X-API-Key",
            "apikeys",
            "authorization",
            "recoveryCodes",
            "backup_codes",
            "otp",
            "otpCode",
            "smsOtp",
            "oneTimeCode",
            "oneTimePassword",
            "salt",
            "factor",
            "privateKey",
            "private_key_pem",
            "cookie",
            "set-cookie",
            "pin",
            "PIN",
            "mfaSecret",
            "mfa.code",
            "cvv",
            "card_cvv",
            "cvc",
            "cardNumber",
            "jwt",
            "credentials",
            "bearer",
            "sessionId",
            "security answer",
            "tökén_token",
        ] {
            assert!(is_credential(key, &json!("x")), "{key}");
        }
    }

    #[test]
    fn keys_that_only_describe_credentials_stay() {
        for (key, value) in [
            ("passwordChangeRequired", json!(true)),
            ("passwordLastUpdateInstant", json!(1_700_000_000_000_i64)),
            ("passwordChangeReason", json!("Expired")),
            ("tokensUsed", json!(12)),
            ("token_count", json!(12)),
            ("hasPassword", json!(true)),
            ("mfaEnabled", json!(true)),
            ("cookieConsent", json!("all")),
            ("secretary", json!("Ada")),
            ("secretaryName", json!("Ada")),
            ("footprint", json!(3)),
            ("shopping", json!("weekly")),
            ("passenger", json!(2)),
            ("compass", json!("N")),
            ("basalt", json!("rock")),
            ("spin", json!(1)),
            ("key", json!("k")),
            ("email", json!("a@example.com")),
        ] {
            assert!(!is_credential(key, &value), "{key}");
        }
    }

    #[test]
    fn a_value_beside_the_name_of_a_credential_goes() {
        let mut value = json!([
            {"name": "password", "value": "x"},
            {"Key": "Refresh-Token", "Value": {"a": 1}, "scope": "all"},
            {"name": "plan", "value": "pro"},
            {"name": "Otto Passmore", "value": 1},
        ]);
        strip(&mut value);
        let expected = json!([
            {"name": "password"},
            {"Key": "Refresh-Token", "scope": "all"},
            {"name": "plan", "value": "pro"},
            {"name": "Otto Passmore", "value": 1},
        ]);
        assert_eq!(value, expected);
    }

    #[test]
    fn removed_paths_can_be_listed() {
        let value = json!({"a": [{"pin": 1, "b": 2}], "apiKey": {"x": 1}, "kept": {"otp": null}});
        assert_eq!(paths_in(&value, ""), ["a.0.pin", "apiKey"]);
        assert_eq!(paths_in(&json!([{"pwd": "x"}]), "data"), ["data.0.pwd"]);
    }

    #[test]
    fn a_container_under_a_credential_key_goes_whole() {
        let mut value = json!({"tokensUsed": {"google": "ya29"}, "a": [[{"pin": 1, "b": {"pwd": "x"}}]]});
        strip(&mut value);
        assert_eq!(value, json!({"a": [[{"b": {}}]]}));
    }
}
