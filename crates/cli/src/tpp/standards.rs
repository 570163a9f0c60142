//! What SETs of a configured bank are judged by, for `oyez verify`.

use std::path::Path;
use std::sync::Arc;

use oyez_jose::Jwks;
use oyez_tpp::Identity;

use super::config::TppConfig;
use super::parties::{Parties, chosen};
use crate::commands::Surroundings;
use crate::failure::Failure;

/// Of one bank, as one of its clients sees it.
pub(crate) struct Standards {
    /// What it signs with today.
    pub(crate) keys: Arc<Jwks>,
    /// Who signs, and `iss`.
    pub(crate) identity: Identity,
    /// `aud`
    pub(crate) audience: String,
}

impl Standards {
    pub(super) async fn fetch(
        bank: &str,
        file: &Path,
        around: &Surroundings,
    ) -> Result<Self, Failure> {
        let config = TppConfig::read(file)?;
        let names = [bank.to_owned()];
        let at = chosen(&config.tpp, &names)?[0];
        let bank = Parties::of(&config.tpp, around)?.bank(at)?;
        let setup = bank.setup();
        let keys = setup.keys.current().await.map_err(|error| {
            let what = format!("the keys of `{}` cannot be had", at.name);
            Failure::environment(what, "see the reason; `--jwks FILE` needs no network")
                .because(&error)
        })?;
        Ok(Self {
            keys,
            identity: setup.identity.clone(),
            audience: at.client_id.to_string(),
        })
    }
}
