//! Reads the identity secret without serde, because serde's errors quote the faulty value, and here every
//! value is a secret. Reports all problems together, each with its path.

use std::net::IpAddr;

use http::HeaderName;
use identity::{HashKey, Providers, SecretForm, Signature};
use jsonwebtoken::DecodingKey;
use reqwest::Url;
use segment::{Secret, json};
use serde_json::{Map, Value};
use settings::nearest;

use super::{
    body_hash::SignatureKeys,
    crypto,
    headers::StaticHeader,
    hmac,
    keys::PublicKey,
    requirements::{Authentication, Requirements},
};

/// The most values at a time. With two, the old and the new one are valid while the sender changes over.
const MAX_ALTERNATIVES: usize = 2;

type Problems = Vec<String>;

impl Authentication {
    /// The end of the problem with a member whose name is not near any known one.
    pub const NEEDS_ITS_FILE: &str = "A provider of your own needs its file";

    /// Reads the identity secret, such as `{"fusionauth":{"signingSecrets":["…"]}}`. The error lists every
    /// problem, one a line, and quotes no value.
    pub fn parse(text: &str, providers: &Providers) -> Result<Self, String> {
        parse(text, providers).map_err(|problems| problems.join("\n"))
    }
}

fn parse(text: &str, known: &Providers) -> Result<Authentication, Problems> {
    crypto::install();
    let document = json::parse_object(text.as_bytes()).map_err(|error| vec![error.to_string()])?;
    let mut problems = Problems::new();
    // In JSON the last one wins, and its proof may be weaker.
    for name in json::repeated_names(text) {
        if members(known).contains(&&*name) {
            problems.push(format!("{name}: occurs twice; put all of it into one"));
        }
    }
    let mut authentication = Authentication { providers: [].into(), hash_key: None, known: known.clone() };
    for (name, value) in &document {
        if name == HashKey::MEMBER {
            match HashKey::read(value) {
                Ok(key) => authentication.hash_key = Some(key),
                Err(problem) => problems.push(format!("{name}: {problem}")),
            }
            continue;
        }
        let Some(provider) = known.with_secret_member(name) else {
            let problem = nearest::unknown_member(name, document.keys(), &members(known));
            // The name may be that of a provider of the user's own.
            problems.push(match problem.contains("did you mean") {
                true => problem,
                false => format!("{problem}. {}", Authentication::NEEDS_ITS_FILE),
            });
            continue;
        };
        let Value::Object(settings) = value else {
            problems.push(format!("{name}: must be an object"));
            continue;
        };
        let requirements = requirements(name, settings, provider.signature.as_ref(), &mut problems);
        authentication.providers.insert(name.clone(), requirements);
    }
    if problems.is_empty() { Ok(authentication) } else { Err(problems) }
}

/// Returns the members of the secret.
fn members(known: &Providers) -> Vec<&'static str> {
    let mut members = known.secret_members();
    members.push(HashKey::MEMBER);
    members
}

/// Returns the end of a sentence about an unknown member.
pub(super) fn suggestion(name: &str, known: &Providers) -> String {
    nearest::suggestion(name, &members(known))
}

/// The members of a provider. The first three verify signatures.
const KINDS: [&str; 6] = ["signingSecrets", "publicKeys", "jwksUrl", "bearer", "basic", "header"];

fn requirements(
    path: &str,
    settings: &Map<String, Value>,
    signs: Option<&Signature>,
    problems: &mut Problems,
) -> Requirements {
    // In the order in which people see them.
    let kinds = ["signingSecrets", "jwksUrl", "publicKeys", "bearer", "basic", "header"];
    let kinds = kinds.into_iter().filter(|kind| settings.contains_key(*kind)).collect();
    let mut requirements = Requirements { kinds, ..Requirements::default() };
    let mut signature = SignatureKeys::default();
    if settings.is_empty() {
        let page = path.split('/').next().unwrap_or(path);
        problems.push(format!(
            "{path}: is empty, so every request would be refused; docs/{page}.md shows the form"
        ));
    }
    for (name, value) in settings {
        let member = &format!("{path}.{name}");
        match name.as_str() {
            "signingSecrets" => {
                for (path, value) in up_to(MAX_ALTERNATIVES, member, value, problems) {
                    let Some(secret) = secret(&path, value, problems) else { continue };
                    if let Some(member) = public(secret.expose()) {
                        problems.push(format!(
                            "{path}: everybody knows this, so anybody could sign; put it into {member}"
                        ));
                        continue;
                    }
                    let Some(Signature::Hmac(form)) = signs else {
                        signature.secrets.push(DecodingKey::from_secret(secret.expose().as_bytes()));
                        continue;
                    };
                    match (hmac::key(form, secret.expose()), form.secret) {
                        (Some(key), _) => signature.hmac.push(key),
                        (None, SecretForm::Base64 { prefix }) if !prefix.is_empty() => {
                            problems.push(format!("{path}: is not a signing secret of the form {prefix}…"));
                        }
                        (None, _) => problems.push(format!("{path}: is not base64")),
                    }
                }
            }
            "publicKeys" => signature.public = each(usize::MAX, member, value, problems, public_key),
            "jwksUrl" => signature.jwks_url = url(member, value, problems),
            "bearer" => requirements.bearer = each(MAX_ALTERNATIVES, member, value, problems, in_header),
            "basic" => requirements.basic = each(MAX_ALTERNATIVES, member, value, problems, basic),
            "header" => requirements.headers = each(MAX_ALTERNATIVES, member, value, problems, static_header),
            _ => problems.push(format!("{path}: {}", nearest::unknown_member(name, settings.keys(), &KINDS))),
        }
    }
    let header = requirements.headers.iter().all(|header| header.name == http::header::AUTHORIZATION);
    let header = header && !requirements.headers.is_empty();
    let needed = [!requirements.bearer.is_empty(), !requirements.basic.is_empty(), header];
    if needed.into_iter().filter(|needed| *needed).count() > 1 {
        problems.push(format!(
            "{path}: of bearer, basic and header, two need the Authorization header, so no request could pass; choose one"
        ));
    }
    let signed = KINDS[..3].iter().any(|kind| settings.contains_key(*kind));
    match signs {
        None if signed => problems.push(format!("{path}: this provider does not sign its requests")),
        Some(Signature::WholeBody) if settings.contains_key("signingSecrets") => {
            problems.push(format!("{path}: this provider signs with a key pair; set jwksUrl or publicKeys"));
        }
        Some(Signature::Hmac(_)) if signature.jwks_url.is_some() || !signature.public.is_empty() => {
            problems.push(format!("{path}: this provider signs with signingSecrets only"));
        }
        _ => {}
    }
    requirements.signature = signed.then_some(signature);
    requirements
}

/// Returns the member that a value belongs into if it is a public key or the address of some.
fn public(value: &str) -> Option<&'static str> {
    let value = value.trim();
    let begins = |text: &str| value.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
    if begins("https://") || begins("http://") {
        return Some("jwksUrl");
    }
    // A JSON Web Key of the kind `oct` is a shared secret.
    let is_public = |key: &Value| key.get("kty").is_some_and(|kind| kind != "oct");
    let is_key = match json::parse(value.as_bytes()) {
        Ok(Value::Array(keys)) => keys.iter().any(is_public),
        Ok(value) => is_public(&value) || value.get("keys").is_some(),
        Err(_) => false,
    };
    (begins("-----BEGIN") || begins("ssh-") || is_key).then_some("publicKeys")
}

/// Returns the readable alternatives of a setting, at most the allowed number.
fn each<T>(
    most: usize,
    path: &str,
    value: &Value,
    problems: &mut Problems,
    read: fn(&str, &Value, &mut Problems) -> Option<T>,
) -> Vec<T> {
    let alternatives = up_to(most, path, value, problems).into_iter();
    alternatives.filter_map(|(path, value)| read(&path, value, problems)).collect()
}

fn public_key(path: &str, value: &Value, problems: &mut Problems) -> Option<PublicKey> {
    PublicKey::from_value(value).map_err(|error| problems.push(format!("{path}: {error}"))).ok()
}

/// Returns the alternatives of a setting: an array, or one value as an array of one.
fn up_to<'a>(most: usize, path: &str, value: &'a Value, problems: &mut Problems) -> Vec<(String, &'a Value)> {
    match value {
        Value::Array(items) if items.is_empty() => {
            problems.push(format!("{path}: must not be empty; leave it out instead"));
            Vec::new()
        }
        Value::Array(items) => {
            if items.len() > most {
                problems.push(format!("{path}: at most {most} at a time, the old one and the new one"));
            }
            items.iter().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)).collect()
        }
        single => vec![(path.to_owned(), single)],
    }
}

/// Returns a secret that is sent in a header.
fn in_header(path: &str, value: &Value, problems: &mut Problems) -> Option<Secret> {
    let secret = secret(path, value, problems)?;
    if http::HeaderValue::from_str(secret.expose()).is_ok() {
        return Some(secret);
    }
    problems.push(format!("{path}: has a character that no header can carry, such as a line end"));
    None
}

fn secret(path: &str, value: &Value, problems: &mut Problems) -> Option<Secret> {
    match value {
        Value::String(text) if text.trim().is_empty() => problems.push(format!("{path}: must not be empty")),
        Value::String(text) => return Some(Secret::new(text)),
        _ => problems.push(format!("{path}: must be a string")),
    }
    None
}

fn basic(path: &str, value: &Value, problems: &mut Problems) -> Option<Secret> {
    let [username, password] = texts(path, value, ["username", "password"], problems)?;
    if username.expose().contains(':') {
        problems.push(format!("{path}.username: must not contain a colon"));
        return None;
    }
    Some(Secret::new(format!("{}:{}", username.expose(), password.expose())))
}

fn static_header(path: &str, value: &Value, problems: &mut Problems) -> Option<StaticHeader> {
    let [name, value] = texts(path, value, ["name", "value"], problems)?;
    match HeaderName::from_bytes(name.expose().as_bytes()) {
        Ok(name) => Some(StaticHeader { name, value }),
        Err(_) => {
            problems.push(format!("{path}.name: is not the name of a header"));
            None
        }
    }
}

/// Returns the members of an object that has exactly these texts.
fn texts<const N: usize>(
    path: &str,
    value: &Value,
    names: [&str; N],
    problems: &mut Problems,
) -> Option<[Secret; N]> {
    let Value::Object(object) = value else {
        problems.push(format!("{path}: must be an object with {}", names.join(" and ")));
        return None;
    };
    for name in object.keys().filter(|key| !names.contains(&key.as_str())) {
        problems.push(format!("{path}: {}", nearest::unknown_member(name, object.keys(), &names)));
    }
    let found: Vec<Secret> = names
        .into_iter()
        .filter_map(|name| {
            secret(&format!("{path}.{name}"), object.get(name).unwrap_or(&Value::Null), problems)
        })
        .collect();
    found.try_into().ok()
}

fn url(path: &str, value: &Value, problems: &mut Problems) -> Option<Url> {
    let text = secret(path, value, problems)?;
    let Ok(url) = Url::parse(text.expose()) else {
        problems.push(format!("{path}: is not a URL"));
        return None;
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        _ => {
            problems.push(format!("{path}: must begin with https:// (http:// only for this machine itself)"));
            return None;
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        problems.push(format!("{path}: must hold no user name or password"));
        return None;
    }
    Some(url)
}

#[cfg(test)]
mod tests;
