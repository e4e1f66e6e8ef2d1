use axum::routing::get;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

use super::*;

const WHOLE: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Starts a server for so many connections. Returns its address and its stop signal.
async fn serve(most: usize) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(async || "here"));
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(Connections::with_slots(listener, router, most).serve(stopped));
    (address, stop)
}

async fn connect(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// All that comes until the other side ends it.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_at_the_deadline() {
    let (address, _stop) = serve(10).await;
    for (sent, answered) in [("", ""), ("GET / HTTP/1.1\r\nhost: loc", ""), (WHOLE, "here")] {
        let began = Instant::now();
        let mut stream = connect(address, sent).await;
        let answer = rest(&mut stream).await;
        assert!(answer.ends_with(answered), "{sent:?}: {answer}");
        assert!(began.elapsed() < HEAD_DEADLINE * 3, "{sent:?}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_surplus_connection_gets_503_and_is_accepted_once_a_slot_is_free() {
    // One of the three slots is for 503 answers.
    let (address, _stop) = serve(3).await;
    let mut taken = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(address, WHOLE).await;
        // An answered connection has a slot.
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        taken.push(stream);
    }
    let answer = rest(&mut connect(address, WHOLE).await).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 5\r\n"), "{answer}");
    drop(taken);
    let close = WHOLE.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    loop {
        let answer = rest(&mut connect(address, &close).await).await;
        if answer.ends_with("here") {
            break;
        }
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
}

#[tokio::test]
async fn http_2_and_endless_headers_are_refused() {
    let (address, _stop) = serve(10).await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let answer = rest(&mut connect(address, preface).await).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer:?}");
    let endless = format!("GET / HTTP/1.1\r\nhost: localhost\r\na: {}", "x".repeat(2 * HEAD_BYTES));
    let answer = rest(&mut connect(address, &endless).await).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_stop_answers_current_requests_and_closes_idle_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let (began, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let asked = stop.subscribe();
    let slow = move || {
        let (began, mut asked) = (began.clone(), asked.clone());
        async move {
            let _ = began.send(());
            let _ = asked.changed().await;
            "answered"
        }
    };
    let router = Router::new().route("/", get(slow));
    let server = tokio::spawn(Connections::with_slots(listener, router, 10).serve(stopped));
    let mut idle = connect(address, "").await;
    let mut asking = connect(address, WHOLE).await;
    begun.recv().await.unwrap();
    stop.send_replace(true);
    assert!(rest(&mut asking).await.ends_with("answered"));
    assert_eq!(rest(&mut idle).await, "");
    server.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_its_answer_is_disconnected() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (held, mut ended) = tokio::sync::mpsc::channel::<()>(1);
    let endless = move || {
        let held = held.clone();
        async move {
            let chunks = futures_util::stream::unfold(held, |held| async {
                Some((Ok::<_, Infallible>(vec![b'x'; 64 * 1024]), held))
            });
            axum::body::Body::from_stream(chunks)
        }
    };
    let router = Router::new().route("/", get(endless));
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(Connections::with_slots(listener, router, 10).serve(stopped));
    let mut stream = connect(address, WHOLE).await;
    stream.read_exact(&mut [0; 12]).await.unwrap();
    let began = Instant::now();
    // The router is dropped with the connection.
    drop(_stop);
    assert_eq!(ended.recv().await, None);
    assert!(began.elapsed() <= READ_DEADLINE * 2, "{:?}", began.elapsed());
}
