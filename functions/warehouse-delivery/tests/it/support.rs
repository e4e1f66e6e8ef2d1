//! A destination that writes into a server of its own.

use std::sync::Arc;

use platform::{clock::SharedClock, secrets::CachedSecret};
use testkit::{StoredSecret, World, postgres::PostgresServer};
use warehouse_delivery::{Database, Schemas, WarehouseDestination};

/// A queue whose messages go into a database.
pub struct Warehouse {
    pub server: Arc<PostgresServer>,
    pub world: World<WarehouseDestination>,
}

/// Returns a destination that connects with a connection string.
pub fn destination(url: impl Into<String>, clock: SharedClock) -> WarehouseDestination {
    of_secret(StoredSecret::new(url), clock)
}

/// Returns a destination that connects with a connection string that may change.
pub fn of_secret(secret: StoredSecret, clock: SharedClock) -> WarehouseDestination {
    let database = CachedSecret::new(secret, Database::parse, clock.clone());
    WarehouseDestination::new(Arc::new(database), Schemas::default(), clock)
}

impl Warehouse {
    pub async fn start() -> Self {
        Self::on(Arc::new(PostgresServer::start().await))
    }

    pub fn on(server: Arc<PostgresServer>) -> Self {
        let url = server.url("postgres");
        Self::connecting(server, url)
    }

    /// Returns a queue whose destination connects so.
    pub fn connecting(server: Arc<PostgresServer>, url: String) -> Self {
        Self { server, world: World::new(move |_, clock| destination(url.clone(), clock.clone())) }
    }

    /// Writes messages in one batch.
    pub async fn write<M: AsRef<str>>(&self, messages: &[M]) {
        for message in messages {
            self.world.publish(message.as_ref(), "default").await;
        }
        self.world.poll(500).await;
    }

    /// Writes messages in one batch, all of which arrive in the tables.
    pub async fn wrote<M: AsRef<str>>(&self, messages: &[M]) {
        self.write(messages).await;
        self.assert_empty().await;
    }

    /// Asserts that no message waits, and that none is dead.
    pub async fn assert_empty(&self) {
        let (queued, dead) = (self.world.queued().await, self.world.dead_letters().await);
        assert!(queued.is_empty() && dead.is_empty(), "{queued:?} {dead:?}");
    }

    /// Returns the discarded values of a table: the column, the property, the value and the reason of each.
    pub async fn discards(&self, table: &str) -> Vec<Vec<String>> {
        let select = format!(
            "SELECT column_name, property, column_value, reason FROM segue.segue_discards \
             WHERE table_name = '{table}' ORDER BY property COLLATE \"C\""
        );
        self.server.rows(&select).await
    }

    /// Returns the names and types of a table's columns, in the order of their names.
    pub async fn columns(&self, table: &str) -> Vec<(String, String)> {
        let select = format!(
            "SELECT column_name, data_type FROM information_schema.columns \
             WHERE table_schema = 'segue' AND table_name = '{table}' ORDER BY column_name COLLATE \"C\""
        );
        let rows = self.server.rows(&select).await;
        rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
    }
}

/// Returns a track call with these properties, as JSON.
pub fn track(id: &str, properties: &str) -> String {
    message(id, &format!(r#""type":"track","event":"Order Completed","properties":{properties}"#))
}

/// Returns an identify call with these traits, as JSON.
pub fn identify(id: &str, traits: &str) -> String {
    message(id, &format!(r#""type":"identify","traits":{traits}"#))
}

/// Returns a message of a user with these fields.
pub fn message(id: &str, fields: &str) -> String {
    format!(
        r#"{{"messageId":"{id}","userId":"u1",{fields},"timestamp":"2026-11-21T04:00:00.000Z","receivedAt":"2026-11-21T04:00:01.000Z"}}"#
    )
}
