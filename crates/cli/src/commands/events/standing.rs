//! Where an event stands and why, in one sentence for a support desk.

use serde_json::Value;

use super::text;
use crate::commands::endpoints;

/// The sentence.
pub(super) fn of(file: &Value) -> String {
    match file["event"]["state"].as_str() {
        Some("outstanding") => outstanding(file),
        Some("acknowledged") => "The TPP has it.".to_owned(),
        Some("failed") => {
            "The TPP refused it. Once it can take it: POST /v1/tpps/{client_id}/requeue-failed."
                .to_owned()
        }
        Some(other) => format!("It is {other}: the TPP will not get it."),
        None => String::new(),
    }
}

fn outstanding(file: &Value) -> String {
    let delivery = &file["delivery"];
    let silenced = delivery["silenced_by"].as_array().into_iter().flatten();
    let silenced: Vec<_> = silenced.map(text).collect();
    let had = had(file);
    if !silenced.is_empty() {
        return format!("Outstanding; {had}; it waits: {}.", silenced.join("; "));
    }
    let polls = if delivery["may_poll"] == true {
        "offered to polls"
    } else {
        "not offered to polls: the TPP may not poll"
    };
    format!("Outstanding; {had}; {}; {polls}.", pushing(file))
}

/// What the TPP was given.
fn had(file: &Value) -> String {
    let count = |name: &str| file[name].as_array().map_or(0, Vec::len);
    match (count("hand_outs"), count("attempts")) {
        (0, 0) => "the TPP was not given it yet".to_owned(),
        (polled, 0) => format!("handed out {}, not acknowledged", times(polled)),
        (0, pushed) => format!("pushed {}, not acknowledged", times(pushed)),
        (polled, pushed) => format!(
            "handed out {} and pushed {}, not acknowledged",
            times(polled),
            times(pushed)
        ),
    }
}

fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

/// Whether it is pushed, and if not now, why. The endpoint's own trouble comes first: it holds back all events.
fn pushing(file: &Value) -> String {
    let (delivery, jti) = (&file["delivery"], text(&file["event"]["jti"]));
    if delivery["pushed_to"].is_null() {
        return "not pushed: no address is registered, or push is switched off".to_owned();
    }
    let endpoint = &delivery["endpoint"];
    if endpoint["state"] != "responsive" {
        let why = endpoints::standing(endpoint);
        return format!("pushing is suspended because the endpoint {why}");
    }
    let last = file["attempts"].as_array().and_then(|all| all.last());
    match last.filter(|last| last["verdict"] == "refused") {
        Some(last) => match last["again_at"].as_str() {
            Some(at) => format!("the TPP refused it, so it is pushed again at {at}"),
            None => format!(
                "given up for pushing when the TPP had refused it as often as it may (oyez events push {jti})"
            ),
        },
        None => "pushed as soon as it is its turn".to_owned(),
    }
}
