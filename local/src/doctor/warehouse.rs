//! Checks the warehouse: connection, TLS, version, privileges, and the values that were discarded. It writes nothing.

use settings::DEFAULT_WRITE_KEY;
use warehouse_delivery::Examination;

use super::finding::Finding;
use crate::serve;

const CHECK: &str = "warehouse";

/// Returns the findings about the database.
pub async fn check(options: &serve::Options) -> Vec<Finding> {
    let database = match options.warehouse.database() {
        Ok(Some(database)) => database,
        Ok(None) => return vec![Finding::ok(CHECK, "none; add one with --warehouse")],
        Err(error) => return vec![Finding::problem(CHECK, error.to_string(), "correct SEGUE_WAREHOUSE")],
    };
    let mut findings = Vec::new();
    if database.is_unchecked {
        findings.push(Finding::warning(
            CHECK,
            "the connection is encrypted, but nobody checks who the server is",
            "replace sslmode=require by sslmode=verify-full, with sslrootcert or sslfingerprint if the server's \
             certificate is not public (docs/warehouse.md)",
        ));
    }
    let schema = options.warehouse.warehouse_schema.of(DEFAULT_WRITE_KEY);
    match Examination::of(&database, &schema).await {
        Err(failure) => findings.push(Finding::problem(
            CHECK,
            failure.reason,
            "correct SEGUE_WAREHOUSE, or the server (docs/warehouse.md)",
        )),
        Ok(examination) => findings.extend(assess(&examination, &database.address(), &schema)),
    }
    findings
}

fn assess(examination: &Examination, address: &str, schema: &str) -> Vec<Finding> {
    let Examination { version, is_recent, takes_changes, missing, discards } = examination;
    let found = format!("PostgreSQL {version} at {address}, schema {schema}");
    let mut findings = Vec::new();
    if !is_recent {
        findings.push(Finding::problem(CHECK, format!("{found} is too old"), "use PostgreSQL 12 or later"));
    }
    if !takes_changes {
        let fix = "give the address of the writer, not of a reader";
        findings.push(Finding::problem(CHECK, format!("{found} takes no changes"), fix));
    }
    for (what, cure) in missing {
        let found = format!("Segue may not {what}");
        findings.push(Finding::problem(CHECK, found, format!("run as the owner of the database: {cure}")));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, found));
    }
    for discarded in discards {
        findings.push(Finding::warning(
            CHECK,
            format!(
                "{} of {schema}: {} values were discarded: {}",
                discarded.column, discarded.count, discarded.reason
            ),
            "see the table segue_discards (docs/warehouse.md)",
        ));
    }
    findings
}
