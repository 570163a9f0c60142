//! Who is known: a list that begins where one types, and who of them has an endpoint in trouble.

use std::collections::HashMap;

use maud::{Markup, html};
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::history::Page;
use oyez_domain::ledger::lanes::{HealthState, LaneFilter, LaneStatus};
use oyez_domain::tpp::{Standing, Tpp};

use super::Console;
use super::visit::{Sheet, Trouble, Visit};
use super::words::{number, segment, state, table, tpp_link, when};

impl Console {
    /// `GET /console/tpps`: all by client_id, or those whose endpoint is in one state.
    pub(super) async fn tpps(&self, visit: &Visit) -> Result<Sheet, Trouble> {
        let wanted = visit.query.of_name("state");
        let wanted = HealthState::ALL
            .into_iter()
            .find(|one| one.to_string() == wanted);
        let after = visit.query.of_name("after").parse().ok();
        let (rows, next) = match wanted {
            Some(health) => self.by_health(health, after, visit).await?,
            None => self.by_name(after, visit).await?,
        };
        let prefix = visit.query.of_name("prefix");
        let empty = if prefix.is_empty() && wanted.is_none() {
            "No TPP is known yet. One is registered by `oyez tpp register`, or by its first token where the configuration says so."
        } else {
            "No TPP is among these."
        };
        let here = wanted.map(|one| one.to_string()).unwrap_or_default();
        let columns: &[&str] = if wanted.is_some() {
            &["client_id", "Endpoint", "Why", "Outstanding"]
        } else {
            &["client_id", "Name", "Served", "Endpoint", "Outstanding"]
        };
        let main = html! {
            h1 { "TPPs" }
            (tabs(&here))
            @if wanted.is_none() {
                form.filter action="/console/tpps" {
                    div {
                        label for="prefix" { "client_id begins with" }
                        input #prefix type="search" name="prefix" value=(prefix);
                    }
                    button type="submit" { "Show" }
                }
            }
            (table(columns, &rows, empty))
            @if let Some(next) = next {
                p { a rel="next" href=(more(&here, prefix, next.as_str())) { "More" } }
            }
        };
        Ok(Sheet {
            title: "TPPs".to_owned(),
            main,
        })
    }

    async fn by_name(
        &self,
        after: Option<ClientId>,
        visit: &Visit,
    ) -> Result<(Vec<Markup>, Option<ClientId>), Trouble> {
        let prefix = visit.query.of_name("prefix");
        let store = &self.bank.store;
        let begin: Option<ClientId> = prefix.parse().ok();
        let mut exact = None;
        if let (Some(begin), None) = (&begin, &after) {
            exact = store.find_tpp(begin.clone()).await?;
        }
        let from = after.or(begin);
        let Page { rows, next } = store.list_tpps(from.clone(), ROWS).await?;
        let lanes = LaneFilter::default();
        let lanes = store.list_lanes(lanes, from, ROWS).await?.rows;
        let mut lanes: HashMap<ClientId, LaneStatus> = lanes
            .into_iter()
            .map(|lane| (lane.client_id.clone(), lane))
            .collect();
        if let Some(tpp) = &exact
            && let Some(lane) = self.lane_line(&tpp.client_id).await?
        {
            lanes.insert(tpp.client_id.clone(), lane);
        }
        let read = rows.len();
        let matching: Vec<Tpp> = rows
            .into_iter()
            .filter(|tpp| tpp.client_id.as_str().starts_with(prefix))
            .collect();
        let next = next.filter(|_| matching.len() == read);
        let all = exact.into_iter().chain(matching);
        let lines = all.map(|tpp| line(&tpp, lanes.get(&tpp.client_id)));
        Ok((lines.collect(), next))
    }

    /// One line of the list of lanes. The list begins after a name, so this asks for what it can of the one.
    async fn lane_line(&self, client_id: &ClientId) -> Result<Option<LaneStatus>, Trouble> {
        let store = &self.bank.store;
        let Some(lane) = store.find_lane(client_id.clone()).await? else {
            return Ok(None);
        };
        let outstanding = store.counts(client_id.clone()).await?.outstanding;
        Ok(Some(LaneStatus {
            client_id: client_id.clone(),
            health: lane.health,
            wake_at: None,
            owner: None,
            outstanding,
        }))
    }

    async fn by_health(
        &self,
        health: HealthState,
        after: Option<ClientId>,
        visit: &Visit,
    ) -> Result<(Vec<Markup>, Option<ClientId>), Trouble> {
        let filter = LaneFilter {
            state: Some(health),
        };
        let lanes = self.bank.store.list_lanes(filter, after, ROWS).await?;
        let line = |lane: &LaneStatus| lane_row(lane, visit);
        Ok((lanes.rows.iter().map(line).collect(), lanes.next))
    }
}

fn line(tpp: &Tpp, lane: Option<&LaneStatus>) -> Markup {
    let standing = match tpp.standing {
        Standing::Active => "active",
        Standing::Disabled { .. } => "disabled",
    };
    let health = lane.map_or_else(String::new, |lane| lane.health.state().to_string());
    html! {
        tr {
            th scope="row" { (tpp_link(tpp.client_id.as_str())) }
            td { (tpp.profile.name) }
            td { (state(standing)) }
            td { @if lane.is_some() { (state(&health)) } @else { span.quiet { "–" } } }
            td.number { (lane.map_or_else(|| "–".to_owned(), |lane| number(lane.outstanding))) }
        }
    }
}

/// A line that says what is the matter with an endpoint.
pub(super) fn lane_row(lane: &LaneStatus, visit: &Visit) -> Markup {
    use oyez_domain::ledger::lanes::Health;
    let (since, why) = match &lane.health {
        Health::Responsive => (None, ""),
        Health::Failing { since, reason, .. } | Health::Unresponsive { since, reason, .. } => {
            (Some(*since), reason.as_str())
        }
        Health::Paused { since } => (Some(*since), "an operator paused it"),
    };
    html! {
        tr {
            th scope="row" { (tpp_link(lane.client_id.as_str())) }
            td {
                (state(&lane.health.state().to_string()))
                @if let Some(since) = since { " since " (when(since, visit.now)) }
            }
            td { (why) }
            td.number { (number(lane.outstanding)) }
        }
    }
}

fn tabs(here: &str) -> Markup {
    let all = [("", "All")].into_iter();
    let states = [
        ("unresponsive", "Unresponsive"),
        ("failing", "Failing"),
        ("paused", "Paused"),
        ("responsive", "Responsive"),
    ];
    html! {
        nav.tabs aria-label="By endpoint" {
            @for (word, name) in all.chain(states) {
                a href=(more(word, "", "")) aria-current=[(word == here).then_some("page")] { (name) }
            }
        }
    }
}

fn more(state: &str, prefix: &str, after: &str) -> String {
    let pairs = [("state", state), ("prefix", prefix), ("after", after)];
    let said = pairs.iter().filter(|(_, value)| !value.is_empty());
    let said: Vec<String> = said
        .map(|(name, value)| format!("{name}={}", segment(value)))
        .collect();
    if said.is_empty() {
        "/console/tpps".to_owned()
    } else {
        format!("/console/tpps?{}", said.join("&"))
    }
}

/// What fits two screens.
const ROWS: u32 = 50;
