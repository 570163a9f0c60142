//! Running, and stopping in good order.
//!
//! The first signal is a request: the TPP listener takes nothing new, waiting polls are answered, no push begins, and what
//! is in flight finishes; meanwhile the internal listener still says that the server is draining, and takes events. Then it
//! stops as well, the issuer keeps what it signed, and the ledger is closed. All of it within the deadline. The internal
//! listener is told so long before it that no publisher is cut off because a TPP is slow. A second signal, or the deadline,
//! cuts everything off: what was confirmed is in the ledger by then, whatever happens.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::signal::unix::SignalKind;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::build::{Face, Server};
use super::crew::{Crew, Left};
use super::{disown, reload};
use crate::failure::Failure;
use crate::output;
use crate::signals::{self, Stops};

/// What ends a server.
pub(crate) enum Ends {
    /// A signal, and a second one at once.
    Signals(Stops),
    /// Whoever runs it beside other things says so, once.
    Word(CancellationToken),
}

impl Server {
    /// Until it is told to stop, or something dies.
    pub(crate) async fn run(mut self, mut ends: Ends, deadline: Duration) -> Result<(), Failure> {
        let no_more = CancellationToken::new();
        let mut crew = Crew::new();
        self.start(&mut crew, &no_more)?;
        let death = tokio::select! {
            name = ends.next() => {
                tracing::info!(signal = name, "stopping");
                None
            }
            left = crew.leave() => Some(death(left)),
        };
        let deadline = Instant::now() + deadline;
        let stopping = timeout_at(deadline, self.stop(&mut crew, &no_more, deadline));
        let stopped = tokio::select! {
            stopped = stopping => stopped.unwrap_or_else(|_| Err(cut_off("its deadline passed"))),
            name = ends.next() => Err(cut_off(&format!("{name} came a second time"))),
        };
        death.map_or(stopped, Err)
    }

    /// One line of addresses: whoever started us may call from now on.
    pub(super) fn announce(&self) -> Result<(), Failure> {
        let mut line = Map::new();
        for (name, face) in [("tpp", &self.tpp), ("internal", &self.internal)] {
            if let Some(face) = face {
                let url = face.url();
                tracing::info!(url, "{name} listens");
                line.insert(name.to_owned(), Value::String(url));
            }
        }
        output::line(Value::Object(line)).map_err(|error| {
            let mend = "check where standard output goes";
            Failure::environment("cannot write the addresses", mend).because(&error)
        })
    }

    fn start(&mut self, crew: &mut Crew, no_more: &CancellationToken) -> Result<(), Failure> {
        let faces = [
            (TPPS, self.tpp.take(), self.draining.clone()),
            (INTERNAL, self.internal.take(), no_more.clone()),
        ];
        for (name, face, stop) in faces {
            if let Some(Face {
                listener, router, ..
            }) = face
            {
                crew.start(name, listener.serve(router, stop, self.tasks.clone()));
            }
        }
        if let Some(delivery) = self.delivery.take() {
            let stop = self.draining.clone();
            crew.start(DELIVERY, async move { delivery.run(stop).await });
        }
        if let Some(attending) = self.attending.take() {
            crew.start("attending", attending.run(self.draining.clone()));
        }
        if let Some(exporter) = self.exporter.take() {
            crew.start("telemetry", exporter.run(no_more.clone()));
        }
        let hang_up = signals::on(SignalKind::hangup())?;
        let sources = std::mem::take(&mut self.sources);
        let bank = &self.bank;
        let disowning = disown::tell(bank.store.clone(), bank.keys.clone(), bank.clock.clone());
        crew.start(
            "reloading",
            until(no_more.clone(), reload::keep_up(sources, hang_up)),
        );
        crew.start("disowning", until(no_more.clone(), disowning));
        let (journal, store) = (bank.journal.clone(), bank.store.clone());
        let keeping = async move { journal.keep(&*store).await };
        crew.start("noting requests", until(no_more.clone(), keeping));
        crew.start(
            "housekeeping",
            until(no_more.clone(), self.housekeeping.clone().run()),
        );
        Ok(())
    }

    async fn stop(
        &self,
        crew: &mut Crew,
        no_more: &CancellationToken,
        deadline: Instant,
    ) -> Result<(), Failure> {
        self.draining.cancel();
        self.bank.waiters.drain();
        let left = deadline.saturating_duration_since(Instant::now());
        let publishers_stop_at = deadline - PUBLISHERS_HAVE.min(left / 2);
        let others_end = async {
            crew.until_gone(TPPS).await;
            crew.until_gone(DELIVERY).await;
        };
        timeout_at(publishers_stop_at, others_end).await.ok();
        no_more.cancel();
        crew.until_empty().await;
        self.bank.journal.write(&*self.bank.store).await;
        let left = deadline.saturating_duration_since(Instant::now());
        let issued = self.bank.issuer.close(left).await;
        self.ledger.close().await?;
        tracing::info!(signing = ?issued, "stopped");
        Ok(())
    }
}

impl Face {
    fn url(&self) -> String {
        let scheme = if self.listener.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }
}

impl Ends {
    /// SIGTERM and SIGINT, from now on.
    pub(crate) fn signals() -> Result<Self, Failure> {
        Stops::hear().map(Self::Signals)
    }

    /// Waits for the next, and says what it was.
    pub(crate) async fn next(&mut self) -> &'static str {
        match self {
            Self::Signals(stops) => stops.next().await,
            Self::Word(said) => {
                std::mem::take(said).cancelled().await;
                "the word"
            }
        }
    }
}

async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    stop.run_until_cancelled(work).await;
}

/// Nothing ends by itself: a part that did has died.
fn death(left: Option<Left>) -> Failure {
    let (name, how) = match left {
        Some(Left { name, how }) => (name, how),
        None => ("everything", Ok(())),
    };
    let why = how
        .err()
        .map_or_else(|| "it ended".to_owned(), |error| error.to_string());
    tracing::error!("{name} died: {why}");
    let mend = "see the log, start it again, and report this";
    Failure::cut_off(format!("a part of the server died: {name}: {why}"), mend)
}

fn cut_off(why: &str) -> Failure {
    let mend = "nothing that was confirmed is lost; give [shutdown] deadline more time if this happens often";
    Failure::cut_off(format!("the server was cut off: {why}"), mend)
}

/// A batch that was just begun is read, durable and answered long before.
const PUBLISHERS_HAVE: Duration = Duration::from_secs(5);

const TPPS: &str = "the listener for TPPs";
const INTERNAL: &str = "the internal listener";
const DELIVERY: &str = "delivery";
