//! A receiver: a listener on the loopback that counts connections and handles each as the test says.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use reqwest::Url;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The running receiver. It stops with the runtime.
pub struct Receiver {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    pub requests: Requests,
}

/// The requests that were read, head and body, as they were on the wire.
#[derive(Clone, Default)]
pub struct Requests(Arc<Mutex<Vec<String>>>);

impl Requests {
    pub fn push(&self, request: String) {
        self.0.lock().unwrap().push(request);
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Receiver {
    /// Handles every connection with `serve`.
    pub async fn start<F>(serve: impl Fn(TcpStream, Requests) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::at("127.0.0.1:0", serve).await
    }

    /// Does the same at an address of the test's choice.
    pub async fn at<F>(address: &str, serve: impl Fn(TcpStream, Requests) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Requests::default(),
        };
        let (connections, requests) = (receiver.connections.clone(), receiver.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, requests.clone()));
            }
        });
        receiver
    }

    /// Answers every request with the same bytes and keeps the connection open.
    pub async fn answering(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::start(move |mut stream, requests| {
            let answer = answer.clone();
            async move {
                while read_request(&mut stream, &requests).await {
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        })
        .await
    }

    /// Answers one request of a connection with these bytes, then closes it.
    pub async fn answering_once(answer: &'static [u8]) -> Self {
        Self::start(async move |mut stream: TcpStream, requests: Requests| {
            if read_request(&mut stream, &requests).await {
                stream.write_all(answer).await.unwrap();
            }
        })
        .await
    }

    /// Returns the number of connections.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Returns a URL with its literal address.
    pub fn url(&self) -> Url {
        format!("http://{}/hook", self.address).parse().unwrap()
    }

    /// Returns a URL with a name that the test's resolver knows.
    pub fn named(&self, scheme: &str, host: &str) -> Url {
        format!("{scheme}://{host}:{}/hook", self.address.port()).parse().unwrap()
    }
}

/// Reads one HTTP/1 request. Returns false if the connection ends before.
pub async fn read_request(stream: &mut (impl AsyncRead + Unpin), requests: &Requests) -> bool {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                requests.push(text.into_owned());
                return true;
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return false;
        }
    }
}

/// Keeps a connection open until the other side closes it.
pub async fn hold(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut sink = [0; 1024];
    while stream.read(&mut sink).await.unwrap_or(0) > 0 {}
}
