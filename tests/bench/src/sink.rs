//! A Segment that takes everything at the least cost, in a process of its own: it must not be what is measured.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Serves until it is killed. Prints its address first. `GET` answers how many messages it took.
pub async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::new(AtomicUsize::new(0));
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        tokio::spawn(answer(stream, taken.clone()));
    }
}

async fn answer(mut stream: TcpStream, taken: Arc<AtomicUsize>) -> Option<()> {
    let mut buffer = Vec::with_capacity(1 << 20);
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
        let length: usize = head
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
        while buffer.len() < head_end + length {
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        }
        let body = if head.starts_with("get") {
            taken.load(Ordering::SeqCst).to_string()
        } else {
            let text = std::str::from_utf8(&buffer[head_end..head_end + length]).unwrap();
            taken.fetch_add(text.matches("\"userId\":").count(), Ordering::SeqCst);
            r#"{"success":true}"#.to_owned()
        };
        buffer.drain(..head_end + length);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}
