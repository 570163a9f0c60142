//! How things are: what needs attention first, then what flows.

use std::time::Duration;

use maud::{Markup, html};
use oyez_domain::ledger::history::{EventFilter, EventSummary, StateFilter};
use oyez_domain::ledger::lanes::{HealthState, LaneFilter, LaneStatus, LaneTotals};
use oyez_domain::life::Ending;
use oyez_domain::time::Timestamp;
use oyez_store::Error;
use tokio::time::Instant;

use super::Console;
use super::chart::{WINDOWS, Window, charts};
use super::visit::{Sheet, Trouble, Visit};
use super::words::{event_link, number, state, tpp_link, when};
use crate::pages::sentence;

/// What was read for it.
struct Sight {
    totals: LaneTotals,
    /// Endpoints that get nothing, the worst first.
    endpoints: Vec<LaneStatus>,
    failed: Vec<EventSummary>,
    troubles: Vec<(&'static str, String)>,
    advice: Vec<String>,
    /// How long the ledger took to say it.
    took: Duration,
}

impl Console {
    /// `GET /console`.
    pub(super) async fn overview(&self, visit: &Visit) -> Result<Sheet, Trouble> {
        let window = Window::of_word(visit.query.of_name("window"));
        let inside = self.inside(&window, visit.now).await?;
        let watches = window.word == "hour";
        let main = html! {
            h1 { "Overview" }
            div #live data-watch=[watches.then_some("/console/watch")] { (inside) }
            p.quiet { a href=(format!("/console?window={}", window.word)) { "Reload" } " " span #watching {} }
        };
        Ok(Sheet {
            title: "Overview".to_owned(),
            main,
        })
    }

    /// What changes while one watches. It is the same for everybody.
    pub(super) async fn inside(&self, window: &Window, now: Timestamp) -> Result<Markup, Error> {
        let minutes = self
            .trend
            .minutes(&*self.bank.store, window.span, now)
            .await?;
        let sight = self.sight(now).await?;
        Ok(html! {
            (attention(&sight, now))
            (totals(&sight))
            h2 { "What flows" }
            nav.tabs aria-label="Time" {
                @for one in WINDOWS {
                    a href=(format!("/console?window={}", one.word)) aria-current=[(one == *window).then_some("page")] { (one.name) }
                }
            }
            (charts(&minutes, now, window))
            h2 { "This process" }
            ul.figures {
                li { div { span.figure { (number(millis(sight.took))) " ms" } span { "the ledger took for this page" } } }
                li { div { span.figure { (number(self.bank.issuer.queued() as u64)) } span { "SETs wait for a signature" } } }
                li { div { span.figure { (number(self.bank.waiters.counts().waiting as u64)) } span { "polls wait for events" } } }
            }
        })
    }

    async fn sight(&self, now: Timestamp) -> Result<Sight, Error> {
        let store = &self.bank.store;
        let begun = Instant::now();
        let totals = store.lane_totals().await?;
        let mut endpoints = Vec::new();
        for health in [
            HealthState::Unresponsive,
            HealthState::Failing,
            HealthState::Paused,
        ] {
            let filter = LaneFilter {
                state: Some(health),
            };
            endpoints.extend(store.list_lanes(filter, None, SHOWN).await?.rows);
        }
        let failed = EventFilter {
            state: Some(StateFilter::Settled(Ending::Failed)),
            ..EventFilter::default()
        };
        let failed = store.list_events(failed, None, SHOWN).await?.rows;
        Ok(Sight {
            totals,
            endpoints,
            failed,
            took: begun.elapsed(),
            troubles: self.desk.troubles(now).await,
            advice: self.key_advice(now),
        })
    }
}

fn attention(sight: &Sight, now: Timestamp) -> Markup {
    let quiet = sight.endpoints.is_empty()
        && sight.failed.is_empty()
        && sight.troubles.is_empty()
        && sight.advice.is_empty();
    html! {
        section.attention aria-labelledby="attention" {
            h2 #attention { "Needs attention" }
            @if quiet { p.note { "Nothing. Every endpoint answers, no event has failed, and this process is ready." } }
            @for (part, why) in &sight.troubles {
                p.note.bad-note { strong { "Not ready, " (part) ": " } (sentence(why)) }
            }
            @for one in &sight.advice {
                p.note.warn { (one) " " a href="/console/keys" { "Keys" } }
            }
            @if !sight.endpoints.is_empty() {
                ul.lines {
                    @for lane in &sight.endpoints { li { (endpoint(lane, now)) } }
                }
            }
            @if !sight.failed.is_empty() {
                h3 { "Set aside after errors" }
                ul.lines {
                    @for event in &sight.failed {
                        li { (event_link(&event.jti.to_string())) " of " (tpp_link(event.client_id.as_str())) ", accepted " (when(event.accepted_at, now)) }
                    }
                }
                p { a href="/console/events?state=failed" { "All failed events" } }
            }
        }
    }
}

/// What is the matter with one, in a line.
fn endpoint(lane: &LaneStatus, now: Timestamp) -> Markup {
    use oyez_domain::ledger::lanes::Health;
    let (since, why) = match &lane.health {
        Health::Failing { since, reason, .. } | Health::Unresponsive { since, reason, .. } => {
            (*since, reason.as_str())
        }
        Health::Paused { since } => (*since, "an operator paused it"),
        Health::Responsive => (now, ""),
    };
    html! {
        (tpp_link(lane.client_id.as_str())) " is " (state(&lane.health.state().to_string()))
        " since " (when(since, now)) ": " (why) ". "
        @if lane.outstanding > 0 { strong { (number(lane.outstanding)) " wait" } }
    }
}

fn totals(sight: &Sight) -> Markup {
    let mut totals = sight.totals;
    html! {
        h2 { "Now" }
        ul.figures {
            li { a href="/console/events?state=outstanding" {
                span.figure { (number(totals.outstanding)) } span { "outstanding" }
            } }
            @for health in HealthState::ALL {
                li { a href=(format!("/console/tpps?state={health}")) {
                    span class=(colour(health, *totals.of(health))) { (number(*totals.of(health))) } span { "endpoints " (health) }
                } }
            }
        }
    }
}

/// A number that should be none stands out.
const fn colour(health: HealthState, many: u64) -> &'static str {
    match (health, many) {
        (HealthState::Unresponsive, 1..) => "figure bad",
        (HealthState::Failing | HealthState::Paused, 1..) => "figure warn-text",
        _ => "figure",
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Of each kind: who has more has a list.
const SHOWN: u32 = 10;
