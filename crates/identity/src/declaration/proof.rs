//! Reads how a request proves that it is genuine.

use std::time::Duration;

use super::{
    grammar::{ENCODINGS, KINDS, PROOF, SECRETS, UNITS},
    read::leak,
};
use crate::{
    document::{Node, Position, Table, value},
    faults::Faults,
    schema::names,
    signature::{
        BodyHashToken, Content, Encoding, Hmac, HmacAlgorithm, HmacForm, STANDARD_WEBHOOKS, SecretForm,
        Signature, StaticProof, TimestampUnit,
    },
};

/// How many seconds the time of a request may differ from ours.
const TOLERANCE: std::ops::RangeInclusive<i64> = 1..=3_600;

/// How far the clock of a JWT's sender may be off.
const LEEWAY: Duration = Duration::from_secs(60);

/// Reads `proof`: the signature, or the proof without one.
pub(super) fn read(node: &Node<'_>, faults: &mut Faults) -> (Option<Signature>, StaticProof) {
    let none = (None, StaticProof::Bearer);
    let Some(table) = faults.table(node) else { return none };
    let Some(kind) = value(table, "kind") else {
        faults.add(&node.at, format!("kind is missing; known are: {}", KINDS.join(", ")));
        return none;
    };
    let Some(name) = faults.text(kind) else { return none };
    // The keys that make sense for this kind.
    let known: &[&str] = match name {
        "hmac-sha256" | "hmac-sha1" | "hmac-sha512" => &[
            "header",
            "form",
            "content",
            "encoding",
            "idHeader",
            "timestampHeader",
            "timestamp",
            "tolerance",
            "secret",
            "secretPrefix",
        ],
        "jwt" => &["header", "bodyHash", "encoding"],
        "header" => &["header"],
        "standard-webhooks" | "jwt-body" | "bearer" | "basic" => &[],
        other => {
            faults.unknown_value(&kind.at, other, &KINDS);
            return none;
        }
    };
    let before = faults.len();
    for (key, _) in table.iter().filter(|(key, _)| key.name != "kind" && !known.contains(&&*key.name)) {
        match names(PROOF).contains(&&*key.name) {
            true => faults.add(&key.at, format!("the kind {name:?} has no {:?}", key.name)),
            false => faults.unknown_key(key, &[&["kind"], known].concat(), ""),
        }
    }
    if faults.len() > before {
        return none;
    }
    match name {
        "standard-webhooks" => (Some(Signature::Hmac(STANDARD_WEBHOOKS)), StaticProof::Bearer),
        "jwt-body" => (Some(Signature::WholeBody), StaticProof::Bearer),
        "jwt" => (body_hash(node, table, faults).map(Signature::BodyHash), StaticProof::Bearer),
        "bearer" => none,
        "basic" => (None, StaticProof::Basic),
        "header" => match header(table, "header", faults) {
            Some(name) => (None, StaticProof::Header(name)),
            None => {
                faults.add(&node.at, "header is missing; it names the header with the value");
                none
            }
        },
        name => {
            let algorithm = match name {
                "hmac-sha1" => HmacAlgorithm::Sha1,
                "hmac-sha512" => HmacAlgorithm::Sha512,
                _ => HmacAlgorithm::Sha256,
            };
            (hmac(algorithm, node, table, faults).map(Signature::Hmac), StaticProof::Bearer)
        }
    }
}

fn body_hash(node: &Node<'_>, table: &Table<'_>, faults: &mut Faults) -> Option<BodyHashToken> {
    let header = header(table, "header", faults);
    let claim = value(table, "bodyHash").and_then(|node| faults.text(node)).map(leak);
    if header.is_none() || claim.is_none() {
        faults.add(
            &node.at,
            "a JWT needs header and bodyHash, the claim with the hash of the body: without it, the JWT proves nothing about the body",
        );
    }
    let encoding = encoding(table, faults);
    Some(BodyHashToken { header: header?, claim: claim?, encoding, leeway: LEEWAY })
}

fn hmac(algorithm: HmacAlgorithm, node: &Node<'_>, table: &Table<'_>, faults: &mut Faults) -> Option<Hmac> {
    let Some(name) = header(table, "header", faults) else {
        faults.add(&node.at, "header is missing; it names the header with the signature");
        return None;
    };
    let mut tolerance = STANDARD_WEBHOOKS.tolerance;
    if let Some(node) = value(table, "tolerance") {
        tolerance = Duration::from_secs(faults.number(node, TOLERANCE)?);
    }
    let id_header = header(table, "idHeader", faults);
    let timestamp_header = header(table, "timestampHeader", faults);
    let timestamp_unit = match choice(table, "timestamp", &UNITS, faults) {
        Some(1) => TimestampUnit::Milliseconds,
        _ => TimestampUnit::Seconds,
    };
    let prefix = value(table, "secretPrefix").and_then(|node| faults.text(node)).map_or("", leak);
    let secret = match choice(table, "secret", &SECRETS, faults) {
        Some(1) => SecretForm::Base64 { prefix },
        _ if !prefix.is_empty() => {
            faults.add(
                &node.at,
                "secretPrefix needs secret = \"base64\"; with a text, the prefix is part of the key",
            );
            return None;
        }
        _ => SecretForm::Text,
    };
    let form = match value(table, "form") {
        Some(node) => form(faults.text(node)?, &node.at, faults)?,
        None => vec![("", Content::Signature)],
    };
    let content = match value(table, "content") {
        Some(node) => pieces(faults.text(node)?, &node.at, faults)?,
        None => vec![Content::Body],
    };
    let mut headers: Vec<&str> = [Some(name), id_header, timestamp_header].into_iter().flatten().collect();
    headers.sort_unstable();
    headers.dedup();
    let same = headers.len() < 1 + usize::from(id_header.is_some()) + usize::from(timestamp_header.is_some());
    let in_form = |wanted: Content| form.iter().any(|(_, content)| *content == wanted);
    let signed = |wanted: Content| content.contains(&wanted);
    let timed = in_form(Content::Timestamp) || timestamp_header.is_some();
    let untimed = !timed && ["timestamp", "tolerance"].into_iter().any(|key| value(table, key).is_some());
    let problem = if same {
        "header, idHeader and timestampHeader must be different headers"
    } else if untimed {
        "timestamp and tolerance need a {timestamp} in form, or timestampHeader"
    } else if !in_form(Content::Signature) {
        "the form of the header has no {signature}"
    } else if in_form(Content::Timestamp) && timestamp_header.is_some() {
        "the time of the request is in two places; choose form or timestampHeader"
    } else if !signed(Content::Body) || signed(Content::Signature) {
        "the signed content must have {body}, and cannot have {signature}"
    } else if timed && !signed(Content::Timestamp) {
        "the signed content has no {timestamp}, so anybody could change the time of the request"
    } else if signed(Content::Timestamp) && !timed {
        "nothing says where {timestamp} is; put it into form, or set timestampHeader"
    } else if signed(Content::Id) != id_header.is_some() {
        "{id} in content and idHeader need each other"
    } else {
        return Some(Hmac {
            algorithm,
            encoding: encoding(table, faults),
            header: vec![name].leak(),
            form: HmacForm::Parts(form.leak()),
            id_header: id_header.into_iter().collect::<Vec<_>>().leak(),
            timestamp_header: timestamp_header.into_iter().collect::<Vec<_>>().leak(),
            timestamp_unit,
            tolerance,
            content: content.leak(),
            secret,
        });
    };
    faults.add(&node.at, problem);
    None
}

/// Reads parts with commas between them, each with a placeholder at its end.
fn form(text: &str, at: &Position, faults: &mut Faults) -> Option<Vec<(&'static str, Content)>> {
    let mut parts = Vec::new();
    for part in text.split(',').map(str::trim) {
        let pieces = pieces(part, at, faults)?;
        parts.push(match pieces[..] {
            [Content::Text(text), content @ (Content::Signature | Content::Timestamp)] => (text, content),
            [content @ (Content::Signature | Content::Timestamp)] => ("", content),
            _ => {
                faults.add(at, "each part of the form is a text and {signature} or {timestamp} after it");
                return None;
            }
        });
    }
    let texts = || parts.iter().map(|(text, _)| *text);
    if let Some(twice) = texts().find(|text| texts().filter(|other| other == text).count() > 1) {
        faults.add(at, format!("two parts of the form begin with {twice:?}, so nothing tells them apart"));
        return None;
    }
    Some(parts)
}

/// Reads a text with placeholders.
fn pieces(text: &str, at: &Position, faults: &mut Faults) -> Option<Vec<Content>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        if !before.is_empty() {
            pieces.push(Content::Text(leak(before)));
        }
        let Some((name, after)) = after.split_once('}') else {
            faults.add(at, "a { in the text is not closed");
            return None;
        };
        pieces.push(match name {
            "id" => Content::Id,
            "timestamp" => Content::Timestamp,
            "body" => Content::Body,
            "signature" => Content::Signature,
            other => {
                faults.unknown_value(at, other, &["id", "timestamp", "body", "signature"]);
                return None;
            }
        });
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Content::Text(leak(rest)));
    }
    Some(pieces)
}

fn encoding(table: &Table<'_>, faults: &mut Faults) -> Encoding {
    match choice(table, "encoding", &ENCODINGS, faults) {
        Some(1) => Encoding::Base64,
        _ => Encoding::Hex,
    }
}

/// Returns the position of a key's value in `known`.
fn choice(table: &Table<'_>, name: &str, known: &[&str], faults: &mut Faults) -> Option<usize> {
    let node = value(table, name)?;
    let text = faults.text(node)?;
    let found = known.iter().position(|known| *known == text);
    if found.is_none() {
        faults.unknown_value(&node.at, text, known);
    }
    found
}

/// Returns the name of a header, in lower case.
fn header(table: &Table<'_>, key: &str, faults: &mut Faults) -> Option<&'static str> {
    let node = value(table, key)?;
    let name = faults.text(node)?.to_ascii_lowercase();
    // RFC 9110, 5.6.2.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !name.bytes().all(is_token) {
        faults.add(&node.at, format!("{name:?} is not the name of a header"));
        return None;
    }
    Some(leak(&name))
}
