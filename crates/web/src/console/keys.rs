//! The bank's signing keys: which signs, which are published, what changes when, and what to do about it.

use std::time::Duration;

use maud::{Markup, html};
use oyez_domain::time::Timestamp;
use oyez_jose::UnixTime;
use oyez_jose::key_set::{KeyEntry, KeyState};

use super::Console;
use super::visit::{Sheet, Trouble, Visit};
use super::words::{state, table, when};

impl Console {
    /// `GET /console/keys`.
    pub(super) async fn keys(&self, visit: &Visit) -> Result<Sheet, Trouble> {
        let in_use = self.bank.store.keys_in_use().await?;
        let keys = self.bank.keys.borrow().clone();
        let states = keys.states_at(second(visit.now));
        let row = |(entry, is): (&KeyEntry, KeyState)| {
            let carries = in_use.iter().find(|one| one.kid == entry.kid);
            html! {
                tr {
                    th scope="row" { code { (entry.kid) } }
                    td { (entry.alg.to_string()) }
                    td { (doing(is, visit.now)) }
                    td { (at(entry.created, visit.now)) }
                    td { @if let Some(until) = entry.retire_at { (at(until, visit.now)) } @else { span.quiet { "–" } } }
                    td { @if carries.is_some() { "yes" } @else { "no" } }
                }
            }
        };
        let rows: Vec<Markup> = states.map(row).collect();
        let columns = [
            "kid",
            "Algorithm",
            "What it does",
            "Made",
            "Signs until",
            "Needed by outstanding events",
        ];
        let advice = self.key_advice(visit.now);
        let main = html! {
            h1 { "Keys" }
            @for one in &advice { p.note.warn { (one) } }
            @if advice.is_empty() { p.note { "Nothing needs to be done about the keys now." } }
            (table(&columns, &rows, "There is no key: nothing can be signed."))
            p.quiet {
                "Keys are files of the server, and are changed there: " code { "oyez keys rotate" }
                ". A key stays published as long as events that it signed are outstanding."
            }
        };
        Ok(Sheet {
            title: "Keys".to_owned(),
            main,
        })
    }

    /// What is to be done about the keys, a sentence each.
    pub(super) fn key_advice(&self, now: Timestamp) -> Vec<String> {
        let keys = self.bank.keys.borrow().clone();
        let mut advice = Vec::new();
        let states: Vec<_> = keys.states_at(second(now)).collect();
        let has_next = states
            .iter()
            .any(|(_, is)| matches!(is, KeyState::Next { .. }));
        let signing = states.iter().find(|(_, is)| *is == KeyState::Signing);
        let Some((entry, _)) = signing else {
            let none = "No key may sign now: events wait. Make one with oyez keys rotate.";
            return vec![none.to_owned()];
        };
        let ends = entry.retire_at.map(moment_of);
        if let Some(ends) = ends.filter(|ends| !has_next && ends.since(now) < EXPIRES_SOON) {
            let soon = super::words::distance(ends, now);
            advice.push(format!("The key {} stops signing {soon}, and there is no next one. Make it now with oyez keys rotate: it is published before it signs.", entry.kid));
        }
        if now.since(moment_of(entry.created)) > OLD && !has_next {
            advice.push(format!(
                "The key {} has signed for more than a year. Rotate it with oyez keys rotate.",
                entry.kid
            ));
        }
        advice
    }
}

fn doing(is: KeyState, now: Timestamp) -> Markup {
    match is {
        KeyState::Next { signs_from } => html! { "published; signs from " (at(signs_from, now)) },
        KeyState::Signing => state("signs"),
        KeyState::Superseded => html! { "published; a later key signs" },
        KeyState::Retired { withdraw_at } => html! {
            "published, signs no more"
            @if let Some(until) = withdraw_at { "; until " (at(until, now)) }
        },
        KeyState::Withdrawn => html! { "withdrawn" },
        KeyState::Revoked(revocation) => html! { (state("revoked")) " " (at(revocation.at, now)) },
    }
}

fn at(moment: UnixTime, now: Timestamp) -> Markup {
    when(moment_of(moment), now)
}

fn moment_of(moment: UnixTime) -> Timestamp {
    Timestamp::from_unix_seconds(moment.seconds())
}

fn second(now: Timestamp) -> UnixTime {
    UnixTime::from_milliseconds(now.unix_ms())
}

/// A key must be published for some days before it signs, and somebody must find the time.
const EXPIRES_SOON: Duration = Duration::from_secs(30 * 24 * 3600);
/// Longer than auditors like.
const OLD: Duration = Duration::from_secs(366 * 24 * 3600);
