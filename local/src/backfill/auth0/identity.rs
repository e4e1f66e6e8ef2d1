//! Whether a file is the one that was begun with.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use platform::encoding::hex;
use ring::digest::{Context, SHA256};
use serde_json::{Map, Value, json};

use crate::{backfill::checkpoint::State, error::CommandError};

/// How much of each end of the file tells it from another.
const END_BYTES: u64 = 64 * 1024;

/// What tells this file from another one of the same name.
fn identity(file: &mut File, size: u64) -> io::Result<Value> {
    let mut context = Context::new(&SHA256);
    for start in [0, size.saturating_sub(END_BYTES)] {
        file.seek(SeekFrom::Start(start))?;
        let mut end = Vec::new();
        Read::by_ref(file).take(END_BYTES).read_to_end(&mut end)?;
        context.update(&end);
    }
    file.rewind()?;
    Ok(json!({"bytes": size, "ends": hex(&context.finish().as_ref()[..16])}))
}

/// Notes which file it is that is sent.
///
/// # Errors
/// A sentence when a part of another one of the same name is sent already.
pub fn same_file(path: &Path, file: &mut File, size: u64, state: &mut State) -> Result<(), CommandError> {
    let is = identity(file, size).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let source = &mut state.checkpoint.source;
    if source.is_null() {
        *source = Value::Object(Map::new());
    }
    match source.get("file") {
        Some(was) if *was != is && state.checkpoint.position.is_some() => Err(format!(
            "{} is not the file of which a part is sent; begin anew with --restart: what is sent again is the same \
             messages, and Segment drops those",
            path.display()
        )
        .into()),
        _ => {
            source["file"] = is;
            Ok(())
        }
    }
}
