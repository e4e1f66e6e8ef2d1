//! The Lambda entry.

fn main() {}
