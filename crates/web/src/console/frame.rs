//! The frame of the console: where one can go, the search, and who is logged in.

use maud::{Markup, html};

use super::Console;
use super::sessions::Session;
use super::visit::FORM_TOKEN;
use crate::pages::{Frame, frame};

impl Console {
    /// The whole document.
    pub(super) fn framed(
        &self,
        title: &str,
        main: &Markup,
        session: Option<&Session>,
        path: &str,
    ) -> String {
        let tools = session.map(|session| tools(session, path));
        frame(&Frame {
            title,
            brand: &self.brand,
            assets: &self.assets,
            assets_at: "/console/assets/",
            home: "/console",
            place: "Console",
            links: &[],
            tools,
            contents: None,
            main: main.clone(),
            styles: &["console.css"],
            scripts: &["copy.js", "live.js"],
        })
        .into_string()
    }
}

fn tools(session: &Session, path: &str) -> Markup {
    let operator = &session.operator;
    html! {
        nav.tools aria-label="Console" {
            @for (name, at) in PLACES {
                a href=(at) aria-current=[is_here(at, path).then_some("page")] { (name) }
            }
        }
        form.find role="search" action="/console/find" {
            label.unseen for="find" { "Find a TPP, event, resource or transaction" }
            input #find type="search" name="q" placeholder="client_id, payment, jti…" required;
            button.plain type="submit" { "Find" }
        }
        form.who method="post" action="/console/logout" {
            (form_token(session))
            span { (operator.name) " " span.tag { (operator.role.name()) } }
            button.plain type="submit" { "Log out" }
        }
    }
}

/// What a form of this session carries.
pub(super) fn form_token(session: &Session) -> Markup {
    html! { input type="hidden" name=(FORM_TOKEN) value=(session.form_token()); }
}

fn is_here(place: &str, path: &str) -> bool {
    path == place || (place != "/console" && path.starts_with(place))
}

const PLACES: [(&str, &str); 6] = [
    ("Overview", "/console"),
    ("TPPs", "/console/tpps"),
    ("Events", "/console/events"),
    ("Event types", "/console/event-types"),
    ("Keys", "/console/keys"),
    ("Audit trail", "/console/audit"),
];
