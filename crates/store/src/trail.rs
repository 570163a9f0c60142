//! What an entry of the audit trail says, and its link in its chain, as both backends write them (I-05).
//!
//! The link is taken under the lock that guards the chain: a TPP's own, which whoever changes something of it holds anyway, or
//! the row of the operators' chain.

use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::history::AuditEntry;
use oyez_domain::ledger::trail::{Hash, Link};
use oyez_domain::time::Timestamp;
use serde_json::Value;

use crate::Error;
use crate::codes::{TppId, to_json};
use crate::error::contradiction;

/// What was changed.
pub(crate) struct Change<'a, B, A> {
    pub(crate) actor: &'a Actor,
    pub(crate) action: &'static str,
    pub(crate) tpp: Option<TppId>,
    pub(crate) before: Option<B>,
    pub(crate) after: Option<A>,
}

/// An entry as it stands in its row.
pub(crate) struct Entry {
    pub(crate) actor: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) link: Link,
}

impl<B: serde::Serialize, A: serde::Serialize> Change<'_, B, A> {
    /// The entry after `head` in the chain of this TPP, or in the operators'.
    pub(crate) fn entry(
        &self,
        client_id: Option<ClientId>,
        head: Option<Link>,
        now: Timestamp,
    ) -> Entry {
        let before = self.before.as_ref().map(to_json);
        let after = self.after.as_ref().map(to_json);
        // What is hashed is what will be read: the text, and not what it was made from.
        let parsed = |text: &Option<String>| -> Option<Value> {
            let text = text.as_ref()?;
            Some(serde_json::from_str(text).expect("it was written as JSON just now"))
        };
        let entry = AuditEntry {
            sequence: 0,
            at: now,
            actor: self.actor.clone(),
            action: self.action.to_owned(),
            client_id,
            before: parsed(&before),
            after: parsed(&after),
            link: None,
        };
        Entry {
            actor: self.actor.to_string(),
            link: entry.link_after(head),
            before,
            after,
        }
    }
}

/// That a key was disowned, and how many of its SETs were superseded for it (M-06).
pub(crate) fn key_disowned<'a>(
    actor: &'a Actor,
    kid: &str,
    superseded: u64,
) -> Change<'a, Value, Value> {
    let sets = |sets: u64| Some(serde_json::json!({"kid": kid, "sets": sets}));
    Change {
        actor,
        action: "key.disowned",
        tpp: None,
        before: sets(superseded),
        after: sets(0),
    }
}

/// A link from its two columns. A row whose link is half there, or no hash, was not written by us: whoever walks the chain is to
/// find it, so it is read as something that no entry has.
pub(crate) fn link(number: Option<i64>, hash: Option<&[u8]>) -> Option<Link> {
    let number = u64::try_from(number?).unwrap_or(0);
    let hash = hash.and_then(|bytes| bytes.try_into().ok());
    Some(Link {
        number,
        hash: Hash(hash.unwrap_or_default()),
    })
}

/// The row that guards the operators' chain; TPPs are numbered from 1.
pub(crate) const OPERATORS: i64 = 0;

/// A number as the columns have it.
pub(crate) fn number(link: Link) -> Result<i64, Error> {
    i64::try_from(link.number).map_err(|_| contradiction("a chain of the audit trail is too long"))
}
