//! Requests as they came, and what a test asks of them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_domain::ids::Jti;
use oyez_outbound::Bytes;
use serde_json::Value;
use tokio::time::Instant;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `POST`.
    pub method: String,
    /// With its query.
    pub path: String,
    /// From the first line to the empty one, without the latter.
    pub head: String,
    /// As long as `content-length` says.
    pub body: Bytes,
    /// When, and on what.
    pub came: Came,
    /// What its answer begins with, if it begins like an answer.
    pub status: Option<u16>,
}

/// When a request came, and on what.
#[derive(Debug, Clone, Copy)]
pub struct Came {
    /// When its last byte was read.
    pub at: Instant,
    /// Counted from 1, over all connections to the endpoint.
    pub connection: u64,
    /// `TLSv1_3`; none if it came in the clear.
    pub tls_version: Option<rustls::ProtocolVersion>,
}

impl Seen {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut headers = lines.filter_map(|line| line.split_once(": "));
        let (_, value) = headers.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// What the attempt is known by.
    pub fn interaction_id(&self) -> Option<&str> {
        self.header("x-fapi-interaction-id")
    }

    /// That of the SET in the body, if it is one. Nothing is verified.
    pub fn jti(&self) -> Option<Jti> {
        let payload = self.body.split(|byte| *byte == b'.').nth(1)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claims: Value = serde_json::from_slice(&payload).ok()?;
        claims.get("jti")?.as_str()?.parse().ok()
    }

    pub(super) fn bare_path(&self) -> &str {
        self.path.split('?').next().unwrap_or(&self.path)
    }
}

/// What came to one path.
#[derive(Debug, Clone, Default)]
pub struct Inbox {
    arrivals: Vec<Arc<Seen>>,
    distinct: Vec<Jti>,
    accepted: HashSet<Jti>,
    by_jti: HashMap<Jti, Vec<usize>>,
}

impl Inbox {
    /// Everything, oldest first.
    pub fn arrivals(&self) -> &[Arc<Seen>] {
        &self.arrivals
    }

    /// The SETs, each once, by their first arrival.
    pub fn distinct(&self) -> &[Jti] {
        &self.distinct
    }

    /// The SETs as often as they came, oldest first.
    pub fn jtis(&self) -> Vec<Jti> {
        self.arrivals.iter().filter_map(|seen| seen.jti()).collect()
    }

    /// Every arrival of this SET, oldest first.
    pub fn of(&self, jti: &Jti) -> Vec<&Seen> {
        let places = self.by_jti.get(jti).into_iter().flatten();
        places.map(|place| &*self.arrivals[*place]).collect()
    }

    /// The SETs that were answered by 202, or were about to be when the connection broke.
    pub const fn accepted(&self) -> &HashSet<Jti> {
        &self.accepted
    }

    /// The SETs that came in more than one form: there must be none (P-09).
    pub fn differing(&self) -> Vec<Jti> {
        let differs = |jti: &&Jti| {
            let bodies: HashSet<_> = self.of(jti).iter().map(|seen| &seen.body).collect();
            bodies.len() > 1
        };
        self.distinct.iter().filter(differs).copied().collect()
    }

    /// The connections that anything came on.
    pub fn connections(&self) -> BTreeSet<u64> {
        let numbers = self.arrivals.iter().map(|seen| seen.came.connection);
        numbers.collect()
    }

    pub(super) fn keep(&mut self, seen: Arc<Seen>) {
        if let Some(jti) = seen.jti() {
            let places = self.by_jti.entry(jti).or_default();
            if places.is_empty() {
                self.distinct.push(jti);
            }
            places.push(self.arrivals.len());
            if seen.status == Some(202) {
                self.accepted.insert(jti);
            }
        }
        self.arrivals.push(seen);
    }
}
