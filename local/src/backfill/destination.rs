//! Where a backfill sends its messages.

use clap::ValueEnum;
use platform::clock::SharedClock;
use warehouse_delivery::WarehouseDestination;

use super::{
    batch::{NotSent, Outgoing},
    checkpoint::fingerprint,
    context::Context,
    options::CommonOptions,
    pace::{Pace, Retries, SEGMENTS_RATE},
    send::Sender,
    warehouse::{self, Writer},
};
use crate::{console::output, error::CommandError, options::warehouse::WarehouseSettings, stand_in};

/// The kind of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Segment, or the stand-in
    Segment,
    /// The PostgreSQL of --warehouse
    Warehouse,
}

/// A destination.
pub enum Destination {
    /// Segment.
    Segment(Box<Sender>),
    /// PostgreSQL.
    Warehouse(Box<Writer>),
}

impl Destination {
    /// Sends a batch until the destination has accepted or permanently rejected each message. Returns those that it does
    /// not have.
    ///
    /// # Errors
    /// When it fails for too long or rejects everything, or the run is to stop. It may then have some messages of the
    /// batch. The next run sends them again with the same message ids.
    pub async fn send(&mut self, batch: Vec<Outgoing>) -> Result<Vec<(Outgoing, NotSent)>, CommandError> {
        match self {
            Self::Segment(sender) => sender.send(batch).await,
            Self::Warehouse(writer) => writer.send(batch).await,
        }
    }
}

impl CommonOptions {
    /// Returns the destination.
    ///
    /// # Errors
    /// A sentence that says which option is wrong.
    pub fn connect(&self, context: &Context) -> Result<Destination, CommandError> {
        match self.to {
            Kind::Segment => Ok(Destination::Segment(Box::new(self.sender(context)?))),
            Kind::Warehouse => {
                let WarehouseSettings { database, schemas, selection, .. } = self.database(&context.clock)?;
                let destination = WarehouseDestination::new(database, schemas, context.clock.clone());
                Ok(Destination::Warehouse(Box::new(Writer {
                    destination: destination.with_selection(selection).with_copy(),
                    pace: self.rate.map(Pace::new),
                    retries: Retries::default(),
                    context: context.clone(),
                })))
            }
        }
    }

    fn sender(&self, context: &Context) -> Result<Sender, CommandError> {
        let listen = crate::options::server::reachable(self.server.listen);
        let advice = match self.segment.use_stand_in() {
            true => format!(
                "start segue serve, or set SEGMENT_ENDPOINT: without an endpoint, messages go to the stand-in at {listen}"
            ),
            false => "wait until it is back".to_owned(),
        };
        self.segment.unsent_warning().iter().for_each(output::note);
        let connection = self.segment.connect(&stand_in::url(listen), &context.clock)?;
        Ok(Sender {
            client: connection.client,
            write_keys: connection.write_keys,
            advice,
            pace: self.segments_pace(),
            retries: Retries::default(),
            context: context.clone(),
        })
    }

    fn database(&self, clock: &SharedClock) -> Result<WarehouseSettings, CommandError> {
        let settings = self.warehouse.settings(clock)?;
        settings.ok_or_else(|| "name the database with --warehouse or SEGUE_WAREHOUSE".into())
    }

    fn segments_pace(&self) -> Pace {
        Pace::new(self.rate.unwrap_or(SEGMENTS_RATE))
    }

    /// Returns how many messages are sent at once.
    pub fn batch_size(&self) -> usize {
        match self.to {
            Kind::Segment => self.segments_pace().batch_size(),
            Kind::Warehouse => self.rate.map_or(warehouse::BATCH_SIZE, |rate| Pace::new(rate).batch_size()),
        }
    }

    /// Returns the name of the destination, for people.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub fn destination(&self, context: &Context) -> Result<String, CommandError> {
        Ok(match (self.to, self.segment.endpoint()) {
            (Kind::Warehouse, _) => self.database(&context.clock)?.description,
            (Kind::Segment, Some(endpoint)) => format!("Segment at {endpoint}"),
            (Kind::Segment, None) => {
                format!("the stand-in (a fake Segment) of segue serve at {}", self.server.listen)
            }
        })
    }

    /// Returns a fingerprint of the destination: the endpoint and the write key, or the database.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub fn destination_fingerprint(&self, context: &Context) -> Result<String, CommandError> {
        Ok(match self.to {
            Kind::Segment => fingerprint(&[self.segment.destination().expose()]),
            // Without the password, which may change.
            Kind::Warehouse => fingerprint(&["warehouse", &self.destination(context)?]),
        })
    }
}
