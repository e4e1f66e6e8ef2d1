//! Mistakes in settings: they are reported with the right name, and no personal data is sent because of them.

mod mapping;
mod secret;
mod write_key;
