//! The page: what a TPP's developer asks, in the order in which it is asked. Every value is the policy's.

mod errors;
mod events;
mod polling;
mod push;
mod quick_start;
mod signing;
mod status;
mod versions;

use maud::{Markup, html};

pub(crate) use status::{refused, status};

use super::policy::Policy;
use super::samples::Sample;
use crate::pages::{Assets, Brand, Frame, code, frame};

/// What is shown.
pub(super) struct View<'a> {
    pub(super) policy: &'a Policy,
    pub(super) samples: &'a [Sample],
    pub(super) brand: &'a Brand,
    pub(super) assets: &'a Assets,
}

/// The document.
pub(super) fn page(view: &View<'_>) -> Markup {
    let sections = sections(view.policy);
    let contents = html! {
        ul { @for (id, title) in &sections { li { a href={ "#" (id) } { (title) } } } }
    };
    frame(&Frame {
        title: "Event notifications for developers",
        brand: view.brand,
        assets: view.assets,
        assets_at: "developer/assets/",
        home: "developer",
        place: "Developers",
        links: &[
            ("Your status", "developer/status"),
            ("policy.json", "developer/policy.json"),
        ],
        tools: None,
        contents: Some(contents),
        main: main(view),
        styles: &[],
        scripts: &["copy.js", "check.js"],
    })
}

/// What stands on the page at this bank, by id and title.
fn sections(policy: &Policy) -> Vec<(&'static str, &'static str)> {
    let mut sections = vec![
        ("quick-start", "Quick start"),
        ("versions", "Versions and endpoints"),
        ("registrations", "Registrations"),
        ("event-types", "Event types"),
        ("tokens", "Tokens and keys"),
        ("check", "Check a token"),
    ];
    if policy.push.is_some() {
        sections.push(("push", "Push"));
    }
    if policy.polling.is_some() {
        sections.push(("polling", "Polling"));
    }
    sections.extend([
        ("fair-use", "Fair use"),
        ("retention", "Retention"),
        ("errors", "Errors"),
    ]);
    sections
}

fn main(view: &View<'_>) -> Markup {
    let policy = view.policy;
    html! {
        h1 { "Event notifications" }
        p.lead {
            (policy.bank.name) " tells you when a consent, a payment or an account that you hold changes: pushed to you, or when you ask. "
            "This page says how, as the bank is configured now. "
            a href="developer/policy.json" { "The same as JSON" } " is for programs."
        }
        (quick_start::section(policy))
        (versions::section(policy))
        (versions::registrations(policy))
        (events::section(view))
        (signing::section(policy))
        (signing::paste_box(view))
        @if let Some(push) = &policy.push { (push::section(push)) }
        @if let Some(polling) = &policy.polling { (polling::section(polling)) }
        (polling::fair_use(&policy.fair_use))
        (polling::retention(&policy.retention))
        (errors::section(policy))
    }
}

/// A heading that can be linked to.
fn heading(id: &str, title: &str) -> Markup {
    html! { h2 id=(id) { (title) a.anchor href={ "#" (id) } aria-label={ "Link to " (title) } { "#" } } }
}

/// A row of facts.
fn fact(name: &str, value: impl maud::Render) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// Words of code, with commas between.
fn codes<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> Markup {
    html! {
        @for (index, word) in words.into_iter().enumerate() {
            @if index > 0 { ", " }
            (code(word))
        }
    }
}

/// A table that scrolls inside, and can be scrolled by keyboard.
fn table(caption: &str, heads: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scrolls tabindex="0" role="group" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody { (rows) }
            }
        }
    }
}
