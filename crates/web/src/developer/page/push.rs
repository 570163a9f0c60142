//! What comes to a CallbackUrl, what its answers mean, and when it comes again.

use maud::{Markup, html};

use super::super::policy::{Push, Seconds};
use super::{codes, fact, heading, table};
use crate::pages::{code, code_block};

pub(super) fn section(push: &Push) -> Markup {
    html! {
        section aria-labelledby="push" {
            (heading("push", "Push"))
            p {
                "Each event is a POST of one token to your CallbackUrl. Keep it, then answer 202 with an empty body: work on it afterwards. "
                "Delivery is at least once, so an event may come twice; by its jti you know it."
            }
            (code_block("A push", &request(push)))
            dl.facts {
                (fact("Acknowledged by", acknowledged(push.acknowledgement)))
                (fact("Refused by", html! { "400 with " (code("err")) " and " (code("description")) ": that event is tried again by the policy below, others go on" }))
                (fact("Anything else", "is a failure of your endpoint: pushing stops, and it is tried again with one event at a time"))
                (fact("Connecting may take", push.connect_timeout_seconds.to_string()))
                (fact("A push may take in all", push.total_timeout_seconds.to_string()))
                (fact("Pushes at once", push.at_once_max.to_string()))
                (fact("Order", match push.order {
                    "strict" => "strict: the next comes when the one before is settled",
                    _ => "begun in the order of acceptance, several at once: they may arrive in another",
                }))
                (fact("TLS", html! { (push.tls_min) " or newer, with a certificate for the name in the URL" }))
                (fact("Vouched for by", html! {
                    @match &push.trust_anchors {
                        None => "an authority of the public web",
                        Some(subjects) => { "one of " (codes(subjects)) },
                    }
                }))
                (fact("The bank's client certificate", if push.client_certificate { "is shown where you ask for one" } else { "there is none: do not ask for one" }))
                (fact("Where it may lead", html! {
                    "to public addresses, judged at each connection; redirects are not followed"
                    @if !push.private_networks.is_empty() { "; besides to " (codes(&push.private_networks)) }
                }))
                (fact("Headers", html! {
                    (code("x-fapi-interaction-id")) ", new with each attempt: answer with the same"
                    @if let Some(id) = &push.financial_id { "; " (code("x-fapi-financial-id")) " is " (code(id)) }
                }))
            }
            (retry(push))
        }
    }
}

fn request(push: &Push) -> String {
    let financial = push.financial_id.as_ref();
    let financial = financial.map_or_else(String::new, |id| format!("x-fapi-financial-id: {id}\n"));
    format!(
        "POST /open-banking/v4.0/event-notifications HTTP/1.1\nContent-Type: application/jwt\nAccept: application/json\nx-fapi-interaction-id: 93bac548-d2de-4546-b106-880a5018460d\n{financial}\neyJhbGciOi…"
    )
}

fn acknowledged(by: &str) -> &'static str {
    match by {
        "strict" => "202 that repeats the x-fapi-interaction-id of the push, and nothing else",
        "lenient" => "any 2xx",
        _ => "202, and nothing else",
    }
}

fn retry(push: &Push) -> Markup {
    let retry = &push.retry;
    let rows = html! {
        @for moment in &retry.moments {
            tr {
                td.number { (moment.retry) }
                td.number { (moment.earliest_seconds) }
                td.number { (moment.latest_seconds) }
            }
        }
    };
    html! {
        h3 id="retries" { "When a push failed" }
        p { "It is tried again until the first of two limits, and no step is longer than a third:" }
        dl.facts {
            (fact("Retries", html! { "at most " (retry.retries_max) }))
            (fact("Window", html! { (retry.window_seconds) " after the first failure" }))
            (fact("Longest step", html! { (retry.ceiling_seconds) "; a Retry-After is honoured up to it" }))
            (fact("First step", retry.base_seconds.to_string()))
            (fact("Each step is longer by", html! { "a factor of " (retry.factor) "; the delay is drawn from the upper half of the step" }))
            (fact("So it goes on for", html! {
                @if retry.shortest_seconds == retry.longest_seconds { (retry.longest_seconds) }
                @else { (retry.shortest_seconds) " to " (retry.longest_seconds) }
                ", and " @if retry.ends_by == "window" { "the window" } @else { "the number of retries" } " ends it"
            }))
        }
        (table("When retries come, after the first failure", &["Retry", "Not before", "Not after"], &rows))
        p {
            "Then your endpoint counts as unresponsive. Nothing is lost: its events wait for polls, and pushing goes on when you PUT your registration, when the bank's people resume it, "
            @match push.slow_probe_seconds {
                Some(every) => { "or when it answers the try that is made every " (one(every)) " with your oldest event." },
                None => "and not by itself.",
            }
        }
    }
}

/// "every hour", not "every 1 hour".
fn one(every: Seconds) -> String {
    let words = every.to_string();
    words
        .strip_prefix("1 ")
        .filter(|rest| !rest.contains(' '))
        .map_or(words.clone(), str::to_owned)
}
