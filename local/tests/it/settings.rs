//! Settings that are not what was meant: they are pointed out with what was, and personal data never leave because of
//! them.

mod mapping;
mod secret;
mod write_key;
