//! The audit trail: who changed what, before and after.

use maud::{Markup, html};
use oyez_domain::time::Timestamp;
use serde_json::Value;

use super::Console;
use super::visit::{Sheet, Trouble, Visit};
use super::words::{list, moment, segment, table, text, tpp_link};
use crate::internal::{Ask, Operation};

impl Console {
    /// `GET /console/audit`.
    pub(super) async fn audit(&self, visit: &Visit) -> Result<Sheet, Trouble> {
        let tpp = visit.query.of_name("tpp");
        let said = [
            ("tpp", tpp),
            ("cursor", visit.query.of_name("cursor")),
            ("limit", "50"),
        ];
        let ask = Ask::of(Operation::ListAudit, "").query(said);
        let page = self.ask(visit, ask).await?;
        let main = html! {
            h1 { "Audit trail" }
            form.filter action="/console/audit" {
                div {
                    label for="tpp" { "TPP (client_id)" }
                    input #tpp type="text" name="tpp" value=(tpp);
                }
                button type="submit" { "Show" }
            }
            (entries(&page["entries"], visit.now))
            @if page["next"].is_u64() {
                p { a rel="next" href=(format!("/console/audit?tpp={}&cursor={}", segment(tpp), page["next"])) { "Older changes" } }
            }
        };
        Ok(Sheet {
            title: "Audit trail".to_owned(),
            main,
        })
    }
}

/// Entries, newest first.
pub(super) fn entries(entries: &Value, now: Timestamp) -> Markup {
    let row = |entry: &Value| {
        html! {
            tr {
                td.nowrap { (moment(&entry["at"], now)) }
                td { (text(&entry["actor"])) }
                th scope="row" { (text(&entry["action"])) }
                td { @if let Some(tpp) = entry["tpp"].as_str() { (tpp_link(tpp)) } }
                td { (change(entry)) }
            }
        }
    };
    let rows: Vec<Markup> = list(entries).iter().map(row).collect();
    let columns = ["When", "Who", "What", "TPP", "Before and after"];
    table(&columns, &rows, "Nothing was changed.")
}

fn change(entry: &Value) -> Markup {
    let sides = [("Before", &entry["before"]), ("After", &entry["after"])];
    let sides = sides.into_iter().filter(|(_, side)| !side.is_null());
    let sides: Vec<_> = sides.collect();
    html! {
        @if !sides.is_empty() {
            details {
                summary { "Show" }
                @for (name, side) in sides {
                    div.quiet { (name) }
                    pre.wrapped { code { (serde_json::to_string_pretty(side).unwrap_or_default()) } }
                }
            }
        }
    }
}
