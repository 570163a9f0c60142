//! Polls, and how much anybody may ask for.

use maud::{Markup, html};

use super::super::policy::{FairUse, Polling, Retention};
use super::{fact, heading};
use crate::pages::code;

pub(super) fn section(polling: &Polling) -> Markup {
    html! {
        section aria-labelledby="polling" {
            (heading("polling", "Polling"))
            p {
                "POST /events acknowledges what you have and hands out what is next, oldest first. Push and polling go side by side: what was acknowledged by one way does not come by the other."
            }
            dl.facts {
                (fact("Events in an answer", html! { "at most " (polling.events_max) ", whatever maxEvents asks for; " (code("moreAvailable")) " says that there are more" }))
                (fact("Long polling", html! {
                    @match &polling.long_poll_seconds {
                        Some(wait) => {
                            "returnImmediately false waits up to " (wait) ". A poll that does not say "
                            @if polling.absent_means_long_poll { "waits too" } @else { "is answered at once" }
                        },
                        None => "is not offered: every poll is answered at once",
                    }
                }))
                (fact("Interval", html! {
                    @if polling.long_poll { "none is needed between polls that wait; otherwise " }
                    "not under " (polling.interval_recommended_seconds) " after a poll that brought nothing"
                }))
                (fact("Handed out and not acknowledged", html! { "due again after " (polling.redelivery_delay_seconds) ", before others" }))
                (fact("Without acknowledgements", without(polling)))
                (fact("Errors that you report", html! { "after " (polling.errors_max) " setErrs an event is set aside as failed; ask the bank to queue it again" }))
                (fact("Order", match polling.order {
                    "strict" => "strict: what is outstanding keeps what is younger back",
                    _ => "by age; what was handed out is passed over until it is due again",
                }))
                (fact("Who may poll", html! {
                    @if polling.requires_subscription { "whoever has an event-subscription. Without one a poll is answered with no events, not with an error" }
                    @else { "everybody: without an event-subscription you are handed events of all types" }
                    @if polling.with_callback_url { "; a callback-url will do too" }
                }))
                (fact("Which events", if polling.by_scope { "those that the scopes of the token cover" } else { "all of yours, whatever the scopes of the token" }))
            }
        }
    }
}

fn without(polling: &Polling) -> Markup {
    html! {
        @match polling.hand_outs_max {
            None => "an event is handed out again and again until it expires: only an acknowledgement settles it",
            Some(1) => "an event counts as acknowledged when it was handed out: at most once. Keep an answer before you work on it",
            Some(times) => { "an event counts as acknowledged after " (times) " hand-outs" },
        }
    }
}

pub(super) fn fair_use(limits: &FairUse) -> Markup {
    html! {
        section aria-labelledby="fair-use" {
            (heading("fair-use", "Fair use"))
            p { "Beyond a limit the answer is 429 with Retry-After, and nobody else is slowed down by you. The bank can agree on others." }
            dl.facts {
                (fact("Requests", html! { (limits.requests_per_second) " a second; what you did not use of one second you may use in the next" }))
                (fact("Polls that wait", html! { (limits.waiting_polls_max) " at a time; beyond, your oldest is answered without events" }))
                (fact("Connections from one address", html! {
                    @match limits.connections_per_address_max { Some(most) => { (most) " at a time" }, None => "are not counted" }
                }))
                (fact("The body of a request", html! { "at most " (limits.body_bytes_max / 1024) " KiB" }))
            }
        }
    }
}

pub(super) fn retention(retention: &Retention) -> Markup {
    html! {
        section aria-labelledby="retention" {
            (heading("retention", "Retention"))
            dl.facts {
                (fact("Not acknowledged", html! { "an event expires after " (retention.unacknowledged_seconds) }))
                (fact("Acknowledged, failed or expired", html! { "remembered for " (retention.settled_seconds) ", with every attempt, so that the bank can tell you what happened" }))
            }
        }
    }
}
