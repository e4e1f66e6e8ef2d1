//! Bearer tokens, HTTP Basic, and the static header.

use http::{HeaderMap, HeaderName, header};
use platform::encoding::basic;
use segment::Secret;

use super::refusal::Refusal;

/// A header that the sender adds to every request.
#[derive(Debug)]
pub(super) struct StaticHeader {
    pub name: HeaderName,
    pub value: Secret,
}

/// Passes if nothing is configured, or if one of the headers is present with its value.
pub(super) fn check_static(expected: &[StaticHeader], headers: &HeaderMap) -> Result<(), Refusal> {
    let matches = |expected: &StaticHeader| {
        single(headers, &expected.name).is_some_and(|value| expected.value.matches(value))
    };
    // Every candidate is compared, so the time does not reveal which one matches.
    let fitting = expected.iter().filter(|expected| matches(expected)).count();
    if expected.is_empty() || fitting > 0 { Ok(()) } else { Err(Refusal::Header) }
}

/// Passes if nothing is configured, or if the `Authorization` header has one of the tokens. The word `Bearer`
/// may be missing: Auth0's log streams send the text that somebody typed, and many type only the token.
pub(super) fn check_bearer(expected: &[Secret], headers: &HeaderMap) -> Result<(), Refusal> {
    if expected.is_empty() {
        return Ok(());
    }
    let given = single(headers, &header::AUTHORIZATION).ok_or(Refusal::Bearer)?;
    let token = match given.split_at_checked("Bearer ".len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer ") => token,
        _ => given,
    };
    let fitting = expected.iter().filter(|expected| expected.matches(token.trim_ascii())).count();
    if fitting > 0 { Ok(()) } else { Err(Refusal::Bearer) }
}

/// Passes if nothing is configured, or if the credentials are one of `expected`, as `username:password`.
pub(super) fn check_basic(expected: &[Secret], headers: &HeaderMap) -> Result<(), Refusal> {
    if expected.is_empty() {
        return Ok(());
    }
    // A scheme without a value counts as no credentials.
    let given = single(headers, &header::AUTHORIZATION).filter(|value| !value.eq_ignore_ascii_case(b"Basic"));
    let credentials = given.and_then(basic).ok_or(Refusal::BasicMissing)?;
    let credentials = credentials.map_err(|_| Refusal::Basic)?;
    let fitting = expected.iter().filter(|expected| expected.matches(&credentials)).count();
    if fitting > 0 { Ok(()) } else { Err(Refusal::Basic) }
}

/// Returns the header's value if the header occurs exactly once: with two, it would be unclear which one to
/// trust.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .fold(HeaderMap::new(), |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            })
    }

    #[test]
    fn basic_credentials_pass_only_as_configured() {
        let expected = [Secret::new("segue:old"), Secret::new("segue:new:with:colons")];
        for (given, result) in [
            (&[("authorization", "Basic c2VndWU6b2xk")][..], Ok(())),
            (&[("authorization", "basic  c2VndWU6bmV3OndpdGg6Y29sb25z ")], Ok(())),
            (&[("authorization", "Basic c2VndWU6bmV3OndpdGg6Y29sb25zAA==")], Err(Refusal::Basic)),
            (&[("authorization", "Basic c2VndWU6")], Err(Refusal::Basic)),
            (&[("authorization", "Basic ")], Err(Refusal::Basic)),
            (&[("authorization", "Basic !")], Err(Refusal::Basic)),
            (&[("authorization", "Bearer c2VndWU6b2xk")], Err(Refusal::BasicMissing)),
            (&[("authorization", "Bas")], Err(Refusal::BasicMissing)),
            (&[("authorization", "basic")], Err(Refusal::BasicMissing)),
            (&[], Err(Refusal::BasicMissing)),
            (
                &[("authorization", "Basic c2VndWU6b2xk"), ("authorization", "Basic c2VndWU6b2xk")],
                Err(Refusal::BasicMissing),
            ),
        ] {
            assert_eq!(check_basic(&expected, &headers(given)), result, "{given:?}");
        }
        assert_eq!(check_basic(&[], &headers(&[])), Ok(()));
    }

    #[test]
    fn a_bearer_token_passes_with_and_without_its_scheme() {
        let expected = [Secret::new("old"), Secret::new("new token")];
        for (given, result) in [
            (&[("authorization", "Bearer old")][..], Ok(())),
            (&[("authorization", "bearer  new token ")], Ok(())),
            (&[("authorization", "old")], Ok(())),
            (&[("authorization", "Bearer ol")], Err(Refusal::Bearer)),
            (&[("authorization", "Bearer ")], Err(Refusal::Bearer)),
            (&[("authorization", "Basic old")], Err(Refusal::Bearer)),
            (&[("authorization", "")], Err(Refusal::Bearer)),
            (&[("authorization", "old"), ("authorization", "old")], Err(Refusal::Bearer)),
            (&[], Err(Refusal::Bearer)),
        ] {
            assert_eq!(check_bearer(&expected, &headers(given)), result, "{given:?}");
        }
        assert_eq!(check_bearer(&[], &headers(&[])), Ok(()));
    }

    #[test]
    fn a_static_header_passes_only_with_one_of_its_values() {
        let expected = ["one", "two"].map(|value| StaticHeader {
            name: HeaderName::from_static("x-webhook-key"),
            value: Secret::new(value),
        });
        for (given, result) in [
            (&[("x-webhook-key", "one")][..], Ok(())),
            (&[("x-webhook-key", "two")], Ok(())),
            (&[("x-webhook-key", "three")], Err(Refusal::Header)),
            (&[("x-webhook-key", "")], Err(Refusal::Header)),
            (&[("x-webhook-key", "one"), ("x-webhook-key", "three")], Err(Refusal::Header)),
            (&[("authorization", "one")], Err(Refusal::Header)),
            (&[], Err(Refusal::Header)),
        ] {
            assert_eq!(check_static(&expected, &headers(given)), result, "{given:?}");
        }
        assert_eq!(check_static(&[], &headers(&[])), Ok(()));
    }
}
