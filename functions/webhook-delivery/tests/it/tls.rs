//! A webhook behind TLS with a good or a self-signed certificate.

use std::{net::SocketAddr, sync::LazyLock};

use rustls::RootCertStore;
use testkit::tls::{Authority, self_signed};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// The roots, and TLS with the two certificates. Creating them takes longer than a run.
static IDENTITIES: LazyLock<(RootCertStore, [TlsAcceptor; 2])> = LazyLock::new(|| {
    let authority = Authority::default();
    let identities = [authority.good("127.0.0.1"), self_signed("127.0.0.1")];
    (authority.roots(), identities.map(|identity| identity.acceptor(&[])))
});

/// Returns the roots that trust the good certificate.
pub fn roots() -> RootCertStore {
    IDENTITIES.0.clone()
}

/// Listens, and forwards TLS connections to `backend`. `is_good` decides for each connection which
/// certificate it shows.
pub async fn listen(backend: SocketAddr, mut is_good: impl FnMut() -> bool + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let [good, self_signed] = &IDENTITIES.1;
            let acceptor = if is_good() { good } else { self_signed };
            tokio::spawn(async move {
                let Ok(mut front) = acceptor.accept(stream).await else { return };
                let Ok(mut back) = TcpStream::connect(backend).await else { return };
                let _ = copy_bidirectional(&mut front, &mut back).await;
            });
        }
    });
    address
}
