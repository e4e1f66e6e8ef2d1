//! `segue backfill messages`: Segment messages from a file into PostgreSQL.

use std::path::PathBuf;

use clap::{Args, ValueHint, builder::NonEmptyStringValueParser};
use settings::DEFAULT_WRITE_KEY;

use super::{
    batch::RecordMapper,
    checkpoint::{State, fingerprint},
    context::Context,
    destination::Kind,
    export_file::{ExportFile, Form},
    job::Job,
    options::CommonOptions,
};
use crate::error::CommandError;

/// Options of `segue backfill messages`.
#[derive(Args)]
pub struct Options {
    /// Segment messages, one JSON object per line, gzipped or not, such as the files of Segment's AWS S3 destination
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// The write key whose schema the messages go into
    #[arg(long, value_name = "NAME", default_value = DEFAULT_WRITE_KEY, value_parser = NonEmptyStringValueParser::new())]
    write_key_name: String,
    #[command(flatten)]
    common: CommonOptions,
}

/// Writes the messages.
///
/// # Errors
/// A sentence that says what to do, or the exit code when the reason is already printed.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let Options { file, write_key_name, common } = options;
    if common.to != Kind::Warehouse {
        return Err(
            "messages go only to PostgreSQL, because Segment had them already; add --to warehouse".into()
        );
    }
    let context = Context::new()?;
    let path = std::fs::canonicalize(&file)
        .map_err(|error| format!("{} cannot be read: {error}; check the path", file.display()))?;
    let what = format!("Messages of {}", file.display());
    let destination = common.destination_fingerprint(&context)?;
    let since = common.since.map(|since| since.to_string()).unwrap_or_default();
    let path_text = path.display().to_string();
    let parts = [&path_text, &write_key_name, &since, &destination].map(String::as_str);
    let name = format!("backfill-messages-{}", fingerprint(&parts));
    let mut state = match common.dry_run {
        true => None,
        false => Some(State::open(&common.data_dir, &name, &what, common.restart)?),
    };
    let mapper = RecordMapper::Messages { write_key: write_key_name, since: common.since };
    if state.as_ref().is_some_and(|state| state.checkpoint.finished) {
        return Job::new(&common, &what, state, mapper, context)?.report_already_finished();
    }
    let source = ExportFile::open(&path, Form::Messages, state.as_mut(), None)?;
    Job::new(&common, &what, state, mapper, context)?.run(source).await
}
