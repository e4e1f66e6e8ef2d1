//! The root certificates that are trusted for AWS endpoints.

use std::{
    io,
    path::{Path, PathBuf},
};

use aws_smithy_http_client::tls::TrustStore;
use rustls::{
    RootCertStore,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject},
    },
};

/// The roots of AWS's endpoints. Reading the platform's 140 certificates at INIT instead would cost about 5
/// ms of CPU for each client.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// Names a file of further root certificates, as for every SDK and tool of AWS.
const BUNDLE: &str = "AWS_CA_BUNDLE";

/// `AWS_CA_BUNDLE` names a file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{variable} names {}, which cannot be used", .path.display())]
pub struct BundleError {
    variable: &'static str,
    path: PathBuf,
    #[source]
    fault: Fault,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("the file cannot be read")]
    Unreadable(#[from] io::Error),
    #[error("the file is not PEM")]
    NotPem(#[from] pem::Error),
    #[error("the file holds something else than certificates")]
    NotACertificate(#[from] rustls::Error),
    #[error("the file holds no certificate in PEM")]
    Empty,
}

/// Returns Amazon's roots and those in the file that `AWS_CA_BUNDLE` names. A company whose proxy decrypts
/// traffic to AWS has a root of its own, which must be trusted too.
pub(super) fn trusted() -> Result<TrustStore, BundleError> {
    let amazons = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    let Some(path) = std::env::var_os(BUNDLE).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(amazons);
    };
    match read(&path) {
        Ok(pem) => Ok(amazons.with_pem_certificate(pem)),
        Err(fault) => Err(BundleError { variable: BUNDLE, path, fault }),
    }
}

/// Reads the file. Every certificate in it is checked, because the SDK's HTTP client panics on a bad one.
fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let pem = std::fs::read(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate?)?;
    }
    if roots.is_empty() { Err(Fault::Empty) } else { Ok(pem) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rustls::pki_types::TrustAnchor;
    use webpki_roots::TLS_SERVER_ROOTS;

    use super::*;

    /// The name and the key, which together identify a root.
    fn identity<'a>(root: &'a TrustAnchor<'_>) -> (&'a [u8], &'a [u8]) {
        (&root.subject, &root.subject_public_key_info)
    }

    fn contains(text: &[u8], part: &str) -> bool {
        text.windows(part.len()).any(|window| window == part.as_bytes())
    }

    /// With a newer list of roots this test shows that Amazon has a new root, years before its endpoints use
    /// it, or that a root was removed.
    #[test]
    fn the_embedded_roots_are_those_that_mozilla_has_of_amazon() {
        let mut embedded = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(AMAZON_ROOTS) {
            embedded.add(certificate.unwrap()).unwrap();
        }
        let embedded: BTreeSet<_> = embedded.roots.iter().map(identity).collect();
        // Amazon bought Starfield's services root, under which the oldest clients know its endpoints.
        let is_amazons = |root: &&TrustAnchor<'_>| {
            contains(&root.subject, "Amazon") || contains(&root.subject, "Starfield Services")
        };
        let mozillas: BTreeSet<_> = TLS_SERVER_ROOTS.iter().filter(is_amazons).map(identity).collect();
        let names = |roots: BTreeSet<(&[u8], &[u8])>| {
            let names = roots.into_iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned());
            names.collect::<Vec<_>>()
        };
        assert_eq!(names(&mozillas - &embedded), [""; 0], "new at Mozilla: add it to amazon-roots.pem");
        assert_eq!(names(&embedded - &mozillas), [""; 0], "no longer at Mozilla: ask why");
        assert_eq!(embedded.len(), 5);
    }

    #[test]
    fn a_bundle_holds_certificates_and_nothing_broken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle.pem");
        let fault = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path).err().map(|fault| fault.to_string())
        };
        let certificate = |inside| format!("-----BEGIN CERTIFICATE-----\n{inside}");
        let whole = certificate("AAAA\n-----END CERTIFICATE-----\n");
        let amazons = std::str::from_utf8(AMAZON_ROOTS).unwrap();
        assert_eq!(fault(amazons), None);
        assert_eq!(
            fault(&format!("{amazons}{whole}")).unwrap(),
            "the file holds something else than certificates"
        );
        assert_eq!(fault(&certificate("AAAA\n")).unwrap(), "the file is not PEM");
        assert_eq!(fault("no certificate").unwrap(), "the file holds no certificate in PEM");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read(&path).unwrap_err().to_string(), "the file cannot be read");
    }
}
