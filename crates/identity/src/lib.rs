//! Reads the events of identity providers and says what they become: Segment messages.
//!
//! A provider's file under `providers` knows what its bodies look like, and describes how it proves itself, as data.
//! `mappings.toml` says what becomes of its events. There are three doors, all on [`Mapper`]: map an event, explain
//! one, and identify a user who exists already. Nothing here knows of HTTP, of queues or of a clock.
//!
//! ```
//! use identity::{Config, Mapper, Provider};
//!
//! let config = Config::new("my deployment");
//! let mapper = Mapper::new(&config, None, jiff::Timestamp::constant(1_795_219_200, 0));
//! let body = Provider::named("fusionauth")?
//!     .read(br#"{"event":{"type":"user.login.success","id":"1","user":{"id":"u1"}}}"#)?;
//! let mapping = mapper.map(body.events()?)?;
//! assert_eq!(mapping.messages[0].message.user_id(), Some("u1"));
//! # Ok::<(), identity::MapError>(())
//! ```

mod body;
mod config;
pub mod credentials;
mod error;
mod event;
mod existing;
mod hash_key;
mod mapper;
mod mapping;
mod mappings;
mod members;
mod path;
mod provider;
pub mod providers;
mod time;

pub use body::{Body, Events};
pub use config::Config;
pub use error::{Ignored, MapError, Unusable};
pub use event::{Event, Identity, LOGIN, ReadEvent, SIGN_UP, Subject};
pub use hash_key::HashKey;
pub use mapper::Mapper;
pub use mapping::{Mapped, Mapping};
pub use mappings::{BUILT_IN, Mappings, MappingsError, Position};
pub use provider::{BodyHashToken, EntryPoint, Provider, Signature, SignedMessage};
pub use time::Time;
