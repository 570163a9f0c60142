//! The story of one event, in order of time. Each line says what happened and where it can be found in somebody's log.

use oyez_domain::time::Timestamp;
use serde_json::Value;

use super::{resource, text, types};
use crate::output::Table;

/// The event's name, then each thing that happened to it, then how it stands.
pub(super) fn tell(file: &Value) -> String {
    let (event, notice) = (&file["event"], &file["notice"]);
    let mut facts = Table::of_facts();
    facts.fact("JTI", text(&event["jti"]));
    facts.fact("TPP", text(&event["tpp"]));
    facts.fact("TYPES", types(&event["types"]));
    facts.fact("RESOURCE", resource(&event["resource"]));
    facts.fact("TXN", text(&notice["txn"]));
    facts.fact("STATE", text(&event["state"]));
    let mut moments = moments(file);
    moments.sort_by_key(|moment| moment.at);
    let mut story = Table::new(&["WHEN", "WHAT HAPPENED", "INTERACTION ID"]);
    for moment in moments {
        story.row(vec![moment.at.to_string(), moment.what, moment.interaction]);
    }
    format!("{}\n{}\n{}", facts.render(), story.render(), standing(file))
}

/// Something that happened.
struct Moment {
    at: Timestamp,
    what: String,
    interaction: String,
}

impl Moment {
    fn new(at: &Value, what: String) -> Self {
        let at = at.as_str().and_then(|text| text.parse().ok());
        Self {
            at: at.unwrap_or_default(),
            what,
            interaction: String::new(),
        }
    }

    fn under(self, id: &Value) -> Self {
        Self {
            interaction: text(id),
            ..self
        }
    }
}

/// All of them; what happened at one moment stays in this order.
fn moments(file: &Value) -> Vec<Moment> {
    let list = |name: &str| file[name].as_array().into_iter().flatten();
    let mut moments = Vec::new();
    if let Some(toe) = file["notice"]["toe"].as_i64() {
        moments.push(Moment {
            at: Timestamp::from_unix_seconds(toe),
            what: "it happened, as the publisher says (toe)".to_owned(),
            interaction: String::new(),
        });
    }
    let accepted = "accepted: from here on it is kept".to_owned();
    moments.push(Moment::new(&file["event"]["accepted_at"], accepted));
    moments.extend(list("sets").map(|set| {
        let what = format!("signed with key {}", text(&set["kid"]));
        Moment::new(&set["kept_at"], what)
    }));
    moments.extend(list("hand_outs").map(|one| {
        Moment::new(&one["at"], "handed out to a poll".to_owned()).under(&one["interaction_id"])
    }));
    moments
        .extend(list("attempts").map(|one| {
            Moment::new(&one["started_at"], attempt(one)).under(&one["interaction_id"])
        }));
    moments.extend(list("errors").map(|one| {
        let (err, description) = (text(&one["err"]), text(&one["description"]));
        let what = format!("the TPP reported an error: {err}: {description}");
        Moment::new(&one["at"], what).under(&one["interaction_id"])
    }));
    moments.extend(list("settlements").map(|one| Moment::new(&one["at"], settlement(one))));
    moments
}

fn attempt(one: &Value) -> String {
    let answer = &one["answer"];
    let answer = if answer["status"].is_null() {
        format!("{}: {}", text(&answer["error"]), text(&answer["detail"]))
    } else {
        format!("answered {}", answer["status"])
    };
    let again = match one["again_at"].as_str() {
        Some(at) => format!(", again at {at}"),
        None => String::new(),
    };
    let verdict = text(&one["verdict"]).replace('_', " ");
    let (peer, ms) = (text(&one["peer"]["address"]), text(&one["latency_ms"]));
    format!("pushed to {peer}, {answer} after {ms} ms: {verdict}{again}")
}

fn settlement(one: &Value) -> String {
    let reason = match one["reason"].as_str().unwrap_or_default() {
        "push" => "by its answer to a push",
        "poll" => "by a poll (ack)",
        "reported_as_duplicate" => "the TPP reported that it had it already",
        "assumed_at_hand_out_cap" => "assumed: it was handed out as often as it may be",
        "errors_reached_cap" => "the TPP reported errors as often as it may",
        "unacknowledged_for_too_long" => "nobody acknowledged it in time",
        "registration_deleted" => "the TPP removed its registration",
        "type_no_longer_wanted" => "the TPP does not want this type any more",
        "by_operator" => "by an operator",
        other => other,
    };
    let (outcome, actor) = (text(&one["outcome"]), text(&one["actor"]));
    format!("{outcome}: {reason} ({actor})")
}

/// How it stands, in a sentence.
fn standing(file: &Value) -> String {
    let hand_outs = file["hand_outs"].as_array().map_or(0, Vec::len);
    match file["event"]["state"].as_str() {
        Some("outstanding") if hand_outs == 0 => {
            "It waits to be polled or pushed: the TPP has not had it yet.".to_owned()
        }
        Some("outstanding") => "The TPP has had it, and has not acknowledged it yet.".to_owned(),
        Some("acknowledged") => "The TPP has it.".to_owned(),
        Some("failed") => {
            "The TPP refused it. Once it can take it: POST /v1/tpps/{client_id}/requeue-failed."
                .to_owned()
        }
        Some(other) => format!("It is {other}: the TPP will not get it."),
        None => String::new(),
    }
}
