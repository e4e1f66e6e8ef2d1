//! Opens the parts of `segue serve` in the order of their dependencies.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::Router;
use identity::Config;
use identity_webhook::Authentication;
use platform::{
    clock::{SharedClock, SteadyClock},
    sqlite::{Store, StoreError},
    telemetry::Chain,
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};

use super::{Options, regulations, webhooks};
use crate::{
    debugger::{self, Access, CachedNumbers, Debugger, MAX_VIEWERS, Setup},
    error::CommandError,
    http::{
        health,
        router::{self, Handlers},
    },
    journal::{Destinations, Journal, MAX_ITEMS, ViewContext},
    options::{
        segment::{Connection, STAND_IN_WRITE_KEY},
        server::reachable,
        store::unusable,
        warehouse::WarehouseSettings,
    },
    queues::Queues,
    stand_in::{self, StandIn},
};

/// The checked options and the opened parts.
pub struct Wiring {
    pub(super) options: Options,
    pub(super) clock: SharedClock,
    pub(super) authentication: Arc<Authentication>,
    pub(super) webhooks: Option<webhooks::WebhookSettings>,
    pub(super) warehouse: Option<WarehouseSettings>,
    pub(super) regulations: Option<regulations::RegulationSettings>,
    pub(super) store: Store,
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
    /// The access to the page; none if it is off.
    pub(super) access: Option<Access>,
    pub(super) config: Config,
    pub(super) journal: Journal,
    pub(super) queues: Queues,
    pub(super) stand_in: Option<StandIn>,
    pub(super) connection: Connection,
}

impl Wiring {
    /// Checks the options, opens the store, listens, and fills the journal.
    pub async fn open(options: Options) -> Result<Self, CommandError> {
        let mappings = options.mappings.read()?;
        let authentication = options.authentication(mappings.providers())?;
        options.check_exposure(&authentication)?;
        let webhooks = options.webhooks.settings()?;
        let clock = SteadyClock::shared();
        let authentic = authentication.is_configured() || options.allow_unsigned;
        let warehouse = options.warehouse.settings(&clock)?;
        let regulations = options.regulations.settings(authentic, &clock)?;
        let store = Store::open(&options.data_dir, clock.clone())
            .map_err(|error| unusable(&options.data_dir, &error))?;
        let listener = TcpListener::bind(options.listen).await.map_err(|error| {
            format!("{} cannot be listened on: {error}; choose another with --listen", options.listen)
        })?;
        let address = listener.local_addr()?;
        let access = options.page.access(options.is_trial(), &options.data_dir, address.port())?;
        let config = options.config(&store, &authentication, mappings).await?;
        let destinations = Destinations {
            webhooks: webhooks.iter().flat_map(|settings| settings.webhooks.webhooks.clone()).collect(),
            warehouse: warehouse.is_some(),
            regulations: regulations.is_some(),
            stand_in: options.segment.use_stand_in(),
        };
        let journal = Journal::new(destinations, access.is_some(), clock.clone());
        let queues = Queues::of(&store);
        if let Err(error) = queues.segment.dead_letter_orphans(&queues.all().map(|named| named.name)).await {
            tracing::warn!(error = %Chain(&error), "Messages with a damaged queue name stay in place.");
        }
        let stand_in = if options.segment.use_stand_in() {
            let observer = journal.clone();
            let on_receive = Arc::new(move |entries: &mut [stand_in::ReceivedMessage]| {
                observer.received_by_stand_in(entries);
            });
            Some(StandIn::new(store.clone(), clock.clone(), on_receive).await?)
        } else {
            None
        };
        if journal.is_on() {
            restore(&journal, stand_in.as_ref(), &queues).await?;
        }
        let connection =
            options.segment.connect(&stand_in::url((Ipv4Addr::LOCALHOST, address.port()).into()), &clock)?;
        let authentication = Arc::new(authentication);
        Ok(Self {
            options,
            clock,
            authentication,
            webhooks,
            warehouse,
            regulations,
            store,
            listener,
            address,
            access,
            config,
            journal,
            queues,
            stand_in,
            connection,
        })
    }

    /// Returns whether Segment libraries are accepted. Everybody knows the stand-in's write key, so it works
    /// on this machine only.
    pub fn tracking_open(&self) -> bool {
        self.address.ip().is_loopback() || !self.connection.well_known_key
    }

    /// Returns the configuration for people.
    pub fn setup(&self) -> Setup {
        let webhooks = self.webhooks.iter().flat_map(|settings| &settings.webhooks.webhooks);
        let write_key = self.connection.well_known_key && self.tracking_open();
        Setup {
            version: env!("CARGO_PKG_VERSION"),
            url: format!("http://{}", reachable(self.address)),
            deployment: self.config.deployment.clone(),
            stand_in: self.stand_in.is_some(),
            endpoint: self.connection.client.endpoint().to_string(),
            tracking_open: self.tracking_open(),
            write_key: write_key.then(|| STAND_IN_WRITE_KEY.to_owned()),
            webhooks: webhooks.map(|webhook| webhook.name.clone()).collect(),
            unsigned: self.options.takes_unsigned(&self.authentication),
            warehouse: self.warehouse.as_ref().map(|settings| settings.description.clone()),
            regulations: self.regulations.as_ref().map(|settings| settings.description.clone()),
            providers: self.config.providers().clone(),
            own_providers: self.config.mappings.declared().iter().map(|provider| provider.route).collect(),
            authenticated: self.authentication.proofs().into_iter().map(|proofs| proofs.provider).collect(),
        }
    }

    /// Returns all routes. The page's live streams end when `stopped` changes.
    pub fn routes(
        &self,
        handlers: &Arc<Handlers>,
        setup: Arc<Setup>,
        stopped: watch::Receiver<bool>,
    ) -> Router {
        let page = self.access.clone().map_or_else(Router::new, |access| {
            let view_context = ViewContext {
                client: self.connection.client.clone(),
                config: self.config.clone(),
                authentication: self.authentication.clone(),
            };
            let debugger = Debugger {
                journal: self.journal.clone(),
                queues: self.queues.clone(),
                rejected: self.store.rejected(),
                stand_in: self.stand_in.clone(),
                view_context: Arc::new(view_context),
                handlers: handlers.clone(),
                write_keys: self.connection.write_keys.clone(),
                setup,
                stop: stopped,
                numbers: CachedNumbers::default(),
                viewers: Arc::new(Semaphore::new(MAX_VIEWERS)),
            };
            debugger::routes(debugger, access)
        });
        let stand_in = self.stand_in.clone().map(stand_in::routes);
        router::router(handlers, health::routes(self.store.clone()), page, stand_in)
    }
}

/// Restores the journal from the store.
async fn restore(journal: &Journal, stand_in: Option<&StandIn>, queues: &Queues) -> Result<(), StoreError> {
    let mut received = match stand_in {
        Some(stand_in) => stand_in.newest(u32::try_from(MAX_ITEMS).unwrap_or(u32::MAX)).await?,
        None => Vec::new(),
    };
    received.reverse();
    let queues = queues.all().map(|named| (named.kind, named.queue.clone()));
    journal.restore(received, &queues).await
}
