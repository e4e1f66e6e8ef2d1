//! A webhook behind TLS that shows a good certificate or a self-signed one, as it is told.

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// Who is trusted, and the two certificates. Making them takes longer than a run.
static IDENTITIES: LazyLock<Identities> = LazyLock::new(Identities::new);

struct Identities {
    roots: RootCertStore,
    good: Arc<ServerConfig>,
    self_signed: Arc<ServerConfig>,
}

impl Identities {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let key = KeyPair::generate().unwrap();
        let good = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority);
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        Self {
            roots,
            good: server(good.unwrap().der(), key.into()),
            self_signed: server(own.cert.der(), own.signing_key.into()),
        }
    }
}

fn server(certificate: &CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Arc<ServerConfig> {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    Arc::new(config)
}

/// Trust in the good certificate.
pub fn roots() -> RootCertStore {
    IDENTITIES.roots.clone()
}

/// Listens, and passes what comes over TLS on to `backend`. For each connection `is_good` says which certificate
/// it shows.
pub async fn listen(backend: SocketAddr, mut is_good: impl FnMut() -> bool + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let identity = if is_good() { &IDENTITIES.good } else { &IDENTITIES.self_signed };
            let acceptor = TlsAcceptor::from(identity.clone());
            tokio::spawn(async move {
                let Ok(mut front) = acceptor.accept(stream).await else { return };
                let Ok(mut back) = TcpStream::connect(backend).await else { return };
                let _ = copy_bidirectional(&mut front, &mut back).await;
            });
        }
    });
    address
}
