//! What the page is made from: the live list, a message's details, dead letters, trials; and who may see it.

mod access;
mod dead_letters;
mod details;
mod faults;
mod list;
mod tail;
