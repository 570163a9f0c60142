//! Events, newest first, narrowed by whatever one knows of them.

use maud::{Markup, html};
use oyez_domain::time::Timestamp;
use serde_json::Value;

use super::Console;
use super::tpp::Show;
use super::visit::{Sheet, Trouble, Visit};
use super::words::{event_link, list, moment, segment, short_type, state, table, text, tpp_link};
use crate::internal::{Ask, Operation};

impl Console {
    /// `GET /console/events`.
    pub(super) async fn events(&self, visit: &Visit) -> Result<Sheet, Trouble> {
        let moments =
            ["accepted_from", "accepted_before"].map(|name| utc(visit.query.of_name(name)));
        let said = FILTERS.map(|name| (name, visit.query.of_name(name)));
        let mut pairs = said.to_vec();
        pairs.push(("accepted_from", &moments[0]));
        pairs.push(("accepted_before", &moments[1]));
        pairs.push(("cursor", visit.query.of_name("cursor")));
        let ask = Ask::of(Operation::ListEvents, "").query(pairs.clone());
        let page = self.ask(visit, ask.query([("limit", ROWS)])).await?;
        let rows = rows(&page["events"], visit.now, Show::WithTpp);
        let more = page["next"].as_str().map(|next| {
            pairs.pop();
            pairs.push(("cursor", next));
            let said = pairs.iter().filter(|(_, value)| !value.is_empty());
            let said: Vec<String> = said
                .map(|(name, value)| format!("{name}={}", segment(value)))
                .collect();
            format!("/console/events?{}", said.join("&"))
        });
        let empty = if more.is_some() {
            "Nothing among those looked at so far; there are older ones."
        } else {
            "No event is like this."
        };
        let main = html! {
            h1 { "Events" }
            (self.filters(visit))
            (table(&COLUMNS, &rows, empty))
            @if let Some(more) = more {
                p { a rel="next" href=(more) { "Older events" } }
            }
        };
        Ok(Sheet {
            title: "Events".to_owned(),
            main,
        })
    }

    fn filters(&self, visit: &Visit) -> Markup {
        let said = |name: &str| visit.query.of_name(name).to_owned();
        let known = &self.bank.rules.catalogue;
        let field = |name: &str, label: &str| {
            html! {
                div {
                    label for=(name) { (label) }
                    input id=(name) type="text" name=(name) value=(said(name));
                }
            }
        };
        let moment = |name: &str, label: &str| {
            html! {
                div {
                    label for=(name) { (label) }
                    input id=(name) type="datetime-local" step="1" name=(name) value=(said(name).trim_end_matches('Z'));
                }
            }
        };
        html! {
            form.filter action="/console/events" {
                (field("tpp", "TPP (client_id)"))
                div {
                    label for="state" { "State" }
                    select #state name="state" {
                        option value="" { "any" }
                        @for word in STATES {
                            option value=(word) selected[said("state") == word] { (word) }
                        }
                    }
                }
                div {
                    label for="type" { "Type" }
                    select #type name="type" {
                        option value="" { "any" }
                        @for one in known.types() {
                            option value=(one.urn.0) selected[said("type") == one.urn.0] { (short_type(&one.urn.0)) }
                        }
                    }
                }
                (field("resource_id", "Resource id (payment, consent…)"))
                (field("txn", "Transaction (txn)"))
                (field("interaction_id", "Interaction id"))
                (moment("accepted_from", "Accepted from (UTC)"))
                (moment("accepted_before", "Accepted before (UTC)"))
                button type="submit" { "Show" }
            }
        }
    }
}

/// Lines of a list of events.
pub(super) fn rows(events: &Value, now: Timestamp, show: Show) -> Vec<Markup> {
    let line = |event: &Value| {
        let types: Vec<&str> = list(&event["types"])
            .iter()
            .map(|urn| short_type(text(urn)))
            .collect();
        html! {
            tr {
                th scope="row" {
                    (event_link(text(&event["jti"])))
                    @if event["test"] == true { " " span.tag { "test" } }
                }
                @if show == Show::WithTpp { td { (tpp_link(text(&event["tpp"]))) } }
                td.nowrap { (moment(&event["accepted_at"], now)) }
                td { (types.join(", ")) }
                td { (text(&event["resource"]["type"])) " " code { (text(&event["resource"]["id"])) } }
                td { (state(text(&event["state"]))) }
            }
        }
    };
    list(events).iter().map(line).collect()
}

/// A moment as browsers write it, or as the API does.
fn utc(said: &str) -> String {
    match said.len() {
        0 => String::new(),
        16 => format!("{said}:00Z"),
        _ if said.ends_with('Z') || said.contains('+') => said.to_owned(),
        _ => format!("{said}Z"),
    }
}

const FILTERS: [&str; 6] = [
    "tpp",
    "state",
    "type",
    "resource_id",
    "txn",
    "interaction_id",
];
const STATES: [&str; 5] = [
    "outstanding",
    "failed",
    "acknowledged",
    "expired",
    "withdrawn",
];
const COLUMNS: [&str; 6] = ["Event", "TPP", "Accepted", "Types", "Resource", "State"];
/// What fits two screens.
const ROWS: &str = "50";
