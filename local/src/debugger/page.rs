//! The files of the page.

use axum::{
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use crate::refusal::refusal;

/// Allows our own files only: the browser runs nothing from a message and contacts no other host.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const INDEX: &str = include_str!("page/index.html");

/// Pairs each file name with its content.
macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("page/", $name)))),*] };
}

const FILES: &[(&str, &str)] = files![
    "api.js",
    "chart.js",
    "clock.js",
    "connect.js",
    "copy.js",
    "curl.js",
    "dead-letter.js",
    "dead-letters.js",
    "delivery.js",
    "details.js",
    "dom.js",
    "faults.js",
    "favicon.svg",
    "filter.js",
    "json.js",
    "keys.js",
    "list.js",
    "live.js",
    "main.js",
    "messages.css",
    "new-ids.js",
    "numbers.js",
    "panel.css",
    "panel.js",
    "rejected.js",
    "row.js",
    "states.js",
    "store.js",
    "style.css",
    "try.js",
];

/// Returns the page itself.
pub async fn page() -> Html<&'static str> {
    Html(INDEX)
}

/// Returns a file of the page.
pub async fn file(Path(name): Path<String>) -> Response {
    let content_type = match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        _ => "image/svg+xml",
    };
    match FILES.iter().find(|(known, _)| *known == name) {
        Some((_, content)) => ([(header::CONTENT_TYPE, content_type)], *content).into_response(),
        None => refusal(StatusCode::NOT_FOUND, "not_found", "The page has no such file."),
    }
}

/// Adds the security headers to each answer.
pub async fn protected(mut response: Response) -> Response {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    // Answers hold personal data, which no cache may keep.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn each_file_of_the_folder_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/debugger/page");
        let found =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let served = FILES.iter().map(|(name, _)| (*name).to_owned()).chain(["index.html".to_owned()]);
        assert_eq!(served.collect::<BTreeSet<_>>(), found.collect::<BTreeSet<_>>());
    }

    #[test]
    fn the_whole_page_has_at_most_100_kb() {
        let bytes: usize = FILES.iter().map(|(_, content)| content.len()).sum::<usize>() + INDEX.len();
        assert!(bytes <= 100 * 1024, "{bytes} bytes");
    }
}
