//! `oyez tpps status`: one TPP at a glance, for whoever has it on the phone (I-03).

use serde_json::Value;

use super::text;
use crate::failure::Failure;
use crate::internal_client::InternalClient;
use crate::output::{Reply, Table};

/// Asks and tells.
pub(super) async fn run(client_id: &str, client: &InternalClient) -> Result<Reply, Failure> {
    let path = ["v1", "tpps", client_id, "status"];
    let status = client.get(&path, &[]).await?;
    let parts = [
        reasons(&status["reasons"]),
        backlog(&status["backlog"], &status["counts"]),
        table(
            &status["health_history"],
            &["ENDPOINT AT", "BECAME", "FAILURES", "REASON"],
            &["at", "state", "failures", "reason"],
        ),
        table(
            &status["requests"],
            &["REQUEST AT", "WHAT", "STATUS", "ERROR", "INTERACTION_ID"],
            &["at", "operation", "status", "error_code", "interaction_id"],
        ),
    ];
    let said: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Ok(Reply::new(said.join("\n"), status))
}

fn reasons(reasons: &Value) -> String {
    let reasons = reasons.as_array().map(Vec::as_slice).unwrap_or_default();
    if reasons.is_empty() {
        return "Nothing keeps events from this TPP.\n".to_owned();
    }
    let lines = reasons.iter().map(|reason| {
        let [what, mend] = ["what", "mend"].map(|name| text(&reason[name]));
        format!("{what}\n  mend: {mend}\n")
    });
    lines.collect()
}

fn backlog(backlog: &Value, counts: &Value) -> String {
    let mut facts = Table::of_facts();
    facts.fact("OUTSTANDING", text(&counts["outstanding"]));
    facts.fact("FAILED", text(&counts["failed"]));
    facts.fact("OLDEST", text(&backlog["oldest_at"]));
    let ages = [
        ("< 1 MINUTE", "under_a_minute"),
        ("< 1 HOUR", "under_an_hour"),
        ("< 1 DAY", "under_a_day"),
        ("< 7 DAYS", "under_a_week"),
        ("OLDER", "older"),
        ("NOT COUNTED", "uncounted"),
        ("POLL ONLY", "poll_only"),
    ];
    for (heading, name) in ages {
        if backlog[name] != 0 {
            facts.fact(heading, text(&backlog[name]));
        }
    }
    facts.render()
}

/// Rows of these members; nothing if there are none.
fn table(rows: &Value, heading: &[&str], names: &[&str]) -> String {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new(heading);
    for row in rows {
        table.row(names.iter().map(|name| text(&row[*name])).collect());
    }
    table.render()
}
