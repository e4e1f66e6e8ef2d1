//! The topic and the queues as tables in one SQLite file.
