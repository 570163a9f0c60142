//! What can be done, in two steps: a page that says what will happen, and the form on it that does it.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::Console;
use super::frame::form_token;
use super::leaving::Reply;
use super::routes::Act;
use super::visit::{Sheet, Trouble, Visit};
use super::words::{count, number, segment, text, tpp_at};
use crate::internal::{Ask, Operation, Problem};

/// What a confirmation says.
struct Says {
    title: &'static str,
    /// What will happen, a paragraph each.
    what: &'static [&'static str],
    button: &'static str,
}

impl Console {
    /// The page that says what will happen.
    pub(super) async fn confirm(&self, act: Act, visit: &Visit) -> Result<Sheet, Trouble> {
        let about = if act.is_about_an_event() {
            self.ask_here(visit, Operation::ReadEvent).await?
        } else {
            self.ask_here(visit, Operation::ReadTpp).await?
        };
        let says = says(act);
        let (back, subject) = subject(act, visit, &about);
        let main = html! {
            h1 { (says.title) }
            p.lead { (subject) }
            div.card {
                @for paragraph in says.what { p { (paragraph) } }
                @if let Some(many) = concerns(act, &about) { p { strong { (many) } } }
                form method="post" action=(format!("{back}/{}", act.word())) {
                    (form_token(&visit.session))
                    (fields(act))
                    p.quiet { "It will stand in the audit trail as done by " strong { (visit.session.operator.name) } "." }
                    div.actions {
                        button type="submit" { (says.button) }
                        a.button.plain href=(back) { "Leave it" }
                    }
                }
            }
        };
        Ok(Sheet {
            title: says.title.to_owned(),
            main,
        })
    }

    /// Does it, and leads to where one sees it.
    pub(super) async fn act(&self, act: Act, visit: &Visit) -> Result<Reply, Trouble> {
        let operation = act.operation();
        let ask = match act {
            Act::SendTest => Ask::of(operation, "").body(json!({"tpp": visit.parameter})),
            Act::Disable => {
                let reason = visit.form.of_name("reason");
                Ask::of(operation, &visit.parameter).body(json!({ "reason": reason }))
            }
            Act::Requeue => {
                Ask::of(operation, &visit.parameter).body(json!({"limit": REQUEUED_MAX}))
            }
            _ => Ask::of(operation, &visit.parameter),
        };
        let answer = self.ask(visit, ask).await?;
        let (at, many) = match act {
            Act::SendTest => (event_at(sent(&answer)?), None),
            Act::PushAgain => (
                event_at(&visit.parameter),
                Some(u64::from(answer["queued"] == true)),
            ),
            Act::Withdraw => (
                event_at(&visit.parameter),
                Some(u64::from(answer["withdrawn"] == true)),
            ),
            Act::Requeue => {
                let many = answer["requeued"].as_array().map_or(0, Vec::len);
                (tpp_at(&visit.parameter), Some(many as u64))
            }
            Act::RemoveSubscription | Act::RemoveCallbackUrl => {
                (tpp_at(&visit.parameter), answer["withdrawn"].as_u64())
            }
            Act::Resume | Act::Pause | Act::Disable | Act::Enable => {
                (tpp_at(&visit.parameter), None)
            }
        };
        let many = many.map_or_else(String::new, |many| format!("&n={many}"));
        Ok(Reply::Redirect(format!("{at}?done={}{many}", act.word())))
    }
}

/// The jti of the test event, or why there is none.
fn sent(answer: &Value) -> Result<&str, Problem> {
    let outcome = &answer["outcomes"][0];
    outcome["jti"].as_str().ok_or_else(|| {
        Problem::Conflict(match text(&outcome["outcome"]) {
            "no-subscription" => "the TPP has registered nothing that could carry a test event",
            "not-subscribed-to-type" => {
                "the TPP's registration does not want resource updates, which a test event is"
            }
            "disabled" => "the TPP is disabled: nothing is accepted for it",
            _ => "the configured resource of test events is refused: oyez check says why",
        })
    })
}

/// What will happen, in words that hold for all.
const fn says(act: Act) -> Says {
    let (title, what, button): (_, &[&str], _) = match act {
        Act::SendTest => (
            "Send a test event",
            &[
                "An event about a resource that the configuration names for tests goes to this TPP, the way of every other: signed, pushed or polled, and acknowledged.",
                "It is marked as a test here, and nowhere in the SET.",
            ],
            "Send it",
        ),
        Act::Resume => (
            "Resume pushes",
            &[
                "Its endpoint is tried again at once, whatever it answered before. A pause or an outage is over with it.",
                "What is outstanding is pushed anew, also what was left to polls.",
            ],
            "Resume",
        ),
        Act::Pause => (
            "Pause pushes",
            &[
                "Nothing is pushed to this TPP until somebody resumes it. What is on its way now still arrives.",
                "Events are accepted as before and wait. If the TPP may poll, it can get them by polling.",
            ],
            "Pause",
        ),
        Act::Disable => (
            "Disable the TPP",
            &[
                "The TPP is not served any more: its requests are refused, nothing is pushed to it, and what publishers send for it is not accepted.",
                "What is outstanding stays where it is until the TPP is enabled again, or its time is over.",
            ],
            "Disable",
        ),
        Act::Enable => (
            "Enable the TPP",
            &[
                "The TPP is served again: it may call, events for it are accepted, and what is outstanding goes out.",
            ],
            "Enable",
        ),
        Act::RemoveSubscription => ("Remove the event-subscription", REMOVAL, "Remove"),
        Act::RemoveCallbackUrl => ("Remove the callback-url", REMOVAL, "Remove"),
        Act::Requeue => (
            "Queue failed events again",
            &[
                "They become outstanding again at their old places, with their counts begun anew.",
                "The TPP had reported errors against them: mend the cause first, or they fail again.",
            ],
            "Queue them again",
        ),
        Act::PushAgain => (
            "Push the event again",
            &[
                "The event is pushed at once in its old turn, also if it was left to polls, with its attempts counted anew.",
                "Where the endpoint is held back it waits for that: resume the TPP's pushes to try at once.",
            ],
            "Push again",
        ),
        Act::Withdraw => (
            "Withdraw the event",
            &[
                "The event is handed out no more. This cannot be taken back; what the TPP already has, it has.",
            ],
            "Withdraw",
        ),
    };
    Says {
        title,
        what,
        button,
    }
}

/// How many events it concerns.
fn concerns(act: Act, about: &Value) -> Option<String> {
    let counts = &about["counts"];
    match act {
        Act::Resume | Act::Disable | Act::RemoveSubscription | Act::RemoveCallbackUrl => {
            Some(format!(
                "{} events are outstanding now.",
                count(&counts["outstanding"])
            ))
        }
        Act::Requeue => {
            let failed = counts["failed"].as_u64().unwrap_or(0);
            let now = failed.min(u64::from(REQUEUED_MAX));
            let (failed, now) = (number(failed), number(now));
            Some(format!(
                "{failed} events are set aside as failed; this queues the {now} oldest."
            ))
        }
        _ => None,
    }
}

/// What is to be filled in besides.
fn fields(act: Act) -> Markup {
    html! {
        @if act == Act::Disable {
            label for="reason" { "Reason" span.hint { "It stands in the audit trail and on the TPP's page." } }
            input #reason type="text" name="reason" required maxlength="500";
        }
    }
}

/// Where one came from, and what it is about.
fn subject(act: Act, visit: &Visit, about: &Value) -> (String, Markup) {
    if act.is_about_an_event() {
        let event = &about["event"];
        let subject =
            html! { "Event " code { (text(&event["jti"])) } " for " (text(&event["tpp"])) };
        (event_at(&visit.parameter), subject)
    } else {
        let subject = html! { (text(&about["name"])) " " code { (text(&about["client_id"])) } };
        (tpp_at(&visit.parameter), subject)
    }
}

fn event_at(jti: &str) -> String {
    format!("/console/events/{}", segment(jti))
}

/// As many as the ledger moves in one unit without holding others up.
const REQUEUED_MAX: u32 = 1000;

const REMOVAL: &[&str] = &[
    "The registration is removed as if the TPP had deleted it. Events that only it wanted are withdrawn, and do not come back.",
    "The TPP hears of it when it asks for its registration. It can register anew.",
];
