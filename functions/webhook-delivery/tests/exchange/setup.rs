//! The client under test, and DNS whose answers the test sets.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use delivery::Outcome;
use http::HeaderMap;
use platform::clock::{HeldClock, SystemClock};
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use rustls::RootCertStore;
use webhook_delivery::{DEADLINE, Exchange, Failure, Options};

/// DNS that gives these answers one after the other, and the last one from then on. `None` is a failure.
pub struct Names {
    answers: Vec<Option<Vec<IpAddr>>>,
    lookups: AtomicUsize,
}

impl Names {
    pub fn answering(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |text: &&str| text.parse().unwrap();
        let answers = answers.iter().map(|answer| Some(answer.iter().map(parse).collect())).collect();
        Arc::new(Self { answers, lookups: AtomicUsize::new(0) })
    }

    pub fn failing_first(answers: &[&[&str]]) -> Arc<Self> {
        let mut names = Arc::into_inner(Self::answering(answers)).unwrap();
        names.answers.insert(0, None);
        Arc::new(names)
    }

    pub fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }
}

impl Resolve for Names {
    fn resolve(&self, _: Name) -> Resolving {
        let turn = self.lookups.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
        let answer = self.answers[turn].clone();
        Box::pin(async move {
            let found = answer.ok_or_else(|| io::Error::other("no such host is known"))?;
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// Returns a client that may call the loopback.
pub fn private() -> Exchange {
    Exchange::new(true, SystemClock::shared()).unwrap()
}

/// Returns a client as it is deployed.
pub fn public() -> Exchange {
    Exchange::new(false, SystemClock::shared()).unwrap()
}

/// Returns a client with the test's resolver and trust roots.
pub fn with(allow_private: bool, resolver: Arc<dyn Resolve>, roots: RootCertStore) -> Exchange {
    let clock = HeldClock::at("2026-11-21T12:00:00Z".parse().unwrap());
    Exchange::with(Options { allow_private, resolver, roots, deadline: DEADLINE, clock }).unwrap()
}

/// Returns a client that resolves every name to the loopback and may call it.
pub fn named(roots: RootCertStore) -> Exchange {
    with(true, Names::answering(&[&["127.0.0.1"]]), roots)
}

/// Posts a small body.
pub async fn post(exchange: &Exchange, url: &Url) -> Outcome {
    let headers = HeaderMap::from_iter([
        ("user-agent".parse().unwrap(), "Segment.io/1.0".parse().unwrap()),
        ("content-type".parse().unwrap(), "application/json".parse().unwrap()),
        ("x-signature".parse().unwrap(), "0123abcd".parse().unwrap()),
    ]);
    exchange.post(url, headers, Bytes::from_static(br#"{"a":"b"}"#)).await.outcome
}

/// Returns the outcome of a retry without a requested wait.
pub fn retry(failure: Failure) -> Outcome {
    Outcome::retry(failure)
}

/// Returns the outcome of a rejection.
pub fn rejected(failure: Failure) -> Outcome {
    Outcome::Rejected(failure.into())
}
