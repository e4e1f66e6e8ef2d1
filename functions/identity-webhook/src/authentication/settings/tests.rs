use serde_json::json;

use super::*;

const P521: &str = include_str!("../../../tests/keys/test-p521-public.pem");
const RSA: &str = include_str!("../../../tests/keys/test-rsa-2048-public.pem");
const RSA_PRIVATE: &str = include_str!("../../../tests/keys/test-rsa-2048-private.pem");

fn problems(value: &Value) -> Vec<String> {
    parse(&value.to_string(), &Providers::built_in()).err().unwrap_or_default()
}

#[test]
fn every_kind_can_be_set_alone_once_or_twice_and_together() {
    for settings in [
        json!({"signingSecrets": "one"}),
        json!({"signingSecrets": ["one", "two"]}),
        json!({"jwksUrl": "https://auth.example.com/.well-known/jwks.json"}),
        json!({"jwksUrl": "http://127.0.0.1:9011/.well-known/jwks.json"}),
        json!({"jwksUrl": "http://localhost:9011/.well-known/jwks.json"}),
        json!({"jwksUrl": "http://[::1]:9011/.well-known/jwks.json"}),
        json!({"publicKeys": [RSA]}),
        json!({"basic": {"username": "u", "password": "p:q"}}),
        json!({"basic": [{"username": "u", "password": "p"}, {"username": "u", "password": "q"}]}),
        json!({"bearer": "one"}),
        json!({"bearer": ["one", "two"], "signingSecrets": "three"}),
        json!({"header": {"name": "Authorization", "value": "v"}}),
        json!({"signingSecrets": "one", "basic": {"username": "u", "password": "p"}, "header": {"name": "X-Key", "value": "v"}}),
    ] {
        assert_eq!(problems(&json!({"fusionauth": settings})), [""; 0], "{settings}");
    }
}

#[test]
fn every_problem_is_named_with_its_path_and_no_value() {
    for (settings, expected) in [
        (json!("hush"), "fusionauth: must be an object"),
        (
            json!({"hush": 1}),
            "fusionauth: member 1 has an unknown name; known are: signingSecrets, publicKeys, jwksUrl, bearer, basic, header",
        ),
        (json!({"signingSecrets": ""}), "fusionauth.signingSecrets: must not be empty"),
        (json!({"signingSecrets": ["hush", " "]}), "fusionauth.signingSecrets[1]: must not be empty"),
        (json!({"signingSecrets": []}), "fusionauth.signingSecrets: must not be empty; leave it out instead"),
        (json!({"signingSecrets": [7]}), "fusionauth.signingSecrets[0]: must be a string"),
        (
            json!({"signingSecrets": ["hush", "hush", "hush"]}),
            "fusionauth.signingSecrets: at most 2 at a time, the old one and the new one",
        ),
        (json!({"jwksUrl": "hush"}), "fusionauth.jwksUrl: is not a URL"),
        (
            json!({"jwksUrl": "http://hush.example.com/"}),
            "fusionauth.jwksUrl: must begin with https:// (http:// only for this machine itself)",
        ),
        (
            json!({"jwksUrl": "file:///hush"}),
            "fusionauth.jwksUrl: must begin with https:// (http:// only for this machine itself)",
        ),
        (
            json!({"jwksUrl": "https://hush:hush@example.com/"}),
            "fusionauth.jwksUrl: must hold no user name or password",
        ),
        (json!({"jwksUrl": null}), "fusionauth.jwksUrl: must be a string"),
        (
            json!({"publicKeys": ["hush"]}),
            "fusionauth.publicKeys[0]: is neither a JSON Web Key nor a PEM text",
        ),
        (
            json!({"publicKeys": [RSA, {"kty": 5}]}),
            "fusionauth.publicKeys[1]: is of a kind that is not supported; use RSA with at least 2048 bits, P-256, P-384 or Ed25519",
        ),
        (
            json!({"publicKeys": [P521]}),
            "fusionauth.publicKeys[0]: is of a kind that is not supported; use RSA with at least 2048 bits, P-256, P-384 or Ed25519",
        ),
        (
            json!({"publicKeys": [RSA_PRIVATE]}),
            "fusionauth.publicKeys[0]: holds a private key; give the public one",
        ),
        (
            json!({"publicKeys": [{"kty": "OKP", "crv": "Ed25519", "x": "hush", "d": "hush"}]}),
            "fusionauth.publicKeys[0]: holds a private key; give the public one",
        ),
        (
            json!({"publicKeys": [{"kty": "oct", "k": "hush"}]}),
            "fusionauth.publicKeys[0]: is a shared secret; put it into signingSecrets",
        ),
        (
            json!({"publicKeys": ["-----BEGIN CERTIFICATE-----\nhush"]}),
            "fusionauth.publicKeys[0]: is a certificate; give its public key as PEM (openssl x509 -pubkey -noout)",
        ),
        (json!({"basic": "hush"}), "fusionauth.basic: must be an object with username and password"),
        (json!({"basic": {"username": "hush"}}), "fusionauth.basic.password: must be a string"),
        (
            json!({"basic": {"username": "hu:sh", "password": "p"}}),
            "fusionauth.basic.username: must not contain a colon",
        ),
        (
            json!({"basic": {"username": "u", "password": "p", "hush": 1}}),
            "fusionauth.basic: member 3 has an unknown name; known are: username, password",
        ),
        (
            json!({"header": {"name": "hush hush", "value": "v"}}),
            "fusionauth.header.name: is not the name of a header",
        ),
        (
            json!({"header": {"name": "Authorization", "value": "hush"}, "basic": {"username": "u", "password": "hush"}}),
            "fusionauth: of bearer, basic and header, two need the Authorization header, so no request could pass; choose one",
        ),
    ] {
        assert_eq!(problems(&json!({"fusionauth": settings})), [expected], "{settings}");
    }
    let expected = format!(
        "member 2 has an unknown name; known are: {}. A provider of your own needs its file",
        members(&Providers::built_in()).join(", ")
    );
    assert_eq!(problems(&json!({"hashKey": "k", "hush": {}})), [expected]);
    assert_eq!(problems(&json!(["hush"])), ["the body is JSON but not an object"]);
}

#[test]
fn all_problems_are_reported_at_once() {
    let settings = json!({"signingSecrets": "", "jwksUrl": "x", "basic": {}});
    assert_eq!(problems(&json!({"fusionauth": settings})).len(), 4);
}

#[test]
fn the_key_for_hashes_stands_beside_the_providers() {
    let parsed = parse(r#"{"hashKey":"k"}"#, &Providers::built_in()).unwrap();
    assert!(parsed.hash_key().is_some() && !parsed.is_configured());
    assert!(parse("{}", &Providers::built_in()).unwrap().hash_key().is_none());
    assert_eq!(problems(&json!({"hashKey": ""})), ["hashKey: must not be empty"]);
}

#[test]
fn a_misspelled_member_is_reported_with_the_nearest_name() {
    for (secret, expected) in [
        (
            json!({"fusionauth": {"signingSecret": "hush"}}),
            "fusionauth: there is no \"signingSecret\"; did you mean \"signingSecrets\"?",
        ),
        (json!({"auth0": {"Bearer": "hush"}}), "auth0: there is no \"Bearer\"; did you mean \"bearer\"?"),
        (json!({"FusionAuth": {}}), "there is no \"FusionAuth\"; did you mean \"fusionauth\"?"),
        (json!({"hashkey": "hush"}), "there is no \"hashkey\"; did you mean \"hashKey\"?"),
        (
            json!({"okta": {"header": {"name": "x", "value": "y", "vlaue": "hush"}}}),
            "okta.header: there is no \"vlaue\"; did you mean \"value\"?",
        ),
    ] {
        assert_eq!(problems(&secret), [expected], "{secret}");
    }
}

#[test]
fn a_provider_without_a_proof_or_with_two_members_is_a_mistake() {
    assert_eq!(
        problems(&json!({"okta": {}})),
        ["okta: is empty, so every request would be refused; docs/okta.md shows the form"]
    );
    let twice = r#"{"fusionauth":{"signingSecrets":["a"]},"hashKey":"k","fusionauth":{"bearer":["a"]}}"#;
    assert_eq!(
        parse(twice, &Providers::built_in()).err().unwrap(),
        ["fusionauth: occurs twice; put all of it into one"]
    );
}
