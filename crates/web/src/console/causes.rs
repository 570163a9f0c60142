//! Why a TPP gets no events, in words, each with what to press.

use std::time::Duration;

use maud::{Markup, html};
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::history::{EventFilter, Minute, StateFilter};
use oyez_domain::silence::{Asked, Known, Reader, Reason, Weight, reasons};
use oyez_domain::time::Timestamp;

use super::Console;
use super::routes::Act;
use super::visit::{Trouble, Visit};
use super::words::tpp_at;
use crate::pages::sentence;

impl Console {
    /// All that keeps events from a TPP, the heaviest first.
    pub(super) async fn causes(
        &self,
        visit: &Visit,
        client_id: &ClientId,
        hour: &[Minute],
    ) -> Result<Markup, Trouble> {
        let store = &self.bank.store;
        let Some(tpp) = store.find_tpp(client_id.clone()).await? else {
            return Err(Trouble::Nothing);
        };
        let registrations = store.registrations(client_id.clone()).await?;
        let lane = store.find_lane(client_id.clone()).await?;
        let counts = store.counts(client_id.clone()).await?;
        let was_handed_out = hour.iter().any(|minute| minute.handed_out > 0);
        let polls = was_handed_out || !self.waits_long(client_id, visit.now).await?;
        let found = reasons(&Known {
            rules: &self.bank.rules,
            tpp: &tpp,
            registrations: &registrations,
            health: &lane.map(|lane| lane.health).unwrap_or_default(),
            counts,
            poll_only: 0,
            asked: Asked {
                polled_at: polls.then_some(visit.now),
                ..Asked::default()
            },
        });
        Ok(render(&found, client_id, visit))
    }

    /// Whether something has waited for longer than who polls leaves it. With no hand-out in the last hour, nobody polls.
    async fn waits_long(&self, client_id: &ClientId, now: Timestamp) -> Result<bool, Trouble> {
        let old = EventFilter {
            client_id: Some(client_id.clone()),
            state: Some(StateFilter::Outstanding),
            accepted_before: Some(now - POLLED_WITHIN),
            ..EventFilter::default()
        };
        let page = self.bank.store.list_events(old, None, 1).await?;
        Ok(!page.rows.is_empty())
    }
}

fn render(found: &[Reason], client_id: &ClientId, visit: &Visit) -> Markup {
    let heading = match found.first().map(Reason::weight) {
        Some(Weight::All) => "This TPP gets no events",
        Some(Weight::Pushes) => "Nothing is pushed to this TPP",
        Some(Weight::Some) => "Some events do not reach this TPP",
        None => "This TPP gets its events",
    };
    html! {
        section.causes aria-labelledby="causes" {
            h2 #causes { (heading) }
            @if found.is_empty() {
                p { "Nothing is in the way: what is accepted for it is delivered. Send a test event to see it." }
            }
            @for reason in found {
                div class=(class(reason.weight())) {
                    p { strong { (sentence(&reason.to_string())) } }
                    p { "What helps: " (reason.mend(Reader::Bank)) "." }
                    @if let Some((act, label)) = remedy(reason).filter(|(act, _)| visit.may(act.operation())) {
                        p { a.button href=(format!("{}/{}", tpp_at(client_id.as_str()), act.word())) { (label) } }
                    }
                }
            }
        }
    }
}

const fn class(weight: Weight) -> &'static str {
    match weight {
        Weight::All => "note bad-note",
        Weight::Pushes => "note warn",
        Weight::Some => "note",
    }
}

/// What to press, where pressing helps.
const fn remedy(reason: &Reason) -> Option<(Act, &'static str)> {
    match reason {
        Reason::Disabled { .. } => Some((Act::Enable, "Enable this TPP…")),
        Reason::Paused { .. } => Some((Act::Resume, "Resume pushes…")),
        Reason::Failing { .. } | Reason::Unresponsive { .. } => {
            Some((Act::Resume, "Try the endpoint now…"))
        }
        Reason::SetAside { .. } => Some((Act::Requeue, "Queue failed events again…")),
        Reason::NothingPublished => Some((Act::SendTest, "Send a test event…")),
        _ => None,
    }
}

/// TPPs poll every few minutes, or wait at the bank.
const POLLED_WITHIN: Duration = Duration::from_secs(15 * 60);
