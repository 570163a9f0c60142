//! Its poller (RFC 8936): once and at once, or one poll after the other that waits.

use std::sync::Arc;
use std::time::Duration;

use easyssf_receiver::poll::{SsfPoller, SsfPollerOptions};
use easyssf_receiver::transmitter::FixedSsfTransmitterTokenProvider;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{Outcome, believe, say, text};

/// Polls until the file is content, and says how it ended.
pub(crate) async fn run(wish: &Value) -> Outcome<()> {
    let (handled, mut count) = watch::channel(0);
    let processor = Arc::new(believe::processor(wish, handled)?);
    let endpoint = text(wish, "endpoint")?
        .parse()
        .map_err(|_| "`endpoint` is no URL")?;
    let hold = wish["hold_s"].as_u64().map(Duration::from_secs);
    let defaults = SsfPollerOptions::default();
    let max_events = wish["max_events"]
        .as_u64()
        .and_then(|it| usize::try_from(it).ok());
    let interval = wish["interval_s"].as_u64().map(Duration::from_secs);
    let options = SsfPollerOptions {
        interval: interval.unwrap_or(defaults.interval),
        long_polling_hold: hold,
        max_events: max_events.unwrap_or(defaults.max_events),
        transmitter: Some(text(wish, "issuer")?.to_owned()),
        ..defaults
    };
    let token = FixedSsfTransmitterTokenProvider(text(wish, "token")?.to_owned());
    let known = Some(endpoint);
    let poller = SsfPoller::new(
        believe::client(wish)?,
        token,
        Arc::new(move || known.clone()),
        processor,
        options,
    );
    if hold.is_none() {
        say(&match poller.poll_now().await {
            Ok(fetched) => json!({ "fetched": fetched }),
            Err(error) => json!({ "error": error.to_string() }),
        });
        return Ok(());
    }
    poller.start();
    let enough = wish["until"].as_u64().unwrap_or(1);
    count.wait_for(|handled| *handled >= enough).await?;
    // Tells what it has still to tell.
    poller.stop().await;
    say(&json!({ "untold": poller.pending_ack_count().await, "error": poller.last_poll_error() }));
    Ok(())
}
