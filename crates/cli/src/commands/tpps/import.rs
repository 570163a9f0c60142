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
use reading::Text;
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
        let named = text.as_ref().ok().and_then(Text::client_id);
        let entry = text.and_then(|text| Entry::read(text, &directory, args.client_id.as_deref()));
        let line = match entry {
            Err(fault) => Line::unread(place, named, fault),
            Ok(entry) if !seen.insert(entry.client_id.clone()) => {
                let twice = "this client_id stands in the import twice".to_owned();
                Line::failed(place, entry, twice)
            }
            Ok(entry) => import(place, entry, args, client).await?,
        };
        lines.push(line);
    }
    Ok(reply(&lines, args))
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

    fn failed(place: String, entry: Entry, fault: Fault) -> Self {
        let mut line = Self::of(place, entry, Outcome::Failed);
        line.details.insert(0, fault);
        line
    }

    /// What cannot even be read has at most a client_id.
    fn unread(place: String, client_id: Option<String>, fault: Fault) -> Self {
        Self {
            place,
            client_id: client_id.unwrap_or_else(|| "-".to_owned()),
            name: "-".to_owned(),
            outcome: Outcome::Failed,
            details: vec![fault],
            trust: None,
        }
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
            return Ok(Line::failed(place, entry, refusal.details()));
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
        Ok(tpp) => Some(tpp),
        Err(CallError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => None,
        Err(error) => return Err(error),
    };
    let Some(there) = there else {
        if let Some(reason) = &entry.disabled {
            entry.notes.push(format!("disabled: {reason}"));
        }
        if !args.dry_run {
            let body = Value::Object(entry.members.clone());
            client.post(&["v1", "tpps"], &body).await?;
            if let Some(reason) = &entry.disabled {
                disable_by(&entry.client_id, reason, client).await?;
            }
        }
        return Ok(Outcome::Registered);
    };
    if entry.disabled.is_some() && there["standing"]["state"] != "disabled" {
        let note = "it is disabled where it was exported; here it is served, and that stays";
        entry.notes.push(note.to_owned());
    }
    let there = profile::members_of(&there);
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

fn reply(lines: &[Line], args: &ImportTpps) -> Reply {
    let mut table = Table::new(&["WHERE", "CLIENT_ID", "NAME", "OUTCOME", ""]);
    let mut entries = Vec::new();
    for line in lines {
        let outcome = line.outcome.word(args.dry_run);
        let details = line.details.join("; ");
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
        .any(|line| line.trust == Some(Trust::Unverified));
    if unverified {
        reply = reply.remark(
            "Nobody verified the signatures of the software statements: whoever wrote the file could have written them. \
             Say --directory-jwks FILE with the directory's keys.",
        );
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
