//! Where events go. Each of these answers when the event is safe there, and no sooner.

mod command;
mod lines;
mod webhook;

use std::sync::Arc;

use oyez_tpp::{Declined, HandOver};

use super::config::{self, Target};
use crate::failure::Failure;
use crate::output::Format;

/// What is configured.
pub(super) fn of(config: &config::HandOver, format: Format) -> Result<Arc<dyn HandOver>, Failure> {
    let judged = "the configuration was judged";
    Ok(match config.to {
        Target::Stdout => Arc::new(lines::Stdout::new(format)),
        Target::File => {
            let path = config.file.clone().expect(judged);
            Arc::new(lines::Lines::open(path)?)
        }
        Target::Command => {
            let command = config.command.clone().expect(judged);
            Arc::new(command::Command::new(command, config.timeout))
        }
        Target::Http => {
            let (url, secret) = (config.url.as_ref(), config.secret.as_ref());
            let (url, secret) = (url.expect(judged), secret.expect(judged));
            Arc::new(webhook::Webhook::new(url, secret, config.timeout)?)
        }
    })
}

/// Not now; the bank offers it again.
fn later(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Declined {
    Declined::Later(why.into())
}
