//! The bank's own keys, as far as the ledger holds what they signed (M-06).

use std::collections::BTreeMap;

use super::{EventRow, Ledger, Note, json};
use crate::actor::Actor;
use crate::ledger::history::KeptSet;
use crate::ledger::sets::KeyUse;
use crate::life::Outcome;
use crate::time::Timestamp;

impl Ledger {
    /// After a compromise: what the key signed and nobody has settled is to be signed anew; answers how many SETs.
    pub fn disown_key(&mut self, actor: Actor, kid: &str, now: Timestamp) -> u64 {
        if !self.disowned_keys.insert(kid.to_owned()) {
            return 0;
        }
        let mut superseded = 0;
        for event in self.events.values_mut() {
            if event.sendable().is_some_and(|set| set.kid == kid) {
                event.superseded.extend(event.set.take());
                superseded += 1;
            }
        }
        let state = |sets: u64| json(&serde_json::json!({"kid": kid, "sets": sets}));
        let note = Note {
            actor,
            action: "key.disowned",
            client_id: None,
            before: state(superseded),
            after: state(0),
        };
        self.note(note, now);
        superseded
    }

    /// The keys whose SETs may still be sent, by kid.
    pub fn keys_in_use(&self) -> Vec<KeyUse> {
        let mut by_kid: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
        for set in self.events.values().filter_map(EventRow::sendable) {
            by_kid.entry(&set.kid).or_default().push(set.kept_at);
        }
        let uses = by_kid.into_iter().filter_map(|(kid, kept_at)| {
            Some(KeyUse {
                kid: kid.to_owned(),
                outstanding: kept_at.len() as u64,
                last_kept_at: kept_at.into_iter().max()?,
            })
        });
        uses.collect()
    }
}

impl EventRow {
    /// The kept SET of an event that is outstanding, or may be again.
    fn sendable(&self) -> Option<&KeptSet> {
        let is_open = matches!(self.settled(), None | Some(Outcome::Failed));
        self.set.as_ref().filter(|_| is_open)
    }
}
