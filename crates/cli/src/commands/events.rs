//! `oyez events`: found again, told as a story that a support desk can read out (I-03, D-14), and pushed again (D-07).

mod standing;
mod timeline;

use oyez_outbound::StatusCode;
use serde_json::{Value, json};

use super::Surroundings;
use super::call::calling;
use super::endpoints;
use crate::args::{Events, ListEvents, PushEvents, ShowEvent};
use crate::failure::Failure;
use crate::internal_client::{CallError, InternalClient};
use crate::output::{Reply, Table, Verdict};

/// Does what is asked.
pub(crate) fn run(command: &Events, around: &Surroundings) -> Result<Reply, Failure> {
    let server = match command {
        Events::List(args) => &args.server,
        Events::Show(args) => &args.server,
        Events::Push(args) => &args.server,
    };
    calling(server, around, async |client, _| match command {
        Events::List(args) => list(args, &client).await,
        Events::Show(args) => show(args, &client).await,
        Events::Push(args) => push(args, &client).await,
    })
}

async fn list(args: &ListEvents, client: &InternalClient) -> Result<Reply, Failure> {
    let limit = args.limit.to_string();
    let query = [
        ("tpp", args.tpp.as_deref()),
        ("state", args.state.as_deref()),
        ("type", args.event_type.as_deref()),
        ("resource_id", args.resource_id.as_deref()),
        ("txn", args.txn.as_deref()),
        ("interaction_id", args.interaction_id.as_deref()),
        ("accepted_from", args.accepted_from.as_deref()),
        ("accepted_before", args.accepted_before.as_deref()),
        ("cursor", args.cursor.as_deref()),
        ("limit", Some(limit.as_str())),
    ];
    let said = query.into_iter();
    let said: Vec<_> = said
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let page = client.get(&["v1", "events"], &said).await?;
    let mut table = Table::new(&["JTI", "TPP", "ACCEPTED", "TYPES", "RESOURCE", "STATE"]);
    for event in page["events"].as_array().into_iter().flatten() {
        table.row(vec![
            text(&event["jti"]),
            text(&event["tpp"]),
            text(&event["accepted_at"]),
            types(&event["types"]),
            resource(&event["resource"]),
            state(event),
        ]);
    }
    let next = page["next"].as_str().map(str::to_owned);
    let reply = Reply::new(table.render(), page);
    Ok(match next {
        Some(cursor) => reply.remark(format!("There are more: --cursor {cursor}")),
        None => reply,
    })
}

async fn show(args: &ShowEvent, client: &InternalClient) -> Result<Reply, Failure> {
    let file = client.get(&["v1", "events", &args.jti], &[]).await?;
    if !args.set && !args.claims {
        return Ok(Reply::new(timeline::tell(&file), file));
    }
    let sets = file["sets"].as_array();
    let Some(set) = sets.and_then(|sets| sets.last()) else {
        let what = "this event has no SET: nothing is signed before it is handed out";
        return Err(Failure::refused(
            what,
            "see what happened to it: oyez events show JTI",
        ));
    };
    Ok(if args.set {
        Reply::new(text(&set["set"]), set["set"].clone())
    } else {
        Reply::new(format!("{:#}", set["claims"]), set["claims"].clone())
    })
}

/// One after the other: what was queued before a failure is told before it.
async fn push(args: &PushEvents, client: &InternalClient) -> Result<Reply, Failure> {
    let mut table = Table::new(&["JTI", "WHAT FOLLOWS"]);
    let mut answers = Vec::new();
    let (mut verdict, mut failure) = (Verdict::Yes, None);
    for jti in &args.jtis {
        let path = ["v1", "events", jti, "push"];
        let answer = match client.post(&path, &json!({})).await {
            Ok(answer) => answer,
            Err(CallError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => {
                json!({"queued": false, "event": {"jti": jti, "state": null}, "delivery": null})
            }
            Err(error) => {
                failure = Some(Failure::from(error));
                break;
            }
        };
        if answer["queued"] != true {
            verdict = Verdict::No;
        }
        table.row(vec![jti.clone(), what_follows(&answer)]);
        answers.push(answer);
    }
    match failure {
        Some(failure) if answers.is_empty() => Err(failure),
        Some(failure) => Ok(Reply::new(table.render(), json!({ "events": answers }))
            .remark(format!("error: {failure}"))
            .verdict(Verdict::Unfinished)),
        None => Ok(Reply::new(table.render(), json!({ "events": answers })).verdict(verdict)),
    }
}

fn what_follows(answer: &Value) -> String {
    let endpoint = &answer["delivery"]["endpoint"];
    match (answer["queued"] == true, answer["event"]["state"].as_str()) {
        (true, _) if endpoint["state"] == "responsive" => "it is pushed at once".to_owned(),
        (true, _) => format!(
            "it is pushed once the endpoint is back, which {}",
            endpoints::standing(endpoint)
        ),
        (false, None) => "nothing: no event has this jti, or it was removed by now".to_owned(),
        (false, Some("outstanding")) => "nothing: the TPP has no address to push to".to_owned(),
        (false, Some(state)) => format!("nothing: it is {state}"),
    }
}

/// A test is told from what happened.
fn state(event: &Value) -> String {
    let state = text(&event["state"]);
    if event["test"] == true {
        format!("{state} (test)")
    } else {
        state
    }
}

/// A text member as it is; a dash for what is not there.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// Without the standard's long prefix.
fn types(value: &Value) -> String {
    let types = value.as_array().into_iter().flatten();
    let short = types.map(|one| {
        let name = text(one);
        name.strip_prefix(STANDARD_TYPES)
            .map_or_else(|| name.clone(), str::to_owned)
    });
    short.collect::<Vec<_>>().join(", ")
}

fn resource(value: &Value) -> String {
    format!("{}/{}", text(&value["type"]), text(&value["id"]))
}

/// What the standard's event types begin with.
pub(super) const STANDARD_TYPES: &str = "urn:uk:org:openbanking:events:";
