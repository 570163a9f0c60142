//! A TPP's own page.

use maud::{Markup, html};
use oyez_domain::silence::Weight;

use super::super::status::{Endpoint, Registered, Status};
use super::{codes, fact, table};
use crate::pages::{Assets, Brand, Frame, code, code_block, frame, sentence};

/// How a TPP stands.
pub(crate) fn status(status: &Status, brand: &Brand, assets: &Assets) -> Markup {
    let main = html! {
        h1 { "Your status" }
        div id="status" {
            p.lead { (status.name) " (" (code(&status.client_id)) "), at " (status.at) }
            (reasons(status))
            h2 { "Registration" }
            (registration(status.registration.as_ref()))
            @if let Some(endpoint) = &status.endpoint { h2 { "Endpoint" } (of_endpoint(endpoint)) }
            h2 { "Events" }
            (events(status))
            h2 { "Last pushes" }
            (attempts(status))
            h2 { "Last polls that brought events" }
            (polls(status))
        }
    };
    page(main, brand, assets)
}

/// What whoever may not see it sees, and a way to show a token.
pub(crate) fn refused(why: &str, brand: &Brand, assets: &Assets) -> Markup {
    let main = html! {
        h1 { "Your status" }
        p.lead { "Your registration, the health of your endpoint, your last pushes and polls, and why you get no events." }
        div id="refused" { p.note { "The bank does not show it: " (why) "." } }
        form id="status-form" hidden {
            label for="status-token" { "Access token" span.hint { "As for the API, with the client certificate that it is bound to. It is sent to this bank alone, and not kept" } }
            input id="status-token" name="token" type="password" autocomplete="off" spellcheck="false" required;
            div.actions { button type="submit" { "Show" } }
        }
        div id="status-result" aria-live="polite" {}
        h2 { "On the command line" }
        (code_block("Command: ask for your status", "curl --cert obwac.pem --key obwac.key -H \"Authorization: Bearer $TOKEN\" \\\n  -H \"Accept: application/json\" THIS-ADDRESS"))
    };
    page(main, brand, assets)
}

fn page(main: Markup, brand: &Brand, assets: &Assets) -> Markup {
    frame(&Frame {
        title: "Your status",
        brand,
        assets,
        assets_at: "assets/",
        home: "../developer",
        place: "Developers",
        links: &[
            ("For developers", "../developer"),
            ("policy.json", "policy.json"),
        ],
        tools: None,
        contents: None,
        main,
        styles: &[],
        scripts: &["copy.js", "status.js"],
    })
}

fn reasons(status: &Status) -> Markup {
    html! {
        @if status.reasons.is_empty() {
            p.note { strong.good { "All is well." } " What is accepted for you arrives." }
        } @else {
            h2 { "Why events do not arrive" }
            @for reason in &status.reasons {
                div.note.warn[reason.weight == Weight::All] {
                    p {
                        strong { (sentence(&reason.what)) } " "
                        span.tag { @match reason.weight {
                            Weight::All => "nothing arrives",
                            Weight::Pushes => "nothing by push",
                            Weight::Some => "not everything arrives",
                        } }
                    }
                    p { "What to do: " (reason.mend) "." }
                }
            }
        }
    }
}

fn registration(registered: Option<&Registered>) -> Markup {
    html! {
        @match registered {
            None => p { "You have registered nothing." },
            Some(registered) => {
                dl.facts {
                    (fact("Kind", registered.kind))
                    (fact("Id", code(&registered.id)))
                    (fact("Version", code(&registered.version)))
                    (fact("Made or changed through", html! { (code(&registered.api)) " at " (registered.changed_at) }))
                    (fact("Pushed to", html! { @match &registered.callback_url { Some(url) => { (code(url)) }, None => "nothing is: events wait for polls" } }))
                    (fact("Event types", html! { @match &registered.event_types { Some(types) if !types.is_empty() => { (codes(types)) }, _ => "all that the Version knows" } }))
                }
            },
        }
    }
}

fn of_endpoint(endpoint: &Endpoint) -> Markup {
    html! {
        dl.facts {
            (fact("Health", html! { strong { (endpoint.health) } @if let Some(since) = &endpoint.since { " since " (since) } }))
            @if let Some(reason) = &endpoint.reason { (fact("What went wrong last", reason)) }
            @if let Some(at) = &endpoint.next_probe_at { (fact("Tried again at", at)) }
        }
    }
}

fn events(status: &Status) -> Markup {
    let events = &status.events;
    html! {
        dl.facts {
            @for (name, count) in [
                ("Outstanding", events.outstanding), ("Accepted, ever", events.accepted), ("Acknowledged", events.acknowledged),
                ("Failed", events.failed), ("Expired", events.expired), ("Withdrawn", events.withdrawn),
            ] { (fact(name, count)) }
        }
    }
}

fn attempts(status: &Status) -> Markup {
    let rows = html! {
        @for attempt in &status.attempts {
            tr {
                td.number { (attempt.at) }
                td { (attempt.outcome.replace('_', " ")) }
                td.wraps { (attempt.answer) }
                td.number { (attempt.milliseconds) " ms" }
                td { (code(&attempt.jti)) }
                td { (code(&attempt.interaction_id)) }
            }
        }
    };
    html! {
        @if status.attempts.is_empty() { p { "There are none of your newest events and the newest outstanding ones." } }
        @else { (table("The last pushes of your newest events and the newest outstanding ones", &["At", "Outcome", "Answer", "Took", "jti", "Interaction id"], &rows)) }
    }
}

fn polls(status: &Status) -> Markup {
    let rows = html! {
        @for poll in &status.polls {
            tr { td.number { (poll.at) } td.number { (poll.events) } td { (code(&poll.interaction_id)) } }
        }
    };
    html! {
        @if status.polls.is_empty() { p { "There are none of your newest events and the newest outstanding ones." } }
        @else { (table("The last polls of your newest events and the newest outstanding ones", &["At", "Events", "Interaction id"], &rows)) }
    }
}
