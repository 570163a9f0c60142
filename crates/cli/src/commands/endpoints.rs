//! `oyez endpoints`: how pushing to each TPP goes, and an operator's pause and resume (D-05, D-06, I-04).

use oyez_domain::time::span;
use serde_json::{Value, json};

use super::Surroundings;
use super::call::calling;
use super::events::text;
use crate::args::{Endpoints, ListEndpoints};
use crate::failure::Failure;
use crate::internal_client::InternalClient;
use crate::output::{Reply, Table, about};

/// Does what is asked.
pub(crate) fn run(command: &Endpoints, around: &Surroundings) -> Result<Reply, Failure> {
    calling(command.server(), around, async |client, _| match command {
        Endpoints::List(args) => list(args, &client).await,
        Endpoints::Show(args) => show(&args.client_id, &client).await,
        Endpoints::Pause(args) => pause(&args.client_id, &client).await,
        Endpoints::Resume(args) => resume(&args.client_id, &client).await,
    })
}

async fn list(args: &ListEndpoints, client: &InternalClient) -> Result<Reply, Failure> {
    let mut endpoints = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let said = [
            ("state", args.state.as_deref()),
            ("cursor", cursor.as_deref()),
        ];
        let query = said.into_iter();
        let query: Vec<_> = query
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let page = client.get(&["v1", "endpoints"], &query).await?;
        endpoints.extend(page["endpoints"].as_array().cloned().unwrap_or_default());
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    let mut table = Table::new(&[
        "CLIENT_ID",
        "STATE",
        "SINCE",
        "FAILURES",
        "NEXT PROBE",
        "OUTSTANDING",
        "REASON",
    ]);
    for endpoint in &endpoints {
        let names = [
            "client_id",
            "state",
            "since",
            "failures",
            "next_probe_at",
            "outstanding",
            "reason",
        ];
        table.row(names.map(|name| text(&endpoint[name])).to_vec());
    }
    Ok(Reply::new(
        table.render(),
        json!({ "endpoints": endpoints }),
    ))
}

async fn show(client_id: &str, client: &InternalClient) -> Result<Reply, Failure> {
    let endpoint = client.get(&["v1", "endpoints", client_id], &[]).await?;
    Ok(Reply::new(shown(&endpoint), endpoint))
}

async fn pause(client_id: &str, client: &InternalClient) -> Result<Reply, Failure> {
    let endpoint = act(client_id, "pause", client).await?;
    let since = text(&endpoint["since"]);
    let said = format!(
        "nothing is pushed to {client_id}, since {since}; its events wait, and are offered to polls"
    );
    Ok(Reply::new(said, endpoint).remark(format!("Again: oyez endpoints resume {client_id}")))
}

async fn resume(client_id: &str, client: &InternalClient) -> Result<Reply, Failure> {
    let endpoint = act(client_id, "resume", client).await?;
    let said = match endpoint["pushed_to"].as_str() {
        Some(url) => format!("{client_id} is pushed to again, at {url}"),
        None => format!("{client_id} is held back no longer, and has no address to push to"),
    };
    Ok(Reply::new(said, endpoint))
}

async fn act(client_id: &str, act: &str, client: &InternalClient) -> Result<Value, Failure> {
    let path = ["v1", "endpoints", client_id, act];
    Ok(client.post(&path, &json!({})).await?)
}

fn shown(endpoint: &Value) -> String {
    let mut facts = Table::of_facts();
    facts.fact("CLIENT_ID", text(&endpoint["client_id"]));
    let nowhere = "nothing: no address is registered, or push is switched off";
    let pushed_to = endpoint["pushed_to"].as_str().unwrap_or(nowhere);
    facts.fact("PUSHED TO", pushed_to);
    facts.fact("OUTSTANDING", text(&endpoint["outstanding"]));
    facts.fact("RETRY", policy(&endpoint["retry"]));
    facts.fact("STATE", text(&endpoint["state"]));
    format!("{}\nThe endpoint {}.\n", facts.render(), standing(endpoint))
}

/// How an endpoint stands and why, to follow its name.
pub(super) fn standing(endpoint: &Value) -> String {
    let since = text(&endpoint["since"]);
    let why = || {
        let (failures, reason) = (text(&endpoint["failures"]), text(&endpoint["reason"]));
        format!("failures in a row: {failures}, the last {reason}")
    };
    match endpoint["state"].as_str() {
        Some("failing") => {
            let next = text(&endpoint["next_probe_at"]);
            format!(
                "has been failing since {since} ({}), and is tried again at {next}",
                why()
            )
        }
        Some("unresponsive") => {
            let again = match endpoint["next_probe_at"].as_str() {
                Some(next) => format!("is tried again at {next}, after a PUT, or when resumed"),
                None => "is tried again after a PUT, or when resumed".to_owned(),
            };
            format!(
                "has been unresponsive since {since} ({}), and {again}",
                why()
            )
        }
        Some("paused") => format!("was paused by an operator at {since}"),
        _ => "is responsive".to_owned(),
    }
}

fn policy(retry: &Value) -> String {
    let whose = if retry["set_for"] == "tpp" {
        "of this TPP alone"
    } else {
        "of the deployment"
    };
    let [base, factor, ceiling, retries, window] =
        ["base", "factor", "ceiling", "retries_max", "window"].map(|name| text(&retry[name]));
    let [shortest, longest] = ["shortest", "longest"].map(|name| {
        let said = text(&retry[name]);
        span::parse(&said).map_or(said, about)
    });
    format!(
        "at most {retries} times in {window}, from {base} by factor {factor} up to {ceiling}; \
         that goes on for at least {shortest} and at most {longest} ({whose})"
    )
}
