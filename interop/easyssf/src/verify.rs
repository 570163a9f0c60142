//! Its verifier alone: which SETs of the file it believes, and what they say.

use std::sync::Arc;

use easyssf_receiver::set::SsfSetVerifier as _;
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};

use crate::{Outcome, believe, say};

/// Says the claims of each SET, or why it is not believed.
pub(crate) async fn run(wish: &Value) -> Outcome<()> {
    let keys: JwkSet = serde_json::from_value(wish["keys"].clone())?;
    let verifier = believe::verifier(wish, Arc::new(keys))?;
    let sets = wish["sets"].as_array().ok_or("the file lacks `sets`")?;
    for set in sets.iter().filter_map(Value::as_str) {
        say(&match verifier.verify(set).await {
            Ok(token) => json!({ "ok": token.claims() }),
            Err(error) => json!({ "error": error.to_string() }),
        });
    }
    Ok(())
}
