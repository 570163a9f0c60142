//! The bank's own side: its core system, its operator and its administrator, each with a token of their own, over the
//! internal API.

use std::time::Duration;

use oyez_outbound::Anchors;
use oyez_tpp::jose::Jwks;
use oyez_web::internal::operators::Role;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;
use url::Url;

use super::cast::Person;
use super::premises::Premises;
use super::story::retry_policy;
use super::why::{Why, ensure, told};
use crate::failure::Failure;
use crate::internal_client::{InternalClient, Repeats, Server, Token};

/// Whoever works at the bank.
pub(super) struct Desk {
    publisher: InternalClient,
    viewer: InternalClient,
    administrator: InternalClient,
}

/// What became of a published item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Outcome {
    pub(super) outcome: String,
    #[serde(default)]
    pub(super) jti: Option<String>,
}

/// How many events of a TPP stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Counts {
    pub(super) accepted: u64,
    pub(super) outstanding: u64,
    pub(super) acknowledged: u64,
    pub(super) failed: u64,
    pub(super) expired: u64,
    pub(super) withdrawn: u64,
}

#[derive(Deserialize)]
struct Outcomes {
    outcomes: Vec<Outcome>,
}

impl Desk {
    pub(super) fn new(
        url: &str,
        premises: &Premises,
        tasks: &TaskTracker,
    ) -> Result<Self, Failure> {
        let client = |role: Role| {
            let anchors = Anchors::from_pem(premises.authority.as_bytes());
            let server = Server {
                url: Url::parse(url).expect("an address and port make a URL"),
                token: Token::new(premises.token(role), format!("{}.token", role.name()))?,
                anchors: Some(anchors.map_err(|error| {
                    let mend = "try again";
                    Failure::environment("the certificate just made cannot be used", mend)
                        .because(&error)
                })?),
            };
            InternalClient::new(server, tasks)
        };
        Ok(Self {
            publisher: client(Role::Publisher)?,
            viewer: client(Role::Viewer)?,
            administrator: client(Role::Admin)?,
        })
    }

    /// Whether the server says that it is ready.
    pub(super) async fn ready(&self) -> Result<(), Why> {
        let answer = self.viewer.get(&["health", "ready"], &[]).await;
        answer.map(|_| ()).map_err(|error| told(&error))
    }

    /// Makes somebody known to the bank.
    pub(super) async fn register(&self, person: Person, keys: &Jwks) -> Result<(), Why> {
        let keys: Value = serde_json::from_str(&keys.to_json())?;
        let profile = json!({
            "client_id": person.client_id,
            "name": person.name,
            "org_id": person.org_id,
            "software_id": person.software_id,
            "keys": {"jwks": keys},
            "overrides": {"retry": retry_policy(person)},
        });
        let made = self.administrator.post(&["v1", "tpps"], &profile).await;
        made.map(|_| ()).map_err(|error| told(&error))
    }

    /// Serves somebody no more, or again.
    pub(super) async fn disable(&self, person: Person) -> Result<(), Why> {
        let reason = json!({"reason": "the story wants it"});
        let path = ["v1", "tpps", person.client_id, "disable"];
        let done = self.administrator.post(&path, &reason).await;
        done.map(|_| ()).map_err(|error| told(&error))
    }

    pub(super) async fn enable(&self, person: Person) -> Result<(), Why> {
        let path = ["v1", "tpps", person.client_id, "enable"];
        let done = self.administrator.post(&path, &json!({})).await;
        done.map(|_| ()).map_err(|error| told(&error))
    }

    /// Hands events over.
    pub(super) async fn publish(&self, items: &[Value]) -> Result<Vec<Outcome>, Why> {
        let batch = json!({"items": items}).to_string();
        let answer = self.publisher.publish(batch.into(), Repeats::Duplicate);
        let answer = answer.await.map_err(|error| told(&error))?;
        let Outcomes { outcomes } = serde_json::from_value(answer)?;
        Ok(outcomes)
    }

    /// Hands events over that must all be accepted; their jtis are returned.
    pub(super) async fn publish_well(&self, items: &[Value]) -> Result<Vec<String>, Why> {
        let outcomes = self.publish(items).await?;
        let accepted = outcomes.iter().all(|one| one.outcome == "accepted");
        ensure(accepted && outcomes.len() == items.len(), || {
            format!("not all were accepted: {outcomes:?}")
        })?;
        Ok(outcomes.into_iter().filter_map(|one| one.jti).collect())
    }

    /// What the bank knows of a TPP.
    pub(super) async fn look_at(&self, person: Person) -> Result<Value, Why> {
        let path = ["v1", "tpps", person.client_id];
        let answer = self.viewer.get(&path, &[]).await;
        answer.map_err(|error| told(&error))
    }

    pub(super) async fn counts(&self, person: Person) -> Result<Counts, Why> {
        let path = ["v1", "tpps", person.client_id, "counts"];
        let answer = self.viewer.get(&path, &[]).await;
        Ok(serde_json::from_value(
            answer.map_err(|error| told(&error))?,
        )?)
    }

    /// Everything that is known of an event.
    pub(super) async fn event(&self, jti: &str) -> Result<Value, Why> {
        let answer = self.viewer.get(&["v1", "events", jti], &[]).await;
        answer.map_err(|error| told(&error))
    }

    /// Returns when a poll waits.
    pub(super) async fn until_a_poll_waits(&self) -> Result<(), Why> {
        until("the metrics never said that a poll waits", async || {
            let metrics = self.viewer.text(&["metrics"]).await;
            let metrics = metrics.map_err(|error| told(&error))?;
            let mut values = metrics
                .lines()
                .filter_map(|line| line.strip_prefix(WAITING));
            Ok(values.any(|value| value.trim() != "0"))
        })
        .await
    }

    /// Returns when nothing of a TPP's is outstanding: a push counts a moment after its answer.
    pub(super) async fn until_settled(&self, person: Person) -> Result<(), Why> {
        until("something stays outstanding", async || {
            Ok(self.counts(person).await?.outstanding == 0)
        })
        .await
    }

    /// Returns when the bank says this of a TPP's endpoint.
    pub(super) async fn until_endpoint(&self, person: Person, state: &str) -> Result<(), Why> {
        let otherwise = format!("the endpoint of {} never was {state}", person.name);
        until(&otherwise, async || {
            let path = ["v1", "endpoints", person.client_id];
            let endpoint = self.viewer.get(&path, &[]).await;
            let endpoint = endpoint.map_err(|error| told(&error))?;
            Ok(endpoint["state"] == state)
        })
        .await
    }
}

/// Looks again and again, but not for ever.
async fn until(otherwise: &str, holds: impl AsyncFn() -> Result<bool, Why>) -> Result<(), Why> {
    for _ in 0..LOOKS_MAX {
        if holds().await? {
            return Ok(());
        }
        sleep(BETWEEN_LOOKS).await;
    }
    Err(Why(otherwise.to_owned()))
}

impl Counts {
    /// Whether every accepted event stands in exactly one place.
    pub(super) fn balance(&self) -> bool {
        let places = [
            self.outstanding,
            self.acknowledged,
            self.failed,
            self.expired,
            self.withdrawn,
        ];
        self.accepted == places.iter().sum::<u64>()
    }
}

/// Something that happened to an account-access-consent of a TPP's.
pub(super) fn item(person: Person, consent: &str, events: &[&str]) -> Value {
    let events: Vec<_> = events.iter().map(|urn| json!({"type": urn})).collect();
    json!({
        "tpp": person.client_id,
        "resource": {"type": "account-access-consent", "id": consent},
        "events": events,
    })
}

pub(super) const UPDATED: &str = "urn:uk:org:openbanking:events:resource-update";
pub(super) const REVOKED: &str = "urn:uk:org:openbanking:events:consent-authorization-revoked";

const WAITING: &str = "oyez_polls_waiting ";
/// What is waited for comes within milliseconds; seconds are for machines that are busy.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
const LOOKS_MAX: u32 = 1000;
