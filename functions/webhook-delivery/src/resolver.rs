//! A DNS resolver that returns only addresses that may be called.
//!
//! The socket connects to exactly the addresses that it returns. If the name were looked up and checked
//! first, and looked up again by the client, the second answer could differ (DNS rebinding).

use std::{io, net::SocketAddr, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address;

/// The operating system's resolver.
pub(crate) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The client sets its own port.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

/// The name has addresses, but none of them may be called.
#[derive(Debug, thiserror::Error)]
#[error("the name has no public address")]
pub(crate) struct NoPublicAddress;

/// Another resolver, reduced to public addresses.
pub(crate) struct PublicOnly(pub Arc<dyn Resolve>);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let resolving = self.0.resolve(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = resolving.await?.collect();
            if found.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            let public: Vec<_> =
                found.into_iter().filter(|address| address::is_public(address.ip())).collect();
            if public.is_empty() {
                Err(NoPublicAddress.into())
            } else {
                Ok(Box::new(public.into_iter()) as Addrs)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<&'static str>);

    impl Resolve for Fixed {
        fn resolve(&self, _: Name) -> Resolving {
            let found: Vec<SocketAddr> =
                self.0.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect();
            Box::pin(async move { Ok(Box::new(found.into_iter()) as Addrs) })
        }
    }

    async fn resolve(found: &[&'static str]) -> Result<Vec<String>, bool> {
        let resolver = PublicOnly(Arc::new(Fixed(found.to_vec())));
        match resolver.resolve("receiver.test".parse().unwrap()).await {
            Ok(found) => Ok(found.map(|address| address.ip().to_string()).collect()),
            Err(error) => Err(error.is::<NoPublicAddress>()),
        }
    }

    #[tokio::test]
    async fn only_public_addresses_pass_in_their_order() {
        let found = ["10.0.0.1", "8.8.8.8", "::1", "2606:4700:4700::1111", "::ffff:127.0.0.1", "1.1.1.1"];
        assert_eq!(resolve(&found).await.unwrap(), ["8.8.8.8", "2606:4700:4700::1111", "1.1.1.1"]);
    }

    #[tokio::test]
    async fn a_name_without_a_public_address_is_blocked_and_one_without_any_is_not_found() {
        for found in [&["127.0.0.1"][..], &["::1", "169.254.169.254", "fd00:ec2::254"], &["64:ff9b::808:808"]]
        {
            assert_eq!(resolve(found).await, Err(true), "{found:?}");
        }
        assert_eq!(resolve(&[]).await, Err(false));
    }

    #[tokio::test]
    async fn the_local_host_is_blocked_as_the_system_resolves_it() {
        let Err(error) = PublicOnly(Arc::new(SystemResolver)).resolve("localhost".parse().unwrap()).await
        else {
            panic!("localhost is not public");
        };
        assert!(error.is::<NoPublicAddress>(), "{error}");
    }
}
