//! From bytes to claims, or to everything that is wrong with them.
//!
//! [`check`] is as strict as the standard's schema: no claim but its own (so no `exp`), integers for times, one text for `aud`.
//! [`read`] is for who must live with what banks send: the same, but what the standard does not know is passed over, since it
//! may be the next version's. What an event must hold follows from its type's role; types that the catalogue does not know are
//! another bank's own.

use serde_json::Map;
use url::Url;

use super::{ClaimedSubject, Claims, Event, Link, Names};
use crate::catalogue::Role;
use crate::event::EventType;
use crate::fault::{Code, Fault};
use crate::json::members::{Faults, Members, Place};
use crate::json::{self, DEPTH_MAX};
use crate::rules::Rules;
use crate::time::Timestamp;
use crate::versions::Lengths;

/// Reads the payload of a SET and holds it to the standard in everything. Its signature, and whether it is meant for us, are
/// for others to say.
pub fn check(rules: &Rules, payload: &[u8]) -> Result<Claims, Vec<Fault>> {
    taken(rules, Further::Refused, payload)
}

/// The same for a recipient: claims and members beyond the standard's are no fault, and are not kept.
pub fn read(rules: &Rules, payload: &[u8]) -> Result<Claims, Vec<Fault>> {
    taken(rules, Further::PassedOver, payload)
}

fn taken(rules: &Rules, further: Further, payload: &[u8]) -> Result<Claims, Vec<Fault>> {
    let document = json::parse(payload, DEPTH_MAX)
        .map_err(|error| vec![Fault::new(Code::ResourceInvalidFormat, error.to_string())])?;
    let row = rules.versions.newest();
    let mut reader = Reader {
        rules,
        further,
        lengths: row.lengths,
        names: &Names::of(&row.market.claim_prefix),
        faults: Faults::default(),
    };
    let claims = reader.claims(&Place::document(&document));
    reader.faults.into_result(claims)
}

/// What becomes of claims and members that the standard does not know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Further {
    Refused,
    PassedOver,
}

struct Reader<'a> {
    rules: &'a Rules,
    further: Further,
    lengths: Lengths,
    names: &'a Names,
    faults: Faults,
}

impl Reader<'_> {
    fn claims(&mut self, document: &Place<'_>) -> Option<Claims> {
        let members = document.members(&mut self.faults)?;
        self.only(&members, &CLAIMS);
        let claim = self.lengths.claim;
        let iss = self.text(&members, "iss", self.lengths.callback_url);
        let iat = self.moment(&members, "iat");
        let jti = self.text(&members, "jti", claim);
        let sub = self.uri(&members, "sub");
        let aud = self.text(&members, "aud", claim);
        let txn = self.text(&members, "txn", claim);
        let toe = self.moment(&members, "toe");
        let events = self.events(&members);
        Some(Claims {
            iss: iss?,
            iat: iat?,
            jti: jti?,
            sub: sub?,
            aud: aud?,
            txn: txn?,
            toe: toe?,
            events: events?,
        })
    }

    fn events(&mut self, claims: &Members<'_>) -> Option<Vec<Event>> {
        let place = claims.required("events", &mut self.faults)?;
        let members = place.members(&mut self.faults)?;
        let types: Vec<EventType> = members
            .each()
            .map(|(name, _)| EventType(name.to_owned()))
            .collect();
        if types.is_empty() {
            self.faults
                .invalid(&place.path, "at least one event is expected");
        }
        let catalogue = &self.rules.catalogue;
        let has_update = types
            .iter()
            .any(|urn| catalogue.role(urn) == Role::ResourceUpdate);
        let mut events = Vec::with_capacity(types.len());
        for (urn, (_, event)) in types.into_iter().zip(members.each()) {
            events.extend(self.event(urn, &event, has_update));
        }
        Some(events)
    }

    fn event(&mut self, urn: EventType, place: &Place<'_>, has_update: bool) -> Option<Event> {
        let members = place.members(&mut self.faults)?;
        let role = self.rules.catalogue.role(&urn);
        match role {
            Role::ResourceUpdate => self.only(&members, &["subject"]),
            Role::Revocation | Role::LinkedAccount => self.only(&members, &["reason", "subject"]),
            Role::Own => {}
        }
        let borrows = role == Role::Own || (role == Role::Revocation && has_update);
        let subject = if borrows && (members.optional("subject").is_none()) {
            None
        } else {
            members.required("subject", &mut self.faults)
        };
        let subject = match (subject, role) {
            (None, _) => None,
            // A bank may say what its own types are about as it likes; if it is not the standard's way, it is payload.
            (Some(place), Role::Own) => self.apart(|reader| reader.subject(&place)),
            (Some(place), _) => self.subject(&place),
        };
        let reason = members
            .optional("reason")
            .and_then(|place| place.text(1..=self.lengths.claim, &mut self.faults));
        let payload = match role {
            Role::Own => members
                .each()
                .filter(|(name, _)| *name != "reason" && !(*name == "subject" && subject.is_some()))
                .map(|(name, place)| (name.to_owned(), place.value.clone()))
                .collect(),
            Role::ResourceUpdate | Role::Revocation | Role::LinkedAccount => Map::new(),
        };
        Some(Event {
            urn,
            reason: reason.map(str::to_owned),
            subject,
            payload,
        })
    }

    fn subject(&mut self, place: &Place<'_>) -> Option<ClaimedSubject> {
        let members = place.members(&mut self.faults)?;
        let Names {
            subject_type,
            rid,
            rty,
            rlk,
        } = self.names;
        self.only(&members, &["subject_type", rid, rty, rlk]);
        if let Some(place) = members.required("subject_type", &mut self.faults)
            && place.value.as_str() != Some(subject_type)
        {
            self.faults.invalid(
                &place.path,
                format!("the fixed text {subject_type} is expected"),
            );
        }
        let claim = self.lengths.claim;
        let id = self.text(&members, rid, claim);
        let kind = self.text(&members, rty, claim);
        let links = self.links(&members, rlk);
        Some(ClaimedSubject {
            rid: id?,
            rty: kind?,
            links: links?,
        })
    }

    fn links(&mut self, subject: &Members<'_>, rlk: &str) -> Option<Vec<Link>> {
        let place = subject.required(rlk, &mut self.faults)?;
        let elements = place.elements(&mut self.faults)?;
        if elements.len() == 0 {
            self.faults
                .invalid(&place.path, "at least one link is expected");
        }
        let mut links = Vec::with_capacity(elements.len());
        for element in elements {
            links.extend(self.link(&element));
        }
        Some(links)
    }

    fn link(&mut self, place: &Place<'_>) -> Option<Link> {
        let members = place.members(&mut self.faults)?;
        self.only(&members, &["version", "link"]);
        let version = self.text(&members, "version", self.lengths.version);
        let link = self.uri(&members, "link");
        Some(Link {
            version: version?,
            link: link?,
        })
    }

    fn only(&mut self, members: &Members<'_>, known: &[&str]) {
        if self.further == Further::Refused {
            members.only(known, &mut self.faults);
        }
    }

    fn text(&mut self, members: &Members<'_>, name: &str, chars_max: usize) -> Option<String> {
        let place = members.required(name, &mut self.faults)?;
        place
            .text(1..=chars_max, &mut self.faults)
            .map(str::to_owned)
    }

    fn uri(&mut self, members: &Members<'_>, name: &str) -> Option<String> {
        let place = members.required(name, &mut self.faults)?;
        place.parsed(
            |text| Url::parse(text).map(|_| text.to_owned()),
            &mut self.faults,
        )
    }

    fn moment(&mut self, members: &Members<'_>, name: &str) -> Option<Timestamp> {
        let place = members.required(name, &mut self.faults)?;
        place
            .whole_number(&mut self.faults)
            .map(Timestamp::from_unix_seconds)
    }

    /// Tries to read something exactly as the standard has it, without noting its faults.
    fn apart<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let kept = std::mem::take(&mut self.faults);
        let further = std::mem::replace(&mut self.further, Further::Refused);
        let found = read(self);
        self.further = further;
        let clean = std::mem::replace(&mut self.faults, kept).is_empty();
        found.filter(|_| clean)
    }
}

/// Every claim that a SET of the standard has.
const CLAIMS: [&str; 8] = ["iss", "iat", "jti", "sub", "aud", "txn", "toe", "events"];
