//! One connection to the database.

use std::time::Duration;

use delivery::Failure;
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{Client, NoTls};

use crate::{database::Database, failure};

/// The longest time for one connection attempt to one address.
pub const CONNECT_TIME: Duration = Duration::from_secs(5);

/// The longest time for connecting with TLS and the password.
const OPEN_TIME: Duration = Duration::from_secs(10);

/// A connection. The task ends with it.
pub struct Session {
    client: Client,
    task: JoinHandle<()>,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn open(database: &Database) -> Result<Self, Failure> {
        let opened = timeout(OPEN_TIME, Self::connect(database)).await;
        let address = database.address();
        match opened {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => Err(failure::connecting(&error, &address)),
            Err(_) => Err(Failure::new(
                "connection",
                format!("PostgreSQL at {address} did not answer in {OPEN_TIME:?}"),
            )),
        }
    }

    async fn connect(database: &Database) -> Result<Self, tokio_postgres::Error> {
        // The error of the task is that of the statement that it interrupts, too.
        let (client, task) = match database.tls.clone() {
            Some(tls) => {
                let (client, connection) = database.config.connect(tls).await?;
                (client, tokio::spawn(async { drop(connection.await) }))
            }
            None => {
                let (client, connection) = database.config.connect(NoTls).await?;
                (client, tokio::spawn(async { drop(connection.await) }))
            }
        };
        Ok(Self { client, task })
    }

    /// Returns the client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether it still works, as far as known.
    pub fn is_open(&self) -> bool {
        !self.client.is_closed()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}
