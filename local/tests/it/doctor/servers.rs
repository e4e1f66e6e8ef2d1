//! Fake servers: each gives the same answer to every request, or none, and records the requests.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use rustls::{ServerConnection, StreamOwned};
use testkit::tls::self_signed;

/// A server that runs until the test process ends.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers every request with this status line, these headers and this body.
    pub fn answering(status: &str, headers: &str, body: &str) -> Self {
        let answer = format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        Self::start(move |stream, requests| {
            if let Some(request) = head(stream) {
                // No body follows a HEAD.
                let end = answer.find("\r\n\r\n").unwrap() + 4;
                let end = if request.starts_with("HEAD") { end } else { answer.len() };
                requests.lock().unwrap().push(request);
                let _ = stream.write_all(&answer.as_bytes()[..end]);
            }
        })
    }

    /// Accepts connections, keeps them open and never answers.
    pub fn silent() -> Self {
        Self::start(|stream, requests| {
            let mut came = Vec::new();
            let _ = stream.read_to_end(&mut came);
            if !came.is_empty() {
                requests.lock().unwrap().push(String::from_utf8_lossy(&came).into_owned());
            }
        })
    }

    /// Speaks TLS with a certificate that it signed itself.
    pub fn self_signed() -> Self {
        let config = self_signed("localhost").acceptor(&[]).config().clone();
        Self::start(move |stream, requests| {
            let mut stream =
                StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream.try_clone().unwrap());
            requests.lock().unwrap().extend(head(&mut stream));
        })
    }

    fn start(serve: impl Fn(&mut TcpStream, &Mutex<Vec<String>>) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, requests) = (listener.local_addr().unwrap(), Arc::default());
        let kept = Arc::clone(&requests);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (serve, kept) = (serve.clone(), Arc::clone(&kept));
                thread::spawn(move || serve(&mut stream, &kept));
            }
        });
        Self { address, requests }
    }

    /// `127.0.0.1:` and the port.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Its URL with this scheme and path.
    pub fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{path}", self.address)
    }

    /// The heads of all requests.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads the head of a request. Returns None when the connection ends before it, or it is not HTTP.
fn head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) if !head.is_empty() || byte[0].is_ascii_uppercase() => head.push(byte[0]),
            _ => return None,
        }
    }
    String::from_utf8(head).ok()
}
