//! A core system that publishes: requests made beforehand, sent over some kept-alive connections as fast as they are answered.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::{Connection, Dial, post};
use super::server::Server;
use super::site::{Site, client_id};
use super::{broken, unexpected};
use crate::failure::Failure;

/// Requests that publish events `0..events`, in batches, the TPPs in turn.
pub(super) struct Publications {
    pub(super) events: u64,
    pub(super) batch: u64,
    pub(super) tpps: u64,
    pub(super) keyed: bool,
}

impl Publications {
    /// The requests, dealt out to so many connections.
    fn hands(&self, site: &Site, connections: u64) -> Result<Vec<Vec<Vec<u8>>>, Failure> {
        let token = site.operators_token("publisher")?;
        let connections = usize::try_from(connections).unwrap_or(1);
        let mut hands = vec![Vec::new(); connections];
        let mut first = 0;
        for turn in (0..connections).cycle() {
            if first == self.events {
                break;
            }
            let next = (first + self.batch).min(self.events);
            let items: Vec<_> = (first..next)
                .map(|event| item(event, event % self.tpps, &self.key(event)))
                .collect();
            let body = match (items.as_slice(), self.batch) {
                ([item], 1) => item.clone(),
                _ => format!("{{\"items\":[{}]}}", items.join(",")),
            };
            hands[turn].push(post("/v1/events", &token, "", &body));
            first = next;
        }
        Ok(hands)
    }

    /// The member that tells an event from its repetition.
    fn key(&self, event: u64) -> String {
        if self.keyed {
            format!(",\"idempotency_key\":\"bench-{event}\"")
        } else {
            String::new()
        }
    }

    /// Publishes all of them and answers how long each request took. `started` is called when all connections stand.
    pub(super) async fn publish(
        &self,
        site: &Site,
        server: &Server,
        connections: u64,
        started: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<Vec<Duration>, Failure> {
        let dial = Dial::plain(server.internal);
        let mut ready = Vec::new();
        for requests in self.hands(site, connections)? {
            let connection = dial.connect().await;
            let connection = connection.map_err(|error| broken("cannot connect", &error))?;
            ready.push((connection, requests));
        }
        started()?;
        let mut tasks = JoinSet::new();
        for (connection, requests) in ready {
            tasks.spawn(send_all(connection, requests));
        }
        let mut latencies = Vec::new();
        let mut accepted = 0;
        for sent in tasks.join_all().await {
            let (count, took) = sent?;
            accepted += count;
            latencies.extend(took);
        }
        if accepted == self.events {
            Ok(latencies)
        } else {
            let what = format!("of {} events {accepted} were accepted", self.events);
            Err(unexpected(what))
        }
    }
}

/// What a bank says of a consent that a customer withdrew.
pub(super) fn item(event: u64, tpp: u64, members: &str) -> String {
    let tpp = client_id(tpp);
    format!(
        "{{\"tpp\":\"{tpp}\",\"resource\":{{\"type\":\"account-access-consent\",\"id\":\"aac-{event:010}\",\
         \"version\":\"v4.0\"}},\"events\":[{{\"type\":\"urn:uk:org:openbanking:events:\
         consent-authorization-revoked\"}}],\"txn\":\"dfc51628-3479-4b81-ad60-210b43d02306\"{members}}}"
    )
}

/// How many events were accepted, and how long each request took.
async fn send_all(
    mut connection: Connection,
    requests: Vec<Vec<u8>>,
) -> Result<(u64, Vec<Duration>), Failure> {
    let mut accepted = 0;
    let mut latencies = Vec::with_capacity(requests.len());
    for request in requests {
        let asked = Instant::now();
        let answer = connection.ask(&request).await;
        let answer = answer.map_err(|error| broken("an event was not taken", &error))?;
        latencies.push(asked.elapsed());
        accepted += count(answer, ACCEPTED);
    }
    Ok((accepted, latencies))
}

/// How often a text stands in an answer.
pub(super) fn count(answer: &[u8], text: &[u8]) -> u64 {
    let found = answer.windows(text.len()).filter(|part| *part == text);
    found.map(|_| 1).sum()
}

const ACCEPTED: &[u8] = b"\"outcome\":\"accepted\"";
