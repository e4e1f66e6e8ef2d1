//! Identity providers: their authentication, and the mapping of their events.

use serde_json::json;

use super::{expect, servers::Server};

#[test]
fn authentication_that_accepts_everyone_or_no_one_is_reported() {
    let keys = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a","alg":"EdDSA"}]}"#;
    let (good, none, missing) = (
        Server::answering("200 OK", "", keys),
        Server::answering("200 OK", "", r#"{"keys":[]}"#),
        Server::answering("404 Not Found", "", ""),
    );
    let key_set = |server: &Server| {
        json!({"fusionauth": {"jwksUrl": server.url("http", "/jwks.json?k=hunter2")}}).to_string()
    };
    let (good, none, missing) = (key_set(&good), key_set(&none), key_set(&missing));
    for (secret, status, found, fix) in [
        (&*good, "ok", "fusionauth by jwksUrl; other providers are refused", ""),
        (&good, "ok", "fusionauth's keys at 127.0.0.1: 1 key", ""),
        (&none, "problem", "none of them can be used", "Ed25519"),
        (&missing, "problem", "the answer has status 404, not 200", "check fusionauth.jwksUrl"),
        (
            r#"{"fusionauth":{"signingSecrets":["short"]}}"#,
            "warning",
            "fewer than 16 characters",
            "openssl rand",
        ),
        (
            r#"{"auth0":{"bearer":"<token>-of-the-documentation"}}"#,
            "warning",
            "auth0.bearer is a placeholder",
            "openssl rand",
        ),
        (
            r#"{"fusionAuth":{}}"#,
            "problem",
            "there is no \"fusionAuth\"; did you mean \"fusionauth\"?",
            "IDENTITY_SECRET",
        ),
        ("hunter2", "problem", "not usable", "IDENTITY_SECRET"),
    ] {
        expect(&["--identity-secret", secret], "authentication", status, found, fix);
    }
}

#[test]
fn a_wrong_mapping_is_reported_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let (fault, hash) = (folder.path().join("fault.toml"), folder.path().join("hash.toml"));
    std::fs::write(&fault, "# mine\nnamming = 'segment'\n").unwrap();
    std::fs::write(&hash, "fields.'traits.email' = 'hash'").unwrap();
    let (fault, hash) = (fault.to_str().unwrap(), hash.to_str().unwrap());
    let with_key = ["--mappings", hash, "--identity-secret", r#"{"hashKey":"0kZ8vTq3RrWm5yXc7Lp2"}"#];
    for (arguments, status, found, fix) in [
        (
            &["--mappings", fault][..],
            "problem",
            "fault.toml:2:1: there is no key \"namming\"",
            "segue mappings",
        ),
        (&["--mappings", "/nowhere.toml"], "problem", "/nowhere.toml cannot be read", "correct the file"),
        (
            &["--mappings", hash],
            "problem",
            "hashes a field, but there is no hashKey",
            "add hashKey to IDENTITY_SECRET",
        ),
        (&with_key, "ok", "hash.toml, on top of the built-in mapping", ""),
    ] {
        expect(arguments, "mapping", status, found, fix);
    }
}
