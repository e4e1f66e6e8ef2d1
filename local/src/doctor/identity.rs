//! Checks the authentication of identity providers, and the mapping of their events.

use identity_webhook::{Authentication, KeySetError, Proofs, key_set_size};
use platform::{http, telemetry::Chain};

use super::{finding::Finding, weak_secrets};
use crate::serve;

const CHECK: &str = "authentication";

const MAPPING: &str = "mapping";

/// The members of the identity secret that hold secrets.
const SECRETS: [&str; 5] = ["signingSecrets", "bearer", "password", "value", "hashKey"];

/// Returns the findings about the configured providers, their secrets and their key sets.
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
        if options.segment.use_stand_in() { "" } else { ", and they go to your Segment workspace" };
    match (proofs.is_empty(), options.allow_unsigned, options.listen.ip().is_loopback()) {
        (true, false, true) if !options.public_host.is_empty() => Finding::warning(
            CHECK,
            format!(
                "anyone who reaches {} can send webhooks without authentication{elsewhere}",
                options.public_host.join(", ")
            ),
            "set IDENTITY_SECRET (segue secret add makes it; see your provider's page in docs/)",
        ),
        (true, false, true) => Finding::warning(
            CHECK,
            format!(
                "anyone on this machine can send webhooks without authentication{}",
                if elsewhere.is_empty() { " (fine for a trial)" } else { elsewhere }
            ),
            "before a provider sends here, set FUSIONAUTH_SIGNING_SECRET or IDENTITY_SECRET (see its page in docs/)",
        ),
        (true, false, false) => Finding::problem(
            CHECK,
            "no provider is configured, but other machines can reach the address",
            "set FUSIONAUTH_SIGNING_SECRET or IDENTITY_SECRET (see your provider's page in docs/)",
        ),
        (true, true, _) => Finding::warning(
            CHECK,
            "anyone who reaches the address can send webhooks without authentication",
            "set FUSIONAUTH_SIGNING_SECRET or IDENTITY_SECRET, and remove --allow-unsigned",
        ),
        (false, true, _) => Finding::warning(
            CHECK,
            format!("{described}; webhooks of other providers are accepted without authentication"),
            "remove --allow-unsigned",
        ),
        (false, false, _) => Finding::ok(CHECK, format!("{described}; other providers are refused")),
    }
}

/// Checks that the key set of a provider can be fetched.
async fn check_key_set(proofs: &Proofs) -> Option<Finding> {
    let url = proofs.key_set.as_ref()?;
    // Without path and query: they may hold a key.
    let place = format!("{}'s keys at {}", proofs.provider, url.host_str().unwrap_or_default());
    let failed = |cause: String| {
        let fix = format!(
            "check {}.jwksUrl, and that this machine reaches it; until then its webhooks get 503",
            proofs.provider
        );
        Finding::problem(CHECK, format!("{place} cannot be fetched: {cause}"), fix)
    };
    let client = match http::client() {
        Ok(client) => client,
        Err(error) => return Some(failed(error.to_string())),
    };
    Some(match key_set_size(&client, url).await {
        Ok(1) => Finding::ok(CHECK, format!("{place}: 1 key")),
        Ok(count) => Finding::ok(CHECK, format!("{place}: {count} keys")),
        Err(KeySetError::NoKeys) => Finding::problem(
            CHECK,
            format!("{place}: none of them can be used"),
            "create an RSA, P-256, P-384 or Ed25519 key there, or use signingSecrets",
        ),
        Err(error) => failed(Chain(&error).to_string()),
    })
}

/// Returns the findings about the mapping. Another check reports an authentication that is not usable.
pub fn mapping(options: &serve::Options, authentication: Option<&Authentication>) -> Vec<Finding> {
    let mappings = match options.mappings.read() {
        Ok(mappings) => mappings,
        Err(error) => {
            let fix = "correct the file; segue mappings prints the built-in mapping, whose comments explain the format";
            return vec![Finding::problem(MAPPING, error.to_string().replace('\n', "; "), fix)];
        }
    };
    let name = match options.mappings.names().as_slice() {
        [] => "the built-in mapping".to_owned(),
        names => format!("{}, on top of the built-in mapping", names.join(" and ")),
    };
    let doubtful = "correct it, or keep it if the provider has a new event type";
    let mut findings: Vec<Finding> =
        mappings.warnings().map(|warning| Finding::warning(MAPPING, warning, doubtful)).collect();
    match authentication {
        Some(authentication) if mappings.needs_hash_key() && authentication.hash_key().is_none() => {
            findings.push(Finding::problem(
                MAPPING,
                format!("{name}, hashes a field, but there is no hashKey"),
                "add hashKey to IDENTITY_SECRET: a long random string that never changes (openssl rand -base64 32)",
            ));
        }
        _ if findings.is_empty() => findings.push(Finding::ok(MAPPING, name)),
        _ => {}
    }
    findings
}
