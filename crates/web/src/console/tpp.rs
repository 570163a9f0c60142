//! One TPP: why it gets no events, what to press, and everything that is known of it.

use maud::{Markup, html};
use oyez_domain::ids::ClientId;
use oyez_domain::time::Timestamp;
use serde_json::Value;

use super::Console;
use super::audit::entries;
use super::chart::{HOUR, charts};
use super::events::rows as event_rows;
use super::routes::Act;
use super::visit::{Sheet, Trouble, Visit};
use super::words::{count, facts, list, moment, segment, state, table, text, tpp_at};
use crate::internal::{Ask, Operation};

impl Console {
    /// `GET /console/tpps/{client_id}`.
    pub(super) async fn tpp(&self, visit: &Visit) -> Result<Sheet, Trouble> {
        let tpp = self.ask_here(visit, Operation::ReadTpp).await?;
        let endpoint = self.ask_here(visit, Operation::ReadEndpoint).await?;
        let name = text(&tpp["client_id"]).to_owned();
        let client_id: ClientId = name.parse().map_err(|_| Trouble::Nothing)?;
        let last = [("tpp", name.as_str()), ("limit", "10")];
        let events = Ask::of(Operation::ListEvents, "").query(last);
        let events = self.ask(visit, events).await?;
        let audit = Ask::of(Operation::ListAudit, "").query(last);
        let audit = self.ask(visit, audit).await?;
        let hour = visit.now.minute() - HOUR.span..visit.now;
        let minutes = self
            .bank
            .store
            .minutes(Some(client_id.clone()), hour)
            .await?;
        let causes = self.causes(visit, &client_id, &minutes).await?;
        let main = html! {
            p.crumbs { a href="/console/tpps" { "TPPs" } }
            h1 { (text(&tpp["name"])) }
            p.lead {
                code { (name) } " "
                (state(text(&tpp["standing"]["state"]))) " · endpoint " (state(text(&endpoint["state"])))
            }
            (done(visit))
            (causes)
            (figures(&name, &tpp["counts"]))
            (acts(visit, &name, &tpp, &endpoint))
            h2 { "The last hour" }
            (charts(&minutes, visit.now, &HOUR))
            h2 { "Its last events" }
            (table(&EVENT_COLUMNS, &event_rows(&events["events"], visit.now, Show::WithoutTpp), "Nothing was accepted for it yet."))
            p { a href=(format!("/console/events?tpp={}", segment(&name))) { "All its events" } }
            h2 { "Endpoint" }
            (endpoint_facts(&endpoint, visit.now))
            h2 { "Registrations" }
            (registrations(&tpp["registrations"], visit.now))
            h2 { "Profile" }
            (profile(&tpp, visit.now))
            h2 { "What was changed last" }
            (entries(&audit["entries"], visit.now))
            p { a href=(format!("/console/audit?tpp={}", segment(&name))) { "All its changes" } }
        };
        Ok(Sheet {
            title: text(&tpp["name"]).to_owned(),
            main,
        })
    }
}

/// Whether a list of events says whose they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    WithTpp,
    WithoutTpp,
}

/// What was just done, by a word that we know.
pub(super) fn done(visit: &Visit) -> Markup {
    let many = visit.query.of_name("n").parse::<u64>().unwrap_or(0);
    let said = match visit.query.of_name("done") {
        "resume" => "Done: its endpoint is tried again.".to_owned(),
        "pause" => "Done: nothing is pushed to it until somebody resumes it.".to_owned(),
        "disable" => "Done: it is not served any more.".to_owned(),
        "enable" => "Done: it is served again.".to_owned(),
        "remove-event-subscription" | "remove-callback-url" => {
            format!("Done: the registration is gone, and {many} events were withdrawn with it.")
        }
        "queue-failed-again" => format!("Done: {many} events are outstanding again."),
        "send-test-event" => {
            "Done: this is the test event. Reload to see how far it is.".to_owned()
        }
        "push-again" if many > 0 => {
            "Done: it is pushed again. Reload to see what came of it.".to_owned()
        }
        "push-again" => {
            "Nothing was queued: it has ended, or its TPP has no address to push to.".to_owned()
        }
        "withdraw" if many > 0 => "Done: it was withdrawn, and is handed out no more.".to_owned(),
        "withdraw" => "Nothing was withdrawn: it had ended before.".to_owned(),
        _ => return html! {},
    };
    html! { p.note role="status" { (said) } }
}

fn figures(name: &str, counts: &Value) -> Markup {
    let places = [
        "outstanding",
        "failed",
        "acknowledged",
        "expired",
        "withdrawn",
    ];
    html! {
        ul.figures {
            @for place in places {
                li {
                    a href=(format!("/console/events?tpp={}&state={place}", segment(name))) {
                        span.figure { (count(&counts[place])) } span { (place) }
                    }
                }
            }
            li { div { span.figure { (count(&counts["accepted"])) } span { "accepted in all" } } }
        }
    }
}

/// What can be pressed now. A viewer sees none of it.
fn acts(visit: &Visit, name: &str, tpp: &Value, endpoint: &Value) -> Markup {
    let is_disabled = tpp["standing"]["state"] == "disabled";
    let registered = &tpp["registrations"];
    let offered = [
        (true, Act::SendTest, "Send a test event…"),
        (
            endpoint["state"] != "responsive",
            Act::Resume,
            "Resume pushes…",
        ),
        (endpoint["state"] != "paused", Act::Pause, "Pause pushes…"),
        (
            tpp["counts"]["failed"] != 0,
            Act::Requeue,
            "Queue failed events again…",
        ),
        (is_disabled, Act::Enable, "Enable…"),
        (!is_disabled, Act::Disable, "Disable…"),
        (
            !registered["event_subscription"].is_null(),
            Act::RemoveSubscription,
            "Remove its event-subscription…",
        ),
        (
            !registered["callback_url"].is_null(),
            Act::RemoveCallbackUrl,
            "Remove its callback-url…",
        ),
    ];
    let offered: Vec<_> = offered
        .into_iter()
        .filter(|(applies, act, _)| *applies && visit.may(act.operation()))
        .collect();
    html! {
        @if !offered.is_empty() {
            nav.acts aria-label="What can be done" {
                @for (_, act, label) in offered {
                    a.button.plain href=(format!("{}/{}", tpp_at(name), act.word())) { (label) }
                }
            }
        }
    }
}

fn endpoint_facts(endpoint: &Value, now: Timestamp) -> Markup {
    let retry = &endpoint["retry"];
    let pushed_to = &endpoint["pushed_to"];
    let own = if retry["set_for"] == "tpp" {
        " (set for this TPP)"
    } else {
        ""
    };
    let mut pairs = vec![(
        "Pushed to",
        if pushed_to.is_null() {
            html! { "nowhere: it polls, or hears nothing" }
        } else {
            html! { code { (text(pushed_to)) } }
        },
    )];
    pairs.push(("State", state(text(&endpoint["state"]))));
    if !endpoint["since"].is_null() {
        pairs.push(("Since", moment(&endpoint["since"], now)));
    }
    if !endpoint["reason"].is_null() {
        pairs.push((
            "What went wrong last",
            html! { (text(&endpoint["reason"])) },
        ));
        pairs.push((
            "Failures in a row",
            html! { (count(&endpoint["failures"])) },
        ));
    }
    if !endpoint["next_probe_at"].is_null() {
        pairs.push(("Tried next", moment(&endpoint["next_probe_at"], now)));
    }
    pairs.push((
        "Tried again for",
        html! { (text(&retry["shortest"])) " to " (text(&retry["longest"])) (own) },
    ));
    facts(&pairs)
}

fn registrations(registered: &Value, now: Timestamp) -> Markup {
    let subscription = &registered["event_subscription"];
    let callback = &registered["callback_url"];
    html! {
        @if subscription.is_null() && callback.is_null() {
            p { "It has registered nothing." }
        }
        @if !subscription.is_null() {
            h3 { "Event-subscription" }
            (facts(&[
                ("Id", html! { code { (text(&subscription["id"])) } }),
                ("Callback", or_dash(&subscription["callback_url"])),
                ("Version", html! { (said(&subscription["version"])) ", registered by " (said(&subscription["api"])) }),
                ("Event types", types(&subscription["event_types"])),
                ("Created", moment(&subscription["created_at"], now)),
                ("Changed", moment(&subscription["changed_at"], now)),
            ]))
        }
        @if !callback.is_null() {
            h3 { "Callback-url" }
            (facts(&[
                ("Id", html! { code { (text(&callback["id"])) } }),
                ("URL", or_dash(&callback["url"])),
                ("Version", html! { (said(&callback["version"])) ", registered by " (said(&callback["api"])) }),
                ("Created", moment(&callback["created_at"], now)),
                ("Changed", moment(&callback["changed_at"], now)),
            ]))
        }
    }
}

fn profile(tpp: &Value, now: Timestamp) -> Markup {
    let keys = &tpp["keys"];
    let overrides = &tpp["overrides"];
    let set = overrides.as_object().is_some_and(|all| !all.is_empty());
    let mut pairs = vec![
        ("Organisation", html! { (text(&tpp["org_id"])) }),
        ("Software", html! { (text(&tpp["software_id"])) }),
        (
            "Keys",
            if keys["jwks_url"].is_null() {
                html! { "a set kept here" }
            } else {
                or_dash(&keys["jwks_url"])
            },
        ),
        ("Registered", moment(&tpp["registered_at"], now)),
        ("Changed", moment(&tpp["changed_at"], now)),
    ];
    let scopes: Vec<&str> = list(&tpp["scopes"]).iter().map(text).collect();
    if !scopes.is_empty() {
        pairs.push(("Scopes", html! { (scopes.join(", ")) }));
    }
    if set {
        let written = serde_json::to_string_pretty(overrides).unwrap_or_default();
        pairs.push((
            "Set for this TPP",
            html! { pre tabindex="0" { code { (written) } } },
        ));
    }
    if !tpp["standing"]["reason"].is_null() {
        pairs.push((
            "Disabled because",
            html! { (text(&tpp["standing"]["reason"])) },
        ));
    }
    facts(&pairs)
}

fn types(value: &Value) -> Markup {
    let urns: Vec<&str> = list(value).iter().map(text).collect();
    html! {
        @if urns.is_empty() { "all" }
        @for urn in urns { code { (urn) } " " }
    }
}

fn or_dash(value: &Value) -> Markup {
    match value.as_str() {
        Some(text) => html! { code { (text) } },
        None => html! { span.quiet { "–" } },
    }
}

/// A member that may be a text or a number.
fn said(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_owned(),
        other => other.to_string(),
    }
}

const EVENT_COLUMNS: [&str; 5] = ["Event", "Accepted", "Types", "Resource", "State"];
