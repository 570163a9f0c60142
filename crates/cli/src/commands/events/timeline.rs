//! The story of one event, in order of time. Each line says what happened and where it can be found in somebody's log.

use oyez_domain::time::Timestamp;
use serde_json::Value;

use super::{resource, standing, text, types};
use crate::output::{Table, printable};

/// The event's name, then each thing that happened to it, then how it stands.
pub(super) fn tell(file: &Value) -> String {
    let (event, notice) = (&file["event"], &file["notice"]);
    let mut facts = Table::of_facts();
    facts.fact("JTI", text(&event["jti"]));
    facts.fact("TPP", text(&event["tpp"]));
    facts.fact("TYPES", types(&event["types"]));
    facts.fact("RESOURCE", resource(&event["resource"]));
    facts.fact("TXN", text(&notice["txn"]));
    if event["test"] == true {
        facts.fact("TEST", "an operator's test: nothing happened");
    }
    facts.fact("STATE", text(&event["state"]));
    let mut moments = moments(file);
    moments.sort_by_key(|moment| moment.at);
    let mut story = Table::new(&["WHEN", "WHAT HAPPENED", "INTERACTION ID"]);
    for moment in moments {
        story.row(vec![moment.at.to_string(), moment.what, moment.interaction]);
    }
    let standing = printable(&standing::of(file));
    format!("{}\n{}\n{standing}", facts.render(), story.render())
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
    let toe = file["notice"]["toe"].as_i64();
    if let Some(toe) = toe.filter(|_| file["event"]["test"] != true) {
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

/// One push: to whom and over what, what came back after how long, and what follows (D-14).
fn attempt(one: &Value) -> String {
    let ms = text(&one["latency_ms"]);
    let answer = answer(&one["answer"]);
    format!(
        "pushed to {}: {answer} after {ms} ms; {}",
        peer(&one["peer"]),
        verdict(one)
    )
}

fn peer(peer: &Value) -> String {
    let Some(address) = peer["address"].as_str() else {
        return "an endpoint that was not reached".to_owned();
    };
    let tls = peer["tls_version"].as_str().map(str::to_owned);
    let thumbprint = peer["certificate_thumbprint"].as_str().map(|whole| {
        let shortened: String = whole.chars().take(THUMBPRINT_CHARS).collect();
        format!("certificate {shortened}…")
    });
    let over: Vec<_> = tls.into_iter().chain(thumbprint).collect();
    if over.is_empty() {
        address.to_owned()
    } else {
        format!("{address} ({})", over.join(", "))
    }
}

fn answer(answer: &Value) -> String {
    if answer["status"].is_null() {
        return format!("{}: {}", text(&answer["error"]), text(&answer["detail"]));
    }
    let mut said = format!("answered {}", answer["status"]);
    if let Some(deviation) = answer["deviation"].as_str() {
        said.push_str(&format!(" (deviation: {deviation})"));
    }
    let body = answer["body_head"].as_str().unwrap_or_default();
    if !body.is_empty() {
        let head: String = body.chars().take(BODY_CHARS).collect();
        let more = if head.len() < body.len() { "…" } else { "" };
        said.push_str(&format!(" \"{head}{more}\""));
    }
    said
}

fn verdict(one: &Value) -> String {
    match (one["verdict"].as_str(), one["again_at"].as_str()) {
        (Some("acknowledged"), _) => "acknowledged".to_owned(),
        (Some("refused"), Some(at)) => format!("the TPP refused it: pushed again at {at}"),
        (Some("refused"), None) => {
            "the TPP refused it, as often as it may: from here on for polls alone".to_owned()
        }
        (Some("endpoint_failed"), _) => {
            "the endpoint failed, which is not held against the event".to_owned()
        }
        (other, _) => other.unwrap_or_default().to_owned(),
    }
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

/// Enough to find a certificate by; the whole is in the JSON.
const THUMBPRINT_CHARS: usize = 12;
/// What fits a line; 512 bytes are in the JSON.
const BODY_CHARS: usize = 60;
