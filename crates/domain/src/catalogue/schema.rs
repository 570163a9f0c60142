//! The JSON Schema of a bank's own event, compiled once.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// A compiled JSON Schema. Cloning shares it.
#[derive(Clone)]
pub struct Schema {
    text: Value,
    compiled: Arc<jsonschema::Validator>,
}

impl Schema {
    /// Compiles a schema; the error says what is wrong with it. References to other documents are not followed.
    pub fn compile(text: Value) -> Result<Self, String> {
        let compiled = jsonschema::validator_for(&text).map_err(|error| error.to_string())?;
        Ok(Self {
            text,
            compiled: Arc::new(compiled),
        })
    }

    /// The schema as the bank wrote it, for the developer page.
    pub fn text(&self) -> &Value {
        &self.text
    }

    /// Everything that is wrong with a payload: the place in it as a JSON pointer, and what is wrong there without the values
    /// that stand there, since faults are logged.
    pub fn faults(&self, payload: &Value) -> Vec<(String, String)> {
        self.compiled
            .iter_errors(payload)
            .map(|error| {
                let place = error.instance_path().to_string();
                (place, error.masked().to_string())
            })
            .collect()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.text).finish()
    }
}
