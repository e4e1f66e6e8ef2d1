//! `segue warehouse`: what was written into PostgreSQL.

use clap::{Args, Subcommand};
use settings::DEFAULT_WRITE_KEY;
use warehouse_delivery::{Repaired, repair};

use crate::{console::output, error::CommandError, help, options::warehouse::WarehouseOptions};

/// Options of `segue warehouse`.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Put discarded values back into their rows, after you have altered their columns
    #[command(after_help = help::warehouse_repair())]
    Repair(RepairOptions),
}

/// Options of `segue warehouse repair`.
#[derive(Args)]
struct RepairOptions {
    #[command(flatten)]
    warehouse: WarehouseOptions,
    /// Only count the values that fit their columns now
    #[arg(long)]
    dry_run: bool,
    /// The write key whose schema is repaired
    #[arg(long, value_name = "NAME", default_value = DEFAULT_WRITE_KEY)]
    write_key_name: String,
}

/// Puts the values back and prints what became of them.
///
/// # Errors
/// A sentence without secrets.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let Command::Repair(options) = options.command;
    let Some(database) = options.warehouse.database()? else {
        return Err("name the database with --warehouse or SEGUE_WAREHOUSE".into());
    };
    let schema = options.warehouse.warehouse_schema.of(&options.write_key_name);
    let repaired = repair(&database, &schema, options.dry_run).await.map_err(|failure| failure.reason)?;
    for (column, repaired) in &repaired {
        output::print(line(column, repaired, options.dry_run))?;
    }
    let sum = |count: fn(&Repaired) -> u64| repaired.values().map(count).sum::<u64>();
    let (put_back, kept) = (sum(|one| one.put_back), sum(|one| one.kept));
    output::note(match (options.dry_run, put_back + kept) {
        (_, 0) => format!("nothing is discarded in the schema {schema}"),
        (true, _) => format!(
            "{put_back} values fit their columns now, and {kept} do not; without --dry-run they are put back"
        ),
        (false, _) => format!("{put_back} values are in their rows now, and {kept} stay discarded"),
    });
    Ok(())
}

fn line(column: &str, repaired: &Repaired, is_dry: bool) -> String {
    let Repaired { put_back, obsolete, kept } = repaired;
    let done = if is_dry { "fit" } else { "put back" };
    let old = if *obsolete > 0 { format!(", {obsolete} obsolete") } else { String::new() };
    format!("{column}: {put_back} {done}{old}, {kept} stay discarded")
}
