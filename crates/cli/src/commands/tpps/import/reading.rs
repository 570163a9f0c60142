//! Files, taken apart into entries: each a software statement or an object, with the place it stands at.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::super::super::read_file_or_stdin;
use super::entry::Fault;
use crate::failure::Failure;

/// One entry as it was written.
pub(super) enum Text {
    /// A software statement.
    Statement(String),
    /// An object.
    Object(Map<String, Value>),
}

impl Text {
    /// The client_id that an object says.
    pub(super) fn client_id(&self) -> Option<String> {
        match self {
            Self::Statement(_) => None,
            Self::Object(members) => members.get("client_id")?.as_str().map(str::to_owned),
        }
    }
}

/// What a place holds.
pub(super) type Placed = (String, Result<Text, Fault>);

/// The entries of all files, in order.
pub(super) fn entries(files: &[PathBuf]) -> Result<Vec<Placed>, Failure> {
    let mut entries = Vec::new();
    for path in files {
        let text = read_file_or_stdin(Some(path), FILE_BYTES_MAX + 1)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            let what = format!("{} is longer than 256 MiB", path.display());
            return Err(Failure::usage(what, "split it"));
        }
        entries.extend(entries_of(&name(path), &text));
    }
    if entries.is_empty() {
        let what = "there is nothing in what was to be imported";
        return Err(Failure::usage(what, "check the file"));
    }
    Ok(entries)
}

/// A document as a whole, if it is one; otherwise each line for itself.
fn entries_of(name: &str, text: &str) -> Vec<Placed> {
    if let Ok(document) = serde_json::from_str::<Value>(text) {
        let list = match document {
            Value::Array(list) => list,
            Value::Object(mut members) if members.contains_key("tpps") => {
                match members.remove("tpps") {
                    Some(Value::Array(list)) => list,
                    other => other.into_iter().collect(),
                }
            }
            other => return vec![(name.to_owned(), of_value(other))],
        };
        let list = list.into_iter().enumerate();
        return list
            .map(|(index, value)| (format!("{name}[{index}]"), of_value(value)))
            .collect();
    }
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, line)| (format!("{name}:{}", index + 1), of_line(line)))
        .collect()
}

fn of_line(line: &str) -> Result<Text, Fault> {
    if is_jwt(line) {
        return Ok(Text::Statement(line.to_owned()));
    }
    let value = serde_json::from_str(line);
    of_value(value.map_err(|error| format!("neither JSON nor a software statement: {error}"))?)
}

fn of_value(value: Value) -> Result<Text, Fault> {
    match value {
        Value::Object(members) => Ok(Text::Object(members)),
        Value::String(text) if is_jwt(&text) => Ok(Text::Statement(text)),
        _ => Err("neither an object nor a software statement".to_owned()),
    }
}

fn is_jwt(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.matches('.').count() == 2 && text.chars().all(allowed)
}

fn name(path: &Path) -> String {
    if path == Path::new("-") {
        "-".to_owned()
    } else {
        path.display().to_string()
    }
}

/// Every TPP of the directory with its keys in the file is some megabytes.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
