//! Whether identity providers have to prove who they are, and whether the mapping of their events can be read.

use identity_webhook::{Authentication, KeySetError, Proofs, key_set_size};
use platform::{http, telemetry::Chain};

use super::{finding::Finding, weak_secrets};
use crate::serve;

const CHECK: &str = "authentication";

const MAPPING: &str = "mapping";

/// The members of the identity secret that hold secrets.
const SECRETS: [&str; 5] = ["signingSecrets", "bearer", "password", "value", "hashKey"];

/// Which providers are configured, how good that is, and whether their keys can be had.
pub async fn check(
    options: &serve::Options,
    authentication: &Result<Authentication, String>,
) -> Vec<Finding> {
    let authentication = match authentication {
        Ok(authentication) => authentication,
        Err(problem) => {
            let fix = "correct FUSIONAUTH_SIGNING_SECRET or IDENTITY_SECRET";
            return vec![Finding::problem(CHECK, problem.replace('\n', "; "), fix)];
        }
    };
    let proofs = authentication.proofs();
    let mut findings = vec![check_proofs(options, &proofs)];
    findings.extend(weak_secrets::find(CHECK, &options.identity_secret.text(), &SECRETS));
    for proofs in proofs {
        findings.extend(check_key_set(&proofs).await);
    }
    findings
}

fn check_proofs(options: &serve::Options, proofs: &[Proofs]) -> Finding {
    let described: Vec<String> = proofs
        .iter()
        .map(|proofs| format!("{} by {}", proofs.provider, proofs.kinds.join(" and ")))
        .collect();
    let described = described.join(", ");
    let elsewhere =
        if options.segment.use_stand_in() { "" } else { ", and they go to your workspace at Segment" };
    match (proofs.is_empty(), options.allow_unsigned, options.listen.ip().is_loopback()) {
        (true, false, true) if !options.public_host.is_empty() => Finding::warning(
            CHECK,
            format!(
                "webhooks are taken without proof from anybody who reaches {}{elsewhere}",
                options.public_host.join(", ")
            ),
            "set IDENTITY_SECRET: segue secret add makes it, see your provider's page in docs/",
        ),
        (true, false, true) => Finding::warning(
            CHECK,
            format!(
                "webhooks are taken from anybody on this machine, without proof: good for trying out{elsewhere}"
            ),
            "set FUSIONAUTH_SIGNING_SECRET or IDENTITY_SECRET before a provider sends here, see its page in docs/",
        ),
        (true, false, false) => Finding::problem(
            CHECK,
            "no provider is configured, and other machines can reach the address",
            "set FUSIONAUTH_SIGNING_SECRET or IDENTITY_SECRET, see your provider's page in docs/",
        ),
        (true, true, _) => Finding::warning(
            CHECK,
            "webhooks are taken from anybody who reaches the address, without proof",
            "set FUSIONAUTH_SIGNING_SECRET or IDENTITY_SECRET, and leave --allow-unsigned out",
        ),
        (false, true, _) => Finding::warning(
            CHECK,
            format!("{described}; other providers' webhooks are taken from anybody, without proof"),
            "leave --allow-unsigned out",
        ),
        (false, false, _) => Finding::ok(CHECK, format!("{described}; other providers are refused")),
    }
}

/// Whether the keys can be had that signatures are checked with.
async fn check_key_set(proofs: &Proofs) -> Option<Finding> {
    let url = proofs.key_set.as_ref()?;
    // Without path and query, which may hold a key.
    let place = format!("{}'s keys at {}", proofs.provider, url.host_str().unwrap_or_default());
    let failed = |cause: String| {
        let fix = format!(
            "check {}.jwksUrl, and that this machine reaches it; until then its webhooks are answered 503",
            proofs.provider
        );
        Finding::problem(CHECK, format!("{place} cannot be had: {cause}"), fix)
    };
    let client = match http::client() {
        Ok(client) => client,
        Err(error) => return Some(failed(error.to_string())),
    };
    Some(match key_set_size(&client, url).await {
        Ok(1) => Finding::ok(CHECK, format!("{place}: there is one")),
        Ok(count) => Finding::ok(CHECK, format!("{place}: there are {count}")),
        Err(KeySetError::NoKeys) => Finding::problem(
            CHECK,
            format!("{place} are none that can be used"),
            "make an RSA, P-256, P-384 or Ed25519 key there, or use signingSecrets",
        ),
        Err(error) => failed(Chain(&error).to_string()),
    })
}

/// The mapping's findings. Where the authentication is not usable, that is said there.
pub fn mapping(options: &serve::Options, authentication: Option<&Authentication>) -> Vec<Finding> {
    let mappings = match options.mappings.read() {
        Ok(mappings) => mappings,
        Err(error) => {
            let fix =
                "correct it; segue mappings prints the built-in one, whose comments say what may stand where";
            return vec![Finding::problem(MAPPING, error.to_string().replace('\n', "; "), fix)];
        }
    };
    let name = match &options.mappings.mappings {
        None => "the built-in one".to_owned(),
        Some(path) => format!("{}, laid over the built-in one", path.display()),
    };
    let doubtful = "correct it, or leave it where the provider has a new event type";
    let mut findings: Vec<Finding> =
        mappings.warnings().map(|warning| Finding::warning(MAPPING, warning, doubtful)).collect();
    match authentication {
        Some(authentication) if mappings.needs_hash_key() && authentication.hash_key().is_none() => {
            findings.push(Finding::problem(
                MAPPING,
                format!("{name}, hashes a field, and there is no key for it"),
                "put hashKey into IDENTITY_SECRET, a long random text that never changes: openssl rand -base64 32",
            ));
        }
        _ if findings.is_empty() => findings.push(Finding::ok(MAPPING, name)),
        _ => {}
    }
    findings
}
