//! Segment's HTTP API: takes the calls of any Segment library and publishes them as messages.
