//! The schemas of the bank's own event types, each in a file of its own (T-02).

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::config::Config;

/// One per own event type, in their order: nothing where none is named, or what is wrong with the file.
pub(crate) fn read(config: &Config) -> Vec<Result<Option<Value>, String>> {
    let own = config.event_types.own.iter();
    own.map(|own| own.schema.as_deref().map(read_json).transpose())
        .collect()
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text =
        fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    serde_json::from_slice(&text)
        .map_err(|error| format!("{} is not JSON: {error}", path.display()))
}
