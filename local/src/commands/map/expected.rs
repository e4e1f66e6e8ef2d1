//! `segue map --expect`: compares a folder of bodies with their expected messages.

use std::{
    fs,
    path::{Path, PathBuf},
};

use identity::{MapError, Mapped, Mapper, Mapping, Provider};
use segment::timestamp;
use serde_json::{Map, Value, json};
use similar::TextDiff;

use crate::{console::output, error::CommandError};

/// The end of the name of a file with expected messages.
const EXPECTED: &str = ".expected.json";

/// Compares the messages of each body in `folder` with the expected ones, or writes those.
///
/// # Errors
/// When a body makes other messages than expected. The differences are printed before.
pub fn check(
    folder: &Path,
    provider: &'static Provider,
    mapper: &Mapper<'_>,
    write: bool,
) -> Result<(), CommandError> {
    let bodies = bodies(folder)?;
    let (mut different, mut without) = (Vec::new(), 0);
    for body in &bodies {
        let outcome = outcome(&read(body)?, provider, mapper);
        let path = expected_path(body);
        if write {
            without += usize::from(!outcome.contains("\"messageId\""));
            fs::write(&path, &outcome).map_err(|error| cannot("written", &path, &error))?;
            continue;
        }
        let name = path.display().to_string();
        let expected = match path.exists() {
            true => String::from_utf8_lossy(&read(&path)?).into_owned(),
            false => String::new(),
        };
        // A checkout on Windows may have other line ends.
        let expected = expected.replace("\r\n", "\n");
        if expected.trim_end() != outcome.trim_end() {
            let diff = TextDiff::from_lines(expected.as_str(), outcome.as_str());
            let diff =
                diff.unified_diff().context_radius(3).header(&name, &body.display().to_string()).to_string();
            output::print(diff.trim_end())?;
            different.push(name);
        }
    }
    let count = bodies.len();
    if write {
        output::note(format!(
            "wrote the expected messages of {count} bodies, {without} of them without a message; read them before you \
             commit them"
        ));
        return Ok(());
    }
    match different.len() {
        0 => output::note(format!("all {count} bodies make the expected messages")),
        wrong => {
            return Err(format!(
                "{wrong} of {count} bodies make other messages than expected; if the new ones are right, write them with --write"
            )
            .into());
        }
    }
    Ok(())
}

/// Returns the files with bodies, in the order of their names.
fn bodies(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let entries = fs::read_dir(folder).map_err(|error| cannot("read", folder, &error))?;
    let mut bodies = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| cannot("read", folder, &error))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(stem) = name.strip_suffix(EXPECTED) {
            // A test that has lost its body would always pass.
            if !folder.join(format!("{stem}.json")).exists() {
                let path = path.display();
                return Err(format!(
                    "{path} has no body {stem}.json beside it; delete it, or restore the body"
                )
                .into());
            }
        } else if path.is_file() && name.ends_with(".json") {
            bodies.push(path);
        }
    }
    bodies.sort();
    if bodies.is_empty() {
        return Err(format!("{} has no body; save each as NAME.json there", folder.display()).into());
    }
    Ok(bodies)
}

/// Returns the path of the expected messages: `login.expected.json` for `login.json`.
fn expected_path(body: &Path) -> PathBuf {
    let stem = body.file_stem().unwrap_or_default().to_string_lossy();
    body.with_file_name(format!("{stem}{EXPECTED}"))
}

/// Returns what becomes of a body, as JSON for people.
fn outcome(body: &[u8], provider: &'static Provider, mapper: &Mapper<'_>) -> String {
    let mapped = || -> Result<Mapping, MapError> { mapper.map(provider.read(body)?.events()?) };
    let outcome = match mapped() {
        Ok(mapping) => {
            let messages: Vec<Value> =
                mapping.messages.iter().map(|mapped| message(mapped, mapper).into()).collect();
            let ignored: Vec<String> = mapping.ignored.iter().map(ToString::to_string).collect();
            json!({"messages": messages, "ignored": ignored})
        }
        Err(error) => json!({"refused": error.to_string()}),
    };
    format!("{outcome:#}\n")
}

/// Returns a message without the parts that change from one run or version to the next.
fn message(mapped: &Mapped, mapper: &Mapper<'_>) -> Map<String, Value> {
    let mut message = mapped.message.as_object().clone();
    if let Some(Value::Object(context)) = message.get_mut("context") {
        context.shift_remove("library");
    }
    if message.get("timestamp").and_then(Value::as_str) == Some(&timestamp::format(mapper.now())) {
        message.insert("timestamp".to_owned(), "the time of receipt".into());
    }
    message
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    fs::read(path).map_err(|error| cannot("read", path, &error))
}

fn cannot(verb: &str, path: &Path, error: &std::io::Error) -> CommandError {
    format!("{} cannot be {verb}: {error}; check the path", path.display()).into()
}
