//! HTTP/1.1 at the lowest cost: the benchmark must not measure its own server.

use std::future::Future;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// A request.
pub struct Request<'a> {
    /// Request line and headers, in lower case.
    pub head: &'a str,
    /// The body.
    pub body: &'a str,
    /// Whether it is the first one of its connection.
    pub is_first: bool,
}

/// The answer to a request.
pub enum Answer {
    /// Answers with this status, these headers beside the length (each with its line end), and this body.
    Reply(u16, String, String),
    /// Never answers. The connection stays open until the other side closes it.
    Silence,
}

impl Answer {
    /// Returns 200 with a body of that content type.
    pub fn ok(content_type: &str, body: impl Into<String>) -> Self {
        Self::Reply(200, format!("Content-Type: {content_type}\r\n"), body.into())
    }
}

/// Answers every request on a free port of loopback. Returns the address.
pub async fn serve<F>(handle: impl Fn(&Request<'_>) -> F + Clone + Send + Sync + 'static) -> String
where
    F: Future<Output = Answer> + Send,
{
    listen(None, handle).await
}

/// Does the same over TLS.
pub async fn serve_tls<F>(
    acceptor: TlsAcceptor,
    handle: impl Fn(&Request<'_>) -> F + Clone + Send + Sync + 'static,
) -> String
where
    F: Future<Output = Answer> + Send,
{
    listen(Some(acceptor), handle).await
}

async fn listen<F>(
    acceptor: Option<TlsAcceptor>,
    handle: impl Fn(&Request<'_>) -> F + Clone + Send + Sync + 'static,
) -> String
where
    F: Future<Output = Answer> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let (handle, acceptor) = (handle.clone(), acceptor.clone());
            tokio::spawn(async move {
                match acceptor {
                    Some(acceptor) => answer_all(acceptor.accept(stream).await.ok()?, handle).await,
                    None => answer_all(stream, handle).await,
                }
            });
        }
    });
    address
}

/// Answers requests until the other side closes the connection.
async fn answer_all<F: Future<Output = Answer> + Send>(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    handle: impl Fn(&Request<'_>) -> F,
) -> Option<()> {
    let mut buffer = Vec::with_capacity(1 << 16);
    let mut is_first = true;
    loop {
        let head_end = loop {
            if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..head_end]).to_ascii_lowercase();
        let length = content_length(&head);
        while buffer.len() < head_end + length {
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        }
        let body = std::str::from_utf8(&buffer[head_end..head_end + length]).unwrap();
        let answer = handle(&Request { head: &head, body, is_first });
        is_first = false;
        let Answer::Reply(status, headers, body) = answer.await else {
            while stream.read(&mut [0; 1024]).await.ok()? > 0 {}
            return None;
        };
        buffer.drain(..head_end + length);
        let answer = format!("HTTP/1.1 {status} -\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
    }
}

/// Returns the length in a head in lower case.
pub fn content_length(head: &str) -> usize {
    let after = head.split("content-length: ").nth(1);
    after.map_or(0, |rest| rest.split("\r\n").next().unwrap().trim().parse().unwrap())
}
