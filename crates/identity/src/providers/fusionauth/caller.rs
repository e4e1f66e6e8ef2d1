//! The caller of FusionAuth: the person, or a server or an administrator. `event.info` describes the caller.
//! For a user that a server creates, it holds the server's address and user agent, which must not be taken
//! for the person's. FusionAuth does not say whether a browser was the person's or an administrator's, so
//! only sign-ups and logins count.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::{members::text, providers::shared::is_library};

/// Every field that the context of a message can have.
pub(super) const CONTEXT: &[&str] = &[
    "active",
    "ip",
    "userAgent",
    "deviceName",
    "deviceType",
    "device.name",
    "device.type",
    "os.name",
    "location.city",
    "location.region",
    "location.country",
    "location.zipcode",
    "location.latitude",
    "location.longitude",
    "location.displayString",
];

/// Returns the context of a message: the person's device if it is known, and nothing about a server.
pub(super) fn context(event: &Map<String, Value>) -> Map<String, Value> {
    let mut context = Map::new();
    let none = Map::new();
    let info = event.get("info").and_then(Value::as_object).unwrap_or(&none);
    if is_server(event, info) || is_one_of(event, &BY_OTHERS) {
        // In Segment, `active: false` means "update the traits, but this person was not here".
        context.insert("active".to_owned(), false.into());
    } else if is_one_of(event, &LOGINS) || is_one_of(event, &SIGN_UPS) && is_described(info) {
        describe_person(event, info, &mut context);
    }
    context
}

/// Logins, and other proofs that only the person can give.
const LOGINS: [&str; 5] = [
    "user.login.success",
    "user.login.new-device",
    "user.login.suspicious",
    "user.password.reset.success",
    "user.two-factor.success",
];

/// Events that persons and servers cause. A user that an administrator creates in FusionAuth's pages looks
/// the same as one who signs up.
const SIGN_UPS: [&str; 4] =
    ["user.create", "user.create.complete", "user.registration.create", "user.registration.create.complete"];

/// Whether there is more than an address, which may be a server's.
fn is_described(info: &Map<String, Value>) -> bool {
    text(info, "userAgent").is_some() || text(info, "deviceType").is_some()
}

/// Events that persons never cause themselves.
const BY_OTHERS: [&str; 3] = ["user.bulk.create", "user.deactivate", "user.reactivate"];

fn is_one_of(event: &Map<String, Value>, types: &[&str]) -> bool {
    text(event, "type").is_some_and(|name| types.contains(&name))
}

fn describe_person(event: &Map<String, Value>, info: &Map<String, Value>, context: &mut Map<String, Value>) {
    // `event.ipAddress` is the deprecated place, which FusionAuth still fills.
    let ip = text(info, "ipAddress").or_else(|| text(event, "ipAddress"));
    // A loopback address belongs to FusionAuth's own machine.
    if let Some(ip) = ip.filter(|ip| !ip.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())) {
        context.insert("ip".to_owned(), ip.into());
    }
    for name in ["userAgent", "deviceName", "deviceType"] {
        if let Some(value) = text(info, name) {
            context.insert(name.to_owned(), value.into());
        }
    }
    let device: Map<String, Value> = [("name", "deviceName"), ("type", "deviceType")]
        .into_iter()
        .filter_map(|(to, from)| Some((to.to_owned(), text(info, from)?.into())))
        .collect();
    if !device.is_empty() {
        context.insert("device".to_owned(), device.into());
    }
    if let Some(os) = text(info, "os") {
        context.insert("os".to_owned(), json!({"name": os}));
    }
    if let Some(Value::Object(location)) = info.get("location") {
        let texts = LOCATION.iter().filter(|name| text(location, name).is_some());
        let numbers = COORDINATES.iter().filter(|name| location.get(**name).is_some_and(Value::is_number));
        let known = texts.chain(numbers).map(|name| ((*name).to_owned(), location[*name].clone()));
        let location: Map<String, Value> = known.collect();
        if !location.is_empty() {
            context.insert("location".to_owned(), location.into());
        }
    }
}

const LOCATION: [&str; 5] = ["city", "region", "country", "zipcode", "displayString"];

const COORDINATES: [&str; 2] = ["latitude", "longitude"];

fn is_server(event: &Map<String, Value>, info: &Map<String, Value>) -> bool {
    // The device type that the caller states takes precedence over its user agent: an app may use okhttp.
    match text(info, "deviceType") {
        Some("SERVER") => return true,
        Some("BROWSER" | "DESKTOP" | "LAPTOP" | "MOBILE" | "TABLET" | "TV") => return false,
        _ => {}
    }
    let user_agent = text(info, "userAgent").unwrap_or_default();
    if is_library(user_agent) {
        return true;
    }
    // Logins that come with a user created through the API. FusionAuth's own sign-up page shows a browser.
    let made_by_api = matches!(text(event, "authenticationType"), Some("USER_CREATE" | "REGISTRATION"));
    made_by_api && !user_agent.trim().to_ascii_lowercase().starts_with("mozilla/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(event: &Value) -> bool {
        is_server(event.as_object().unwrap(), event["info"].as_object().unwrap_or(&Map::new()))
    }

    #[test]
    fn a_server_is_distinguished_from_a_person() {
        for (event, expected) in [
            (json!({"info": {"userAgent": "Restify (https://github.com/inversoft/restify)"}}), true),
            (json!({"info": {"userAgent": "fusionauth-python-client"}}), true),
            (json!({"info": {"userAgent": "Java/17.0.2"}}), true),
            (json!({"info": {"userAgent": "python-requests/2.32"}}), true),
            (json!({"info": {"userAgent": "node-fetch/1.0"}}), true),
            (json!({"info": {"userAgent": "node"}}), true),
            (json!({"info": {"userAgent": "Go-http-client/2.0"}}), true),
            (json!({"info": {"userAgent": "curl/8.5.0"}}), true),
            (json!({"info": {"userAgent": "okhttp/4.12"}}), true),
            (json!({"info": {"userAgent": "okhttp/4.12", "deviceType": "MOBILE"}}), false),
            (json!({"info": {"userAgent": "Mozilla/5.0", "deviceType": "SERVER"}}), true),
            (json!({"info": {"userAgent": "Mozilla/5.0 (X11)"}}), false),
            (json!({"info": {"userAgent": "Mozilla/5.0 (X11)", "deviceType": "UNKNOWN"}}), false),
            (json!({"info": {"userAgent": "ShopApp/3.1 (iOS 19)"}}), false),
            (json!({"info": {}, "authenticationType": "USER_CREATE"}), true),
            (json!({"authenticationType": "REGISTRATION"}), true),
            (json!({"info": {"userAgent": "Mozilla/5.0"}, "authenticationType": "REGISTRATION"}), false),
            (json!({"authenticationType": "PASSWORD"}), false),
            (json!({}), false),
        ] {
            assert_eq!(server(&event), expected, "{event}");
        }
    }

    #[test]
    fn a_browser_counts_only_where_it_must_be_the_persons() {
        let of = |event_type: &str| {
            let info = json!({"ipAddress": "203.0.113.7", "userAgent": "Mozilla/5.0 (X11)"});
            let event = json!({"type": event_type, "info": info});
            Value::Object(context(event.as_object().unwrap()))
        };
        let (present, inactive) =
            (json!({"ip": "203.0.113.7", "userAgent": "Mozilla/5.0 (X11)"}), json!({"active": false}));
        for (event_type, expected) in [
            ("user.create.complete", &present),
            ("user.registration.create.complete", &present),
            ("user.login.success", &present),
            ("user.update.complete", &json!({})),
            ("user.email.update", &json!({})),
            ("user.email.verified", &json!({})),
            ("user.registration.update.complete", &json!({})),
            ("user.login.failed", &json!({})),
            ("group.member.add.complete", &json!({})),
            ("user.bulk.create", &inactive),
            ("user.reactivate", &inactive),
        ] {
            assert_eq!(&of(event_type), expected, "{event_type}");
        }
    }

    #[test]
    fn the_address_is_the_persons_or_missing() {
        for (event, expected) in [
            (json!({"info": {"ipAddress": "203.0.113.7"}, "ipAddress": "203.0.113.8"}), Some("203.0.113.7")),
            (json!({"ipAddress": "2001:db8::1"}), Some("2001:db8::1")),
            (json!({"info": {"ipAddress": "127.0.0.1"}}), None),
            (json!({"info": {"ipAddress": "::1"}}), None),
            (json!({"info": {"ipAddress": 7}}), None),
            (json!({"info": "x"}), None),
        ] {
            let mut event = event;
            event["type"] = json!("user.login.success");
            let context = context(event.as_object().unwrap());
            assert_eq!(context.get("ip").and_then(Value::as_str), expected, "{event}");
        }
    }
}
