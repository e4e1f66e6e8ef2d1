//! The JSON API of the page: the live list, details, dead letters, Try it, and access.

mod access;
mod dead_letters;
mod details;
mod faults;
mod list;
mod tail;
