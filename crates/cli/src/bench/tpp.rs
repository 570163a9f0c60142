//! TPPs that poll.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tokio::time::Instant;

use super::client::{Connection, Dial, post};
use super::server::Server;
use super::site::Site;
use super::{broken, unexpected};
use crate::args::BenchTransport;
use crate::failure::Failure;

/// What all TPPs have in common.
pub(super) struct Crowd {
    pub(super) dial: Dial,
    tokens: Vec<String>,
    headers: String,
}

/// One TPP on one connection.
pub(super) struct Tpp {
    connection: Connection,
    token: String,
    headers: String,
}

/// Whether a poll acknowledges what the one before was handed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It does, so that nothing stays.
    Acknowledging,
    /// Everything stays, and has been signed.
    Looking,
}

/// What a TPP got by polling until nothing new came.
pub(super) struct Haul {
    pub(super) events: u64,
    pub(super) latencies: Vec<Duration>,
    /// Of one SET.
    pub(super) set_bytes: usize,
}

/// An answer, as far as it is looked at. A SET needs no escapes.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    sets: HashMap<&'a str, &'a str>,
}

impl Crowd {
    pub(super) fn of(
        site: &Site,
        server: &Server,
        transport: BenchTransport,
        tpps: u64,
    ) -> Result<Self, Failure> {
        let (dial, headers) = match transport {
            BenchTransport::Tls => (Dial::mutual(server.tpp, site)?, String::new()),
            BenchTransport::Plain => {
                let certificate = STANDARD.encode(site.certificate()?);
                let header = format!("client-cert: :{certificate}:\r\n");
                (Dial::plain(server.tpp), header)
            }
        };
        Ok(Self {
            dial,
            tokens: site.access_tokens(tpps)?,
            headers,
        })
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// A poll of one of them.
    pub(super) fn poll(&self, tpp: usize, body: &str) -> Vec<u8> {
        post(POLL, &self.tokens[tpp], &self.headers, body)
    }

    /// One of them, connected.
    pub(super) async fn connect(&self, tpp: usize) -> Result<Tpp, Failure> {
        let connection = self.dial.connect().await;
        Ok(Tpp {
            connection: connection.map_err(|error| broken("a TPP cannot connect", &error))?,
            token: self.tokens[tpp].clone(),
            headers: self.headers.clone(),
        })
    }
}

impl Tpp {
    /// Polls on and on, waits while there is nothing, tells of each SET that comes by its jti, and acknowledges it with the next
    /// poll. It ends when a poll fails.
    pub(super) async fn follow(mut self, batch: u64, mut came: impl FnMut(&str, &str)) -> Failure {
        let mut acks = String::new();
        loop {
            let body = waiting(batch, &acks);
            let request = post(POLL, &self.token, &self.headers, &body);
            let answer = match self.connection.ask(&request).await {
                Ok(answer) => answer,
                Err(error) => return broken("a poll failed", &error),
            };
            let sets = match sets(answer) {
                Ok(sets) => sets,
                Err(failure) => return failure,
            };
            for (jti, set) in &sets {
                came(jti, set);
            }
            acks = acknowledging(sets.keys().copied());
        }
    }

    /// Polls until `wanted` events came, and acknowledges the last of them too.
    pub(super) async fn haul(
        mut self,
        wanted: u64,
        batch: u64,
        manner: Manner,
    ) -> Result<(Self, Haul), Failure> {
        let mut haul = Haul {
            events: 0,
            latencies: Vec::new(),
            set_bytes: 0,
        };
        let mut acks = String::new();
        loop {
            let rest = wanted - haul.events;
            let max = batch.min(rest);
            let body = format!("{{\"maxEvents\":{max},\"returnImmediately\":true{acks}}}");
            let request = post(POLL, &self.token, &self.headers, &body);
            let asked = Instant::now();
            let answer = self.connection.ask(&request).await;
            let answer = answer.map_err(|error| broken("a poll failed", &error))?;
            haul.latencies.push(asked.elapsed());
            let sets = sets(answer)?;
            haul.set_bytes = sets
                .values()
                .map(|set| set.len())
                .max()
                .unwrap_or(haul.set_bytes);
            let came = u64::try_from(sets.len()).unwrap_or(u64::MAX);
            if came != max {
                return Err(unexpected(format!(
                    "a poll for {max} events was handed {came}"
                )));
            }
            haul.events += came;
            if manner == Manner::Acknowledging && came > 0 {
                acks = acknowledging(sets.keys().copied());
            } else if haul.events == wanted {
                return Ok((self, haul));
            }
        }
    }
}

/// The request of a poll that waits.
fn waiting(max: u64, acks: &str) -> String {
    format!("{{\"maxEvents\":{max},\"returnImmediately\":false{acks}}}")
}

/// The member that acknowledges.
fn acknowledging<'a>(jtis: impl Iterator<Item = &'a str>) -> String {
    let jtis: Vec<_> = jtis.collect();
    if jtis.is_empty() {
        return String::new();
    }
    format!(",\"ack\":[\"{}\"]", jtis.join("\",\""))
}

/// The SETs of an answer.
pub(super) fn sets(answer: &[u8]) -> Result<HashMap<&str, &str>, Failure> {
    let read: Result<Answer<'_>, _> = serde_json::from_slice(answer);
    let read = read.map_err(|error| broken("an answer to a poll cannot be read", &error))?;
    Ok(read.sets)
}

const POLL: &str = "/open-banking/v4.0/events";
