//! What the ledger says, and waiting for it to say so.

use std::time::Duration;

use oyez_domain::ids::Jti;
use oyez_domain::ledger::history::{Counts, EventFile};
use oyez_domain::ledger::lanes::Health;
use oyez_domain::ledger::push::{Answer, Attempt, Verdict};
use oyez_domain::life::{Outcome, State};
use tokio::time::{sleep, timeout};

use super::world::{PATIENCE, Tpp, World};

/// What the ledger says.
impl World {
    pub(super) async fn counts(&self, tpp: &Tpp) -> Counts {
        self.bank.counts(&tpp.caller).await
    }

    pub(super) async fn health(&self, tpp: &Tpp) -> Health {
        let lane = self.store().find_lane(tpp.client_id.clone()).await.unwrap();
        lane.expect("it has a lane").health
    }

    /// Returns when the endpoint's health is as described.
    pub(super) async fn until_health(&self, tpp: &Tpp, is_so: impl Fn(&Health) -> bool) -> Health {
        until(async || {
            let health = self.health(tpp).await;
            is_so(&health).then_some(health)
        })
        .await
    }

    /// Returns when an event has so many attempts.
    pub(super) async fn until_attempts(&self, jti: Jti, attempts: usize) -> EventFile {
        until(async || {
            let file = self.bank.event(jti).await;
            (file.attempts.len() >= attempts).then_some(file)
        })
        .await
    }

    /// Returns when an event has ended.
    pub(super) async fn until_settled(&self, jti: Jti) -> EventFile {
        until(async || {
            let file = self.bank.event(jti).await;
            (file.summary.state != State::Outstanding).then_some(file)
        })
        .await
    }

    /// Returns when nothing of a TPP's is outstanding.
    pub(super) async fn until_all_settled(&self, tpp: &Tpp) -> Counts {
        until(async || {
            let counts = self.counts(tpp).await;
            (counts.outstanding == 0).then_some(counts)
        })
        .await
    }
}

/// What an attempt came to, in a line: `202 acknowledged`.
pub(super) fn told(attempt: &Attempt) -> String {
    let answer = match &attempt.answer {
        Answer::Response {
            status,
            deviation: None,
            ..
        } => status.to_string(),
        Answer::Response {
            status,
            deviation: Some(deviation),
            ..
        } => format!("{status} {deviation}"),
        Answer::Error { class, .. } => class.clone(),
    };
    let verdict = match attempt.verdict {
        Verdict::Acknowledged => "acknowledged",
        Verdict::Refused { .. } => "refused",
        Verdict::EndpointFailed => "endpoint failed",
    };
    format!("{answer}: {verdict}")
}

/// What an event ended as.
pub(super) fn outcome(file: &EventFile) -> Option<Outcome> {
    match &file.summary.state {
        State::Outstanding => None,
        State::Settled(settlement) => Some(settlement.outcome),
    }
}

/// Asks until there is an answer.
pub(super) async fn until<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, asking)
        .await
        .expect("it becomes true within a minute")
}
