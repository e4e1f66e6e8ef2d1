//! Leaving Auth0's rule behind.

use serde_json::{Value, json};

use crate::process::Server;

#[tokio::test]
async fn who_signed_up_is_remembered_over_a_crash() {
    let data = tempfile::tempdir().unwrap();
    let login = json!({"user": {"user_id": "auth0|1"}, "context": {}}).to_string();
    for expected in ["signup", "login"] {
        let server = Server::start(data.path(), &[]);
        let answer = server.post("/identity/auth0/login", login.clone()).await;
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"event": expected}));
        server.kill();
    }
}
