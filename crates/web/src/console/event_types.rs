//! The event types that this bank tells of.

use maud::{Markup, html};
use oyez_domain::catalogue::{Role, Type};

use super::Console;
use super::visit::Sheet;
use super::words::{segment, table};

impl Console {
    /// `GET /console/event-types`.
    pub(super) fn event_types(&self) -> Sheet {
        let rows: Vec<Markup> = self.bank.rules.catalogue.types().iter().map(row).collect();
        let columns = ["Type", "What it tells", "Since", "Kind", ""];
        let main = html! {
            h1 { "Event types" }
            p.lead { "What publishers may tell, and TPPs may ask for." }
            (table(&columns, &rows, "There are none."))
        };
        Sheet {
            title: "Event types".to_owned(),
            main,
        }
    }
}

fn row(one: &Type) -> Markup {
    let kind = match one.role {
        Role::ResourceUpdate => "resource update",
        Role::Revocation => "revocation",
        Role::LinkedAccount => "linked account",
        Role::Own => "the bank's own",
    };
    html! {
        tr {
            th scope="row" {
                code { (one.urn.0) }
                @if let Some(code) = &one.code { br; code.quiet { (code) } }
            }
            td { (one.description) }
            td { (one.since.to_string()) }
            td { (kind) }
            td { a href=(format!("/console/events?type={}", segment(&one.urn.0))) { "Its events" } }
        }
    }
}
