//! What happened: who changed what (I-05), and how much flowed minute by minute (I-03).

use std::time::Duration;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::history::{AuditEntry, Minute};
use oyez_domain::time::Timestamp;
use serde_json::{Value, json};

use super::api::{Api, Call};
use super::leaving::Answer;
use super::problem::Problem;

impl Api {
    /// `GET /v1/audit`.
    pub(super) async fn list_audit(&self, call: &Call) -> Result<Answer, Problem> {
        let mut query = call.query();
        let client_id: Option<ClientId> = query.optional("tpp");
        let before: Option<u64> = query.optional("cursor");
        let rows_max = query.rows_max();
        let (client_id, before, rows_max) = query.checked((client_id, before, rows_max))?;
        let store = &self.bank.store;
        let page = store.list_audit(client_id, before, rows_max).await?;
        let entries: Vec<Value> = page.rows.iter().map(render).collect();
        Ok(Answer::ok(&json!({"entries": entries, "next": page.next})))
    }

    /// `GET /v1/audit/chain`: a TPP's, or without one the operators', oldest first.
    pub(super) async fn read_audit_chain(&self, call: &Call) -> Result<Answer, Problem> {
        let mut query = call.query();
        let client_id: Option<ClientId> = query.optional("tpp");
        let after: Option<u64> = query.optional("cursor");
        let rows_max = query.rows_max();
        let (client_id, after, rows_max) = query.checked((client_id, after, rows_max))?;
        let store = &self.bank.store;
        let page = store.read_chain(client_id, after.unwrap_or(0), rows_max);
        let page = page.await?;
        let entries: Vec<Value> = page.rows.iter().map(render).collect();
        Ok(Answer::ok(&json!({"entries": entries, "next": page.next})))
    }

    /// `GET /v1/audit/heads`: where each chain ends.
    pub(super) async fn list_audit_heads(&self, call: &Call) -> Result<Answer, Problem> {
        let mut query = call.query();
        let after: Option<ClientId> = query.optional("cursor");
        let rows_max = query.rows_max();
        let (after, rows_max) = query.checked((after, rows_max))?;
        let heads = self.bank.store.chain_heads(after, rows_max).await?;
        let tpps = heads.tpps.rows.iter();
        let tpps: Vec<Value> = tpps
            .map(|(client_id, head)| json!({"tpp": client_id, "head": head}))
            .collect();
        Ok(Answer::ok(&json!({
            "operators": heads.operators,
            "heads": tpps,
            "next": heads.tpps.next,
        })))
    }

    /// `GET /v1/tpps/{client_id}/minutes`: the last hour, or any range of up to a week.
    pub(super) async fn list_minutes(&self, call: &Call) -> Result<Answer, Problem> {
        let mut query = call.query();
        let before: Option<Timestamp> = query.optional("before");
        let before = before.unwrap_or(call.now);
        let parse = |text: &str| within_a_week(text, before);
        let from = query.parsed("from", parse).unwrap_or(before - HOUR);
        let range = query.checked(from..before)?;
        let tpp = self.tpp(call).await?;
        let store = &self.bank.store;
        let minutes = store.minutes(Some(tpp.client_id), range).await?;
        let minutes: Vec<Value> = minutes.iter().map(render_minute).collect();
        Ok(Answer::ok(&json!({"minutes": minutes})))
    }
}

fn within_a_week(text: &str, before: Timestamp) -> Result<Timestamp, String> {
    let from: Timestamp = text.parse().map_err(|error| format!("{error}"))?;
    if before.since(from) > WEEK {
        return Err("the range is longer than a week".to_owned());
    }
    Ok(from)
}

fn render(entry: &AuditEntry) -> Value {
    json!({
        "sequence": entry.sequence,
        "at": entry.at.to_string(),
        "actor": entry.actor.to_string(),
        "action": entry.action,
        "tpp": entry.client_id,
        "before": entry.before,
        "after": entry.after,
        "link": entry.link,
    })
}

fn render_minute(one: &Minute) -> Value {
    json!({
        "minute": one.minute.to_string(),
        "accepted": one.accepted,
        "handed_out": one.handed_out,
        "pushed": one.pushed,
        "acknowledged": one.acknowledged,
        "failed": one.failed,
        "expired": one.expired,
        "withdrawn": one.withdrawn,
    })
}

const HOUR: Duration = Duration::from_secs(3600);
/// Ten thousand minutes: a graph has no more points.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
