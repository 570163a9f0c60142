//! The console as it is configured.

use oyez_jose::sha256;
use oyez_web::console::{Lifetimes, SealKey, Setup, Transport};
use tokio_util::sync::CancellationToken;

use super::build::Chance;
use super::looks;
use crate::config::Config;
use crate::failure::Failure;
use crate::files::secret;

/// The pages, if there are any.
pub(super) fn setup(
    config: &Config,
    stop: &CancellationToken,
    chance: Chance,
) -> Result<Option<Setup>, Failure> {
    let console = &config.console;
    if !console.pages {
        return Ok(None);
    }
    let speaks_tls = config.internal.certificate.is_some() || console.behind_tls;
    Ok(Some(Setup {
        key: key(config, chance)?,
        lifetimes: Lifetimes {
            idle: console.idle,
            absolute: console.absolute,
        },
        transport: if speaks_tls {
            Transport::Tls
        } else {
            Transport::Plain
        },
        brand: looks::brand(config)?,
        stop: stop.clone(),
    }))
}

fn key(config: &Config, chance: Chance) -> Result<SealKey, Failure> {
    let Some(said) = &config.console.session_key else {
        return Ok(SealKey::new(&chance()?));
    };
    let text = secret(said)?;
    if text.chars().count() < KEY_CHARS_MIN {
        let what = "[console] session_key has fewer than 32 characters";
        let mend = "draw one: openssl rand -hex 32";
        return Err(Failure::environment(what, mend));
    }
    Ok(SealKey::new(&sha256(text.as_bytes())))
}

/// 128 bits in hexadecimal, at least.
const KEY_CHARS_MIN: usize = 32;
