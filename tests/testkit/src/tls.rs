//! Certificates of every kind, and an authority that only tests trust.

use std::sync::Arc;

use base64::Engine as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio_rustls::TlsAcceptor;

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Default for Authority {
    fn default() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }
}

impl Authority {
    /// Returns roots that trust only this authority.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// Returns its own certificate, for a file of roots.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Returns a certificate for `host`, valid from January of the first year to January of the second.
    pub fn issue(&self, host: &str, years: (i32, i32)) -> Identity {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { certificate: certificate.der().clone(), key: key.into() }
    }

    /// Returns a certificate for `host` that is valid today.
    pub fn good(&self, host: &str) -> Identity {
        self.issue(host, (2020, 2120))
    }
}

/// A certificate with its key.
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

/// Returns a self-signed certificate for `host`.
pub fn self_signed(host: &str) -> Identity {
    let certified = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    Identity { certificate: certified.cert.der().clone(), key: certified.signing_key.into() }
}

impl Identity {
    /// Returns the certificate and its key as PEM, for a server in another process.
    pub fn pem(&self) -> (String, String) {
        let pem = |label: &str, bytes: &[u8]| {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            let lines: Vec<&str> =
                text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
            format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
        };
        (pem("CERTIFICATE", &self.certificate), pem("PRIVATE KEY", self.key.secret_der()))
    }

    /// Returns the certificate.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Returns a server's TLS with this certificate and these protocols, or without a choice of protocols.
    pub fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}
