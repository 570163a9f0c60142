//! `oyez tpps import`: many TPPs at once, from whatever a bank has of them.
//!
//! Every entry is judged and done by itself: a bad one sinks none of the rest, and each has its line in the answer. What is
//! registered already is left as it is unless `--update` is said, so that the same file can be imported again.

mod entry;
mod reading;
mod statement;

use std::collections::BTreeSet;

use oyez_jose::UnixTime;
use oyez_outbound::StatusCode;
use serde_json::{Map, Value, json};

use super::{disable_by, profile};
use crate::args::ImportTpps;
use crate::failure::Failure;
use crate::internal_client::{CallError, InternalClient};
use crate::output::{Reply, Table, Verdict};
use entry::{Entry, Fault};
use statement::{Directory, Trust};

/// Imports them.
pub(super) async fn run(
    args: &ImportTpps,
    now: UnixTime,
    client: &InternalClient,
) -> Result<Reply, Failure> {
    let directory = Directory::of(args.directory_jwks.as_deref(), now)?;
    let texts = reading::entries(&args.files)?;
    if let (Some(_), 2..) = (&args.client_id, texts.len()) {
        let what = format!(
            "--client-id is for one entry, and there are {}",
            texts.len()
        );
        let mend = "write objects instead: {\"client_id\": …, \"software_statement\": …}";
        return Err(Failure::usage(what, mend));
    }
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    for (place, text) in texts {
        let entry = text.and_then(|text| Entry::read(text, &directory, args.client_id.as_deref()));
        let line = match entry {
            Err(fault) => Line::failed(place, None, fault),
            Ok(entry) if !seen.insert(entry.client_id.clone()) => {
                let twice = "this client_id stands in the import twice".to_owned();
                Line::failed(place, Some(entry), twice)
            }
            Ok(entry) => import(place, entry, args, client).await?,
        };
        lines.push(line);
    }
    Ok(reply(&lines, args, &directory))
}

/// What became of one entry.
struct Line {
    place: String,
    client_id: String,
    name: String,
    outcome: Outcome,
    details: Vec<String>,
    trust: Option<Trust>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Registered,
    Changed,
    Unchanged,
    Differs,
    Failed,
}

impl Line {
    fn of(place: String, entry: Entry, outcome: Outcome) -> Self {
        Self {
            place,
            name: entry.name(),
            client_id: entry.client_id,
            outcome,
            details: entry.notes,
            trust: entry.trust,
        }
    }

    fn failed(place: String, entry: Option<Entry>, fault: Fault) -> Self {
        let line = entry.map(|entry| Self::of(place.clone(), entry, Outcome::Failed));
        let mut line = line.unwrap_or_else(|| Self {
            place,
            client_id: "-".to_owned(),
            name: "-".to_owned(),
            outcome: Outcome::Failed,
            details: Vec::new(),
            trust: None,
        });
        line.details.insert(0, fault);
        line
    }
}

impl Outcome {
    fn word(self, dry_run: bool) -> &'static str {
        match (self, dry_run) {
            (Self::Registered, false) => "registered",
            (Self::Registered, true) => "would be registered",
            (Self::Changed, false) => "changed",
            (Self::Changed, true) => "would be changed",
            (Self::Unchanged, _) => "unchanged",
            (Self::Differs, _) => "differs",
            (Self::Failed, _) => "FAILED",
        }
    }
}

/// Only what would fail for every entry alike ends the import.
async fn import(
    place: String,
    mut entry: Entry,
    args: &ImportTpps,
    client: &InternalClient,
) -> Result<Line, Failure> {
    let outcome = match attempt(&mut entry, args, client).await {
        Ok(outcome) => outcome,
        Err(CallError::Refused(refusal)) if is_of_entry(refusal.status) => {
            return Ok(Line::failed(place, Some(entry), refusal.to_string()));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Line::of(place, entry, outcome))
}

fn is_of_entry(status: StatusCode) -> bool {
    let of_caller = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
    status.is_client_error() && !of_caller.contains(&status)
}

async fn attempt(
    entry: &mut Entry,
    args: &ImportTpps,
    client: &InternalClient,
) -> Result<Outcome, CallError> {
    let path = ["v1", "tpps", entry.client_id.as_str()];
    let there = match client.get(&path, &[]).await {
        Ok(tpp) => Some(profile::members_of(&tpp)),
        Err(CallError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => None,
        Err(error) => return Err(error),
    };
    let Some(there) = there else {
        if !args.dry_run {
            let body = Value::Object(entry.members.clone());
            client.post(&["v1", "tpps"], &body).await?;
            if let Some(reason) = &entry.disabled {
                disable_by(&entry.client_id, reason, client).await?;
            }
        }
        return Ok(Outcome::Registered);
    };
    let mut wanted = there.clone();
    wanted.extend(entry.members.clone());
    let differing = differing(&there, &wanted);
    if differing.is_empty() {
        return Ok(Outcome::Unchanged);
    }
    entry
        .notes
        .insert(0, format!("other {}", differing.join(", ")));
    if !args.update {
        return Ok(Outcome::Differs);
    }
    if !args.dry_run {
        client.put(&path, &Value::Object(wanted)).await?;
    }
    Ok(Outcome::Changed)
}

fn differing(there: &Map<String, Value>, wanted: &Map<String, Value>) -> Vec<String> {
    let other = wanted
        .iter()
        .filter(|(name, value)| there.get(*name) != Some(value));
    other.map(|(name, _)| name.clone()).collect()
}

fn reply(lines: &[Line], args: &ImportTpps, directory: &Directory) -> Reply {
    let mut table = Table::new(&["WHERE", "CLIENT_ID", "NAME", "OUTCOME", ""]);
    let mut entries = Vec::new();
    for line in lines {
        let outcome = line.outcome.word(args.dry_run);
        let details = line.details.join("; ").replace("\n  ", " ");
        table.row(vec![
            line.place.clone(),
            line.client_id.clone(),
            line.name.clone(),
            outcome.to_owned(),
            details,
        ]);
        entries.push(json!({
            "where": line.place,
            "client_id": line.client_id,
            "name": line.name,
            "outcome": outcome.to_lowercase(),
            "details": line.details,
            "software_statement": line.trust.map(Trust::word),
        }));
    }
    let count = |outcome| lines.iter().filter(|line| line.outcome == outcome).count();
    let failed = count(Outcome::Failed);
    let verdict = if failed == 0 {
        Verdict::Yes
    } else {
        Verdict::No
    };
    let json = json!({"dry_run": args.dry_run, "entries": entries, "failed": failed});
    let mut reply = Reply::new(table.render(), json).verdict(verdict);
    let unverified = lines
        .iter()
        .filter(|line| line.trust == Some(Trust::Unverified));
    let unverified = unverified.count();
    if unverified > 0 && !directory.verifies() {
        reply = reply.remark(format!(
            "Nobody verified the signatures of {unverified} software statements: whoever wrote the file could have \
             written them. Say --directory-jwks FILE with the directory's keys."
        ));
    }
    if count(Outcome::Differs) > 0 {
        reply =
            reply.remark("Those that differ were left as they are: say --update to change them.");
    }
    if failed > 0 {
        reply = reply.remark(format!(
            "{failed} of {} could not be imported.",
            lines.len()
        ));
    }
    reply
}
