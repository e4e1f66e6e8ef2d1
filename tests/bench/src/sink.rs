//! A Segment that takes everything, in a process of its own.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::http;

/// Serves until it is killed. Prints its address first. `GET` answers how many messages it took.
pub async fn serve() {
    let taken = Arc::new(AtomicUsize::new(0));
    let address = http::serve(move |request| {
        let body = if request.head.starts_with("get") {
            taken.load(Ordering::SeqCst).to_string()
        } else {
            taken.fetch_add(request.body.matches("\"userId\":").count(), Ordering::SeqCst);
            r#"{"success":true}"#.to_owned()
        };
        async move { ("Content-Type: application/json\r\n".to_owned(), body) }
    });
    println!("http://{}", address.await);
    std::future::pending::<()>().await;
}
