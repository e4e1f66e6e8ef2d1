//! The options of the warehouse.

use std::sync::Arc;

use clap::Args;
use platform::{
    clock::SharedClock,
    secrets::{CachedSecret, StaticSecret},
};
use segment::Secret;
use warehouse_delivery::{Database, Patterns, Schemas, Selection};

use crate::error::CommandError;

/// The options of the warehouse.
#[derive(Args)]
pub struct WarehouseOptions {
    /// A PostgreSQL database that gets every message as rows, in the tables of Segment's warehouses
    #[arg(long, env = "SEGUE_WAREHOUSE", value_name = "URL", hide_env_values = true)]
    pub warehouse: Option<String>,
    /// The schema of the write key "default", or several such as default=segue,shop=shop_eu
    #[arg(long, env = "SEGUE_WAREHOUSE_SCHEMA", value_name = "NAME", default_value = "segue")]
    pub warehouse_schema: Schemas,
    /// Write only these tables and columns, such as `order_*,users.email`; a star stands for any text
    #[arg(
        long,
        env = "SEGUE_WAREHOUSE_INCLUDE",
        value_name = "NAMES",
        default_value = "",
        hide_default_value = true
    )]
    warehouse_include: Patterns,
    /// Leave out these tables and columns, such as `*.context_ip`
    #[arg(
        long,
        env = "SEGUE_WAREHOUSE_EXCLUDE",
        value_name = "NAMES",
        default_value = "",
        hide_default_value = true
    )]
    warehouse_exclude: Patterns,
}

/// The settings of the warehouse.
pub struct WarehouseSettings {
    /// The database.
    pub database: Arc<CachedSecret<Database>>,
    /// The schemas.
    pub schemas: Schemas,
    /// What is written.
    pub selection: Selection,
    /// Where messages go, for people.
    pub description: String,
}

impl WarehouseOptions {
    /// Whether there is a warehouse.
    pub fn is_given(&self) -> bool {
        self.warehouse.is_some()
    }

    /// Returns the database, if there is a warehouse.
    ///
    /// # Errors
    /// A sentence, without secrets, that says what is wrong with it.
    pub fn database(&self) -> Result<Option<Database>, CommandError> {
        let parsed = self.warehouse.as_deref().map(Database::parse).transpose();
        parsed.map_err(|problem| format!("--warehouse is not usable: {problem}").into())
    }

    /// Returns the settings, if there is a warehouse.
    ///
    /// # Errors
    /// As for [`database`](Self::database).
    pub fn settings(&self, clock: &SharedClock) -> Result<Option<WarehouseSettings>, CommandError> {
        let (Some(url), Some(database)) = (&self.warehouse, self.database()?) else { return Ok(None) };
        let (schemas, store) = (self.warehouse_schema.clone(), StaticSecret(Secret::new(url)));
        let description = format!(
            "{} at {}, schema {}",
            database.name(),
            database.address(),
            schemas.of(settings::DEFAULT_WRITE_KEY)
        );
        let database = Arc::new(CachedSecret::new(store, Database::parse, clock.clone()));
        let selection = Selection::new(self.warehouse_include.clone(), self.warehouse_exclude.clone());
        Ok(Some(WarehouseSettings { database, schemas, selection, description }))
    }
}
