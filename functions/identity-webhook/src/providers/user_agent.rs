//! Whether a user agent is that of a program on a server, whose address and user agent must not become a person's.

/// Beginnings of the user agents of HTTP libraries, in lower case. Restify is the one in FusionAuth's own
/// clients and the one that its example events of server calls carry.
const LIBRARIES: &[&str] = &[
    "restify",
    "fusionauth",
    "clerk",
    "@clerk/",
    "java/",
    "java-http-client",
    "apache-httpclient",
    "jakarta",
    "okhttp",
    "python-requests",
    "python-httpx",
    "python-urllib",
    "aiohttp",
    "node",
    "undici",
    "axios",
    "got ",
    "got/",
    "go-http-client",
    "ruby",
    "faraday",
    "rest-client",
    "guzzlehttp",
    "php",
    "symfony",
    "curl/",
    "wget/",
    "postmanruntime",
    "insomnia",
    "reqwest",
    "hyper",
    "dotnet",
    "restsharp",
    "terraform",
];

/// Whether it begins as the user agents of HTTP libraries do.
pub(super) fn is_library(user_agent: &str) -> bool {
    let user_agent = user_agent.trim().to_ascii_lowercase();
    LIBRARIES.iter().any(|library| user_agent.starts_with(library))
}
