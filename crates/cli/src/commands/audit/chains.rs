//! The chains of a server, page by page, and those of an earlier export.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::history::AuditEntry;
use oyez_domain::ledger::trail::Link;
use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::internal_client::InternalClient;

/// One chain, and what it must have come to.
pub(super) struct Chain {
    /// Whose; the operators' without one.
    pub(super) client_id: Option<ClientId>,
    /// Where it ends by the server's word, and by an export's.
    pub(super) links: Vec<Link>,
}

/// The last entry of a chain in an export.
pub(super) struct Known {
    pub(super) sequence: u64,
    link: Option<Link>,
}

/// A chain that is read a page at a time.
pub(super) struct Pages<'a> {
    chain: &'a Chain,
    after: Option<u64>,
}

/// An entry as the API shows it.
#[derive(Deserialize)]
struct Shown {
    sequence: u64,
    at: String,
    actor: String,
    action: String,
    tpp: Option<ClientId>,
    before: Option<Value>,
    after: Option<Value>,
    link: Option<Link>,
}

/// All chains of a server, the operators' first, and those that an export knows and the server does not.
pub(super) async fn heads(
    client: &InternalClient,
    known: &BTreeMap<Option<ClientId>, Known>,
) -> Result<Vec<Chain>, Failure> {
    let mut heads: BTreeMap<Option<ClientId>, Vec<Link>> = BTreeMap::new();
    for (chain, last) in known {
        heads.insert(chain.clone(), last.link.into_iter().collect());
    }
    let mut cursor: Option<String> = None;
    loop {
        let limit = ("limit", ROWS);
        let query = cursor.as_deref().map(|cursor| ("cursor", cursor));
        let query: Vec<_> = query.into_iter().chain([limit]).collect();
        let page = client.get(&["v1", "audit", "heads"], &query).await?;
        let operators: Option<Link> = parse(page["operators"].clone())?;
        if cursor.is_none() {
            heads.entry(None).or_default().extend(operators);
        }
        for head in page["heads"].as_array().into_iter().flatten() {
            let client_id: ClientId = parse(head["tpp"].clone())?;
            let link: Option<Link> = parse(head["head"].clone())?;
            heads.entry(Some(client_id)).or_default().extend(link);
        }
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    let chains = heads.into_iter();
    Ok(chains
        .map(|(client_id, links)| Chain { client_id, links })
        .collect())
}

impl Chain {
    /// Its entries behind a sequence.
    pub(super) const fn pages(&self, after: u64) -> Pages<'_> {
        Pages {
            chain: self,
            after: Some(after),
        }
    }
}

impl Pages<'_> {
    /// The next page, as the API shows it; `None` after the last.
    pub(super) async fn next(
        &mut self,
        client: &InternalClient,
    ) -> Result<Option<Vec<Value>>, Failure> {
        let Some(after) = self.after else {
            return Ok(None);
        };
        let after = after.to_string();
        let tpp = self.chain.client_id.as_ref().map(|id| ("tpp", id.as_str()));
        let query = [("cursor", after.as_str()), ("limit", ROWS)];
        let query: Vec<_> = query.into_iter().chain(tpp).collect();
        let mut page = client.get(&["v1", "audit", "chain"], &query).await?;
        self.after = page["next"].as_u64();
        match page["entries"].take() {
            Value::Array(entries) => Ok(Some(entries)),
            _ => Err(strange("a page has no entries")),
        }
    }
}

/// An entry as the API shows it.
pub(super) fn read(entry: &Value) -> Result<AuditEntry, Failure> {
    let shown: Shown = parse(entry.clone())?;
    let moment = shown
        .at
        .parse()
        .map_err(|_| strange("an entry has no moment"))?;
    Ok(AuditEntry {
        sequence: shown.sequence,
        at: moment,
        actor: actor(&shown.actor)?,
        action: shown.action,
        client_id: shown.tpp,
        before: shown.before,
        after: shown.after,
        link: shown.link,
    })
}

/// What an export says of each chain: its last entry there.
pub(super) fn exported(path: &Path) -> Result<BTreeMap<Option<ClientId>, Known>, Failure> {
    let file = File::open(path).map_err(|error| Failure::file("read", path, &error))?;
    let mut known: BTreeMap<Option<ClientId>, Known> = BTreeMap::new();
    for (line, number) in BufReader::new(file).lines().zip(1..) {
        let line = line.map_err(|error| Failure::file("read", path, &error))?;
        if line.is_empty() {
            continue;
        }
        let shown: Shown = serde_json::from_str(&line).map_err(|error| {
            let what = format!(
                "line {number} of {} is no entry of the trail",
                path.display()
            );
            Failure::environment(what, "name a file that `oyez audit export` wrote").because(&error)
        })?;
        let last = Known {
            sequence: shown.sequence,
            link: shown.link,
        };
        let is_later = known
            .get(&shown.tpp)
            .is_none_or(|it| it.sequence < last.sequence);
        if is_later {
            known.insert(shown.tpp, last);
        }
    }
    Ok(known)
}

fn actor(text: &str) -> Result<Actor, Failure> {
    text.parse().map_err(|_| strange("an entry has no actor"))
}

fn parse<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value)
        .map_err(|_| strange("it is not what the description of the API says"))
}

fn strange(what: &str) -> Failure {
    let mend = "use a client of the server's version, or look at what stands between";
    Failure::environment(format!("the server's answer is strange: {what}"), mend)
}

/// What the API gives at most.
const ROWS: &str = "1000";
