//! HTTP/1.1 over a socket, with only the features that clients need and the faults that tests need.

use std::{io::Read, sync::Arc};

use flate2::read::GzDecoder;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Answer, Request, Shared};

pub(crate) async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    while let Some(mut request) = read(&mut stream, &mut buffer).await {
        if request.line.starts_with("HEAD") {
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
            continue;
        }
        let answer = (shared.script.lock().unwrap())(&request);
        request.taken = answer.takes();
        if request.taken {
            let taken = request.messages().into_iter().map(|message| (request.write_key(), message));
            shared.taken.lock().unwrap().extend(taken);
        }
        shared.requests.lock().unwrap().push(request);
        shared.begin();
        let stays_open = write(&mut stream, answer).await;
        shared.end();
        if !stays_open {
            return;
        }
    }
}

impl Shared {
    fn begin(&self) {
        let mut in_flight = self.in_flight.lock().unwrap();
        in_flight.now += 1;
        in_flight.peak = in_flight.peak.max(in_flight.now);
    }

    fn end(&self) {
        self.in_flight.lock().unwrap().now -= 1;
    }
}

/// Writes an answer. Returns whether the connection stays open.
async fn write(stream: &mut TcpStream, answer: Answer) -> bool {
    match answer {
        Answer::Status(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
            for (name, value) in headers {
                head += &format!("{name}: {value}\r\n");
            }
            stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.is_ok()
        }
        Answer::Bytes(body, sent) => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let sent = sent.min(body.len());
            let written = async {
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&body[..sent]).await
            };
            written.await.is_ok() && sent == body.len()
        }
        Answer::ResetBefore | Answer::ResetAfter => false,
        Answer::EndlessBody => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            while stream.write_all(b"1\r\nx\r\n").await.is_ok() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            false
        }
        Answer::SlowBody(wait) => {
            const BYTES: u32 = 5;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await;
            for _ in 0..BYTES {
                tokio::time::sleep(wait / BYTES).await;
                if stream.write_all(b"x").await.is_err() {
                    return false;
                }
            }
            true
        }
        Answer::Late(wait) => {
            tokio::time::sleep(wait).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"success\":true}").await.is_ok()
        }
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..head_end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let header = |name: &str| headers.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value);
    let length: usize = header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    while buffer.len() < head_end + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let raw: Vec<u8> = buffer.drain(..head_end + length).skip(head_end).collect();
    let body = if header("content-encoding").is_some_and(|value| value == "gzip") {
        let mut text = String::new();
        GzDecoder::new(&raw[..]).read_to_string(&mut text).ok()?;
        text
    } else {
        String::from_utf8(raw).ok()?
    };
    Some(Request { line, headers, body, taken: false })
}
