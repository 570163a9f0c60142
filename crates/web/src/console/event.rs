//! One event: where it stands, what happened to it in order, and the SET as it was signed.

use maud::{Markup, html};
use oyez_domain::time::Timestamp;
use oyez_jose::UnixTime;
use oyez_jose::compact::{Compact, Verifier};
use serde_json::Value;

use super::Console;
use super::routes::Act;
use super::tpp::done;
use super::visit::{Sheet, Trouble, Visit};
use super::words::{facts, list, moment, segment, short_type, state, text, tpp_link, when};
use crate::internal::Operation;
use crate::pages::code_block;
use crate::pages::sentence;

impl Console {
    /// `GET /console/events/{jti}`.
    pub(super) async fn event(&self, visit: &Visit) -> Result<Sheet, Trouble> {
        let file = self.ask_here(visit, Operation::ReadEvent).await?;
        let event = &file["event"];
        let jti = text(&event["jti"]);
        let main = html! {
            p.crumbs { a href="/console/events" { "Events" } }
            h1 { (title(event)) }
            p.lead { (verdict(event)) }
            (done(visit))
            (ways(&file))
            (acts(visit, event))
            (facts(&[
                ("jti", html! { code { (jti) } }),
                ("TPP", tpp_link(text(&event["tpp"]))),
                ("State", state(text(&event["state"]))),
                ("Accepted", moment(&event["accepted_at"], visit.now)),
                ("Resource", html! { (text(&event["resource"]["type"])) " " code { (text(&event["resource"]["id"])) } }),
                ("Transaction", transaction(&file)),
                ("Place in the TPP's order", html! { (event["position"]) }),
            ]))
            h2 { "What happened" }
            (timeline(&file, visit.now))
            h2 { "SET" }
            @if list(&file["sets"]).is_empty() {
                p { "None is signed yet: that is done when the event is first handed out." }
            }
            @for set in list(&file["sets"]) { (self.set(set, visit.now)) }
            h2 { "What the publisher said" }
            (code_block("What the publisher said", &pretty(&file["notice"])))
        };
        Ok(Sheet {
            title: format!("Event {jti}"),
            main,
        })
    }

    /// A SET with its claims, and whether its signature is good by the keys that TPPs are shown now.
    fn set(&self, kept: &Value, now: Timestamp) -> Markup {
        let token = text(&kept["set"]);
        let at = UnixTime::from_milliseconds(now.unix_ms());
        let keys = self.bank.keys.borrow().jwks_at(at);
        let checked = Compact::parse(token)
            .map_err(|error| error.to_string())
            .and_then(|set| {
                let verified = Verifier::sets().verify(set, &keys, at);
                verified.map_err(|error| error.to_string())
            });
        let header = token.split('.').next().and_then(decoded);
        html! {
            p {
                @match checked {
                    Ok(_) => { span.state.good { "The signature is good" } " by the key " code { (text(&kept["kid"])) } }
                    Err(why) => { span.state.bad { "The signature is not good by the keys that are published now: " (why) } }
                }
                ", kept " (moment(&kept["kept_at"], now))
            }
            @if let Some(header) = header {
                h3 { "Header" }
                (code_block("Header of the SET", &pretty(&header)))
            }
            h3 { "Claims" }
            (code_block("Claims of the SET", &pretty(&kept["claims"])))
            details {
                summary { "The token as it is sent" }
                (code_block("The token", token))
            }
        }
    }
}

fn decoded(part: &str) -> Option<Value> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn title(event: &Value) -> String {
    let types: Vec<&str> = list(&event["types"])
        .iter()
        .map(|urn| short_type(text(urn)))
        .collect();
    let test = if event["test"] == true { " (test)" } else { "" };
    format!("{}{test}", types.join(", "))
}

/// Where it stands, in a sentence.
fn verdict(event: &Value) -> String {
    let how = text(&event["settlement"]["reason"]);
    match text(&event["state"]) {
        "outstanding" => "It is outstanding: the TPP has not acknowledged it yet.".to_owned(),
        "acknowledged" => match how {
            "push" => "The TPP has it: its endpoint acknowledged the push.".to_owned(),
            "poll" => "The TPP has it: it acknowledged it by a poll.".to_owned(),
            "reported_as_duplicate" => "The TPP has it: it said that it had it before.".to_owned(),
            _ => "It counts as acknowledged: it was handed out as often as the policy allows.".to_owned(),
        },
        "failed" => "It failed: the TPP reported errors against it as often as the policy allows, and it was set aside.".to_owned(),
        "expired" => "It expired: nobody acknowledged it in time.".to_owned(),
        _ => match how {
            "registration_deleted" => "It was withdrawn: its TPP's registration was removed.".to_owned(),
            "type_no_longer_wanted" => "It was withdrawn: its TPP does not want its type any more.".to_owned(),
            _ => "It was withdrawn by an operator.".to_owned(),
        },
    }
}

/// By which ways an outstanding event gets to its TPP.
fn ways(file: &Value) -> Markup {
    let delivery = &file["delivery"];
    if delivery.is_null() {
        return html! {};
    }
    let silenced = list(&delivery["silenced_by"]);
    let endpoint = text(&delivery["endpoint"]["state"]);
    html! {
        @if !silenced.is_empty() {
            div.note.bad-note {
                @for why in silenced { p { "It cannot go out: " (sentence(text(why))) } }
                p { a href=(super::words::tpp_at(text(&file["event"]["tpp"]))) { "What helps" } }
            }
        } @else {
            p.note {
                @match delivery["pushed_to"].as_str() {
                    Some(address) => {
                        "It is pushed to " code { (address) } ", whose endpoint is " (state(endpoint)) ". "
                    }
                    None => { "It is not pushed: its TPP has registered no address. " }
                }
                @if delivery["may_poll"] == true { "The TPP can poll it." } @else { "The TPP may not poll." }
            }
        }
    }
}

fn acts(visit: &Visit, event: &Value) -> Markup {
    let is_outstanding = event["state"] == "outstanding";
    let at = format!("/console/events/{}", segment(text(&event["jti"])));
    let offered = [
        (Act::PushAgain, "Push again…"),
        (Act::Withdraw, "Withdraw…"),
    ];
    let mut offered = offered
        .into_iter()
        .filter(|(act, _)| is_outstanding && visit.may(act.operation()))
        .peekable();
    html! {
        @if offered.peek().is_some() {
            nav.acts aria-label="What can be done" {
                @for (act, label) in offered { a.button.plain href=(format!("{at}/{}", act.word())) { (label) } }
            }
        }
    }
}

/// Everything that happened to it, oldest first.
fn timeline(file: &Value, now: Timestamp) -> Markup {
    let mut items: Vec<(Timestamp, Markup)> = Vec::new();
    let mut add = |at: &Value, what: Markup| {
        if let Some(at) = at.as_str().and_then(|text| text.parse().ok()) {
            items.push((at, what));
        }
    };
    add(
        &file["event"]["accepted_at"],
        html! { strong { "Accepted" } " from a publisher" },
    );
    for set in list(&file["sets"]) {
        add(
            &set["kept_at"],
            html! { strong { "Signed" } " by the key " code { (text(&set["kid"])) } },
        );
    }
    for one in list(&file["hand_outs"]) {
        add(
            &one["at"],
            html! { strong { "Handed out" } " by a poll" (interaction(one)) },
        );
    }
    for one in list(&file["errors"]) {
        add(
            &one["at"],
            html! {
                strong.bad { "Error reported" } " by the TPP: " code { (text(&one["err"])) } " "
                q { (text(&one["description"])) } (interaction(one))
            },
        );
    }
    for one in list(&file["attempts"]) {
        add(&one["started_at"], attempt(one, now));
    }
    for one in list(&file["settlements"]) {
        add(
            &one["at"],
            html! {
                strong { (sentence(text(&one["outcome"])).trim_end_matches('.')) } ": "
                (text(&one["reason"]).replace('_', " ")) ", by " (text(&one["actor"]))
            },
        );
    }
    items.sort_by_key(|(at, _)| *at);
    html! {
        ol.timeline {
            @for (at, what) in items { li { div.at { (when(at, now)) } div { (what) } } }
        }
    }
}

fn attempt(one: &Value, now: Timestamp) -> Markup {
    let answer = &one["answer"];
    let peer = &one["peer"];
    html! {
        strong { "Pushed" } " in " (one["latency_ms"]) " ms: "
        @if let Some(status) = answer["status"].as_u64() {
            "answered " strong class=(if status == 202 { "good" } else { "bad" }) { (status) }
            @if let Some(deviation) = answer["deviation"].as_str() { " (" (deviation) ")" }
        } @else {
            strong.bad { (text(&answer["error"]).replace('_', " ")) } " – " (text(&answer["detail"]))
        }
        @match text(&one["verdict"]) {
            "acknowledged" => ", which acknowledges it",
            "refused" => { ", which refuses this event" @if !one["again_at"].is_null() { "; again " (moment(&one["again_at"], now)) } }
            _ => ", which is the endpoint's failure",
        }
        (interaction(one))
        @if let Some(address) = peer["address"].as_str() {
            div.quiet { "to " (address) @if let Some(version) = peer["tls_version"].as_str() { ", " (version) } }
        }
        @if let Some(body) = answer["body_head"].as_str().filter(|body| !body.is_empty()) {
            details { summary { "What it answered" } (code_block("What it answered", body)) }
        }
    }
}

fn interaction(one: &Value) -> Markup {
    match one["interaction_id"].as_str() {
        Some(id) => html! {
            div.quiet { "interaction " a.mono href=(format!("/console/events?interaction_id={}", segment(id))) { (id) } }
        },
        None => html! {},
    }
}

fn transaction(file: &Value) -> Markup {
    match file["notice"]["txn"].as_str() {
        Some(txn) => {
            html! { a.mono href=(format!("/console/events?txn={}", segment(txn))) { (txn) } }
        }
        None => html! { span.quiet { "its own: the jti" } },
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
