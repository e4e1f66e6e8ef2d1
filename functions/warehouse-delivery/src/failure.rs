//! The failures of PostgreSQL by their SQLSTATE (PostgreSQL docs, "PostgreSQL Error Codes"): what to do about each, and
//! what a person should look at.
//!
//! PostgreSQL's messages quote values, which are personal data. So a failure has the SQLSTATE and the names that it is
//! about, and PostgreSQL's own message only where that cannot hold a value.

use std::error::Error as _;

use delivery::Failure;
use platform::telemetry::Chain;
use tokio_postgres::{Error, error::DbError};

/// The kind of a failure. It decides what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There is no connection.
    Lost,
    /// The database takes nothing now.
    Busy,
    /// Two transactions met. The same one works when it is repeated.
    Conflict,
    /// Somebody holds the table.
    Locked,
    /// A statement took too long. A trigger of the user may sleep.
    Slow,
    /// The user must change something in the database: a privilege, a database, a table.
    Denied,
    /// The tables are not as they were when the catalogue was read.
    Stale,
    /// A value is refused.
    Value,
    /// A rule of the user's own refuses a row: a constraint or a trigger.
    Constraint,
}

/// Returns what follows from an error.
pub fn cause(error: &Error) -> Cause {
    let Some(state) = error.code() else { return Cause::Lost };
    match state.code() {
        "25006" => Cause::Busy,
        "57014" => Cause::Slow,
        "55P03" | "55006" => Cause::Locked,
        "42P01" | "42703" | "42804" => Cause::Stale,
        state => match &state[..2] {
            "08" => Cause::Lost,
            "53" | "57" | "58" | "XX" => Cause::Busy,
            "40" => Cause::Conflict,
            "22" | "54" => Cause::Value,
            "28" | "3D" | "3F" | "42" | "0A" | "0L" | "0P" | "26" => Cause::Denied,
            _ => Cause::Constraint,
        },
    }
}

/// Returns the failure of an attempt. `cure` is the statement that gives what a missing privilege lacks.
pub fn failure(error: &Error, cure: Option<&str>) -> Failure {
    let cause = cause(error);
    let Some(database) = error.as_db_error() else {
        return Failure::new("connection", format!("there is no connection to PostgreSQL: {}", Chain(error)));
    };
    let state = database.code().code();
    let said = match said(cause, database) {
        said if said.is_empty() => said,
        said => format!(" {}", said.trim_start()),
    };
    match (cause, state) {
        (_, "42501") if database.message().contains("row-level security") => Failure::new(
            "permission",
            format!("PostgreSQL refused it (42501{said}); give the role a policy, or BYPASSRLS"),
        ),
        (_, "42501") => {
            let cure = cure.map(|cure| format!("; run this as the owner: {cure}")).unwrap_or_default();
            Failure::new("permission", format!("PostgreSQL refused it (42501{said}){cure}"))
        }
        (_, "25006") => Failure::new(
            "read_only",
            format!("this server takes no changes ({state}{said}); give the address of the writer"),
        ),
        (_, "42P10") => Failure::new(
            "refused",
            format!("PostgreSQL refused it (42P10{said}); the table needs PRIMARY KEY (id)"),
        ),
        (_, "57014") => Failure::new("timeout", format!("PostgreSQL took too long ({state}{said})")),
        (_, "53100") => Failure::new("disk_full", format!("the disk of PostgreSQL is full ({state})")),
        (_, state) if state.starts_with("28") => {
            Failure::new("authentication", format!("PostgreSQL refused the credentials ({state}{said})"))
        }
        (Cause::Lost | Cause::Busy | Cause::Slow, _) => {
            Failure::new("unavailable", format!("PostgreSQL takes nothing now ({state}{said})"))
        }
        (Cause::Conflict, _) => {
            Failure::new("conflict", format!("another transaction was in the way ({state})"))
        }
        (Cause::Locked, _) => Failure::new(
            "locked",
            format!("somebody holds the table; see pg_locks ({state}{})", names(database)),
        ),
        (Cause::Denied, _) => Failure::new("refused", format!("PostgreSQL refused it ({state}{said})")),
        (Cause::Stale, _) => {
            Failure::new("changed", format!("the table changed in the meantime ({state}{said})"))
        }
        (Cause::Value, _) => {
            Failure::new("value", format!("PostgreSQL refused a value ({state}{})", names(database)))
        }
        (Cause::Constraint, _) => Failure::new(
            "constraint",
            format!(
                "a rule in your database refused the row ({state}{}); look at its constraints and triggers",
                names(database)
            ),
        ),
    }
}

/// Returns PostgreSQL's message if it holds names, and never values.
fn said(cause: Cause, error: &DbError) -> String {
    // A function of the user can raise any SQLSTATE, with values in its message.
    let is_of_function = error.where_().is_some() || error.routine() == Some("exec_stmt_raise");
    match cause {
        Cause::Value | Cause::Constraint => names(error),
        _ if is_of_function => names(error),
        _ => error.message().to_owned(),
    }
}

/// Returns the names of what an error is about.
fn names(error: &DbError) -> String {
    let names = [("table", error.table()), ("column", error.column()), ("constraint", error.constraint())];
    names.iter().filter_map(|(kind, name)| Some(format!(" {kind} {}", (*name)?))).collect()
}

/// Returns the failure of a connection that could not be opened.
pub fn connecting(error: &Error, address: &str) -> Failure {
    if error.as_db_error().is_some() {
        return failure(error, None);
    }
    let mut is_certificate = false;
    let mut cause = error.source();
    while let Some(error) = cause {
        // An error of io hides the one that it was made of from `source`.
        let inner = error.downcast_ref().and_then(std::io::Error::get_ref);
        let tls = inner.and_then(|inner| inner.downcast_ref()).or(error.downcast_ref());
        is_certificate |= matches!(tls, Some(rustls::Error::InvalidCertificate(_)));
        cause = error.source();
    }
    let hint = match is_certificate {
        true => "; give the certificate of the server's CA as `ca`, or its fingerprint",
        false => "",
    };
    let said = Chain(error).to_string();
    // The library asks each server whether it takes changes.
    if said.contains("does not allow writes") {
        let reason = format!("the server at {address} takes no changes; give the address of the writer");
        return Failure::new("read_only", reason);
    }
    Failure::new("connection", format!("no connection to PostgreSQL at {address}: {said}{hint}"))
}
