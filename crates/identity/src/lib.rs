//! Reads the events of identity providers and turns them into Segment messages.
//!
//! - **Provider**: a service that manages users, such as FusionAuth. A file declares how its bodies are read and
//!   how its requests prove themselves, or a module under `providers` does ([`Provider`]).
//! - **Event**: one event in a body, such as a login.
//! - **Rule**: the description in the provider's file of the messages that an event type becomes.
//! - **Profile**: the user in Segment's names, which a provider's module makes from an event.
//!
//! [`Mapper`] has three functions: `map` maps events, `explain` maps them with details for people, and
//! `identify` identifies an existing user. This crate does not depend on HTTP, on queues or on a clock.
//!
//! ```
//! use identity::{Config, Mapper};
//!
//! let config = Config::new("my deployment");
//! let mapper = Mapper::new(&config, None, jiff::Timestamp::constant(1_795_219_200, 0));
//! let body = config.providers().named("fusionauth")?
//!     .read(br#"{"event":{"type":"user.login.success","id":"1","user":{"id":"u1"}}}"#)?;
//! let mapping = mapper.map(body.events()?)?;
//! assert_eq!(mapping.messages[0].message.user_id(), Some("u1"));
//! # Ok::<(), identity::MapError>(())
//! ```

mod body;
mod built_in;
mod config;
pub mod credentials;
mod declaration;
mod document;
mod error;
mod event;
mod existing_user;
mod faults;
mod hash_key;
mod mapper;
mod mapping;
mod mappings;
mod members;
mod path;
mod provider;
pub mod providers;
mod schema;
mod signature;
mod time;

pub use body::{Body, Events};
pub use built_in::TEXTS;
pub use config::{Config, MAPPINGS_SECRET};
pub use document::Position;
pub use error::{Ignored, MapError, Unusable};
pub use event::{Event, Identity, LOGIN, ReadEvent, SIGN_UP, Subject};
pub use hash_key::HashKey;
pub use mapper::{Mapper, provider_of_message};
pub use mapping::{Mapped, Mapping};
pub use mappings::{GUIDE, Mappings, MappingsError};
pub use provider::{Answer, EntryPoint, Provider};
pub use providers::Providers;
pub use schema::schema;
pub use signature::{
    BodyHashToken, Content, Encoding, Hmac, HmacAlgorithm, HmacForm, SecretForm, Signature, StaticProof,
    TimestampUnit,
};
pub use time::Time;
