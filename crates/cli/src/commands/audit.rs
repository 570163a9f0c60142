//! `oyez audit`: the trail of who changed what, listed, exported, and proven whole (I-05).
//!
//! The proof is made here, from what the server shows, by the same function that wrote the links: a server that lies about its
//! hashes is found out, and one that writes a chain anew is by an earlier export.

mod chains;

use std::collections::BTreeMap;
use std::path::Path;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::trail::Walk;
use serde_json::{Value, json};

use super::Surroundings;
use super::call::calling;
use super::events::text;
use crate::args::{Audit, ExportAudit, ListAudit, VerifyAudit};
use crate::failure::Failure;
use crate::internal_client::InternalClient;
use crate::output::{self, Reply, Table, Verdict};
use chains::Known;

/// Does what is asked.
pub(crate) fn run(command: &Audit, around: &Surroundings) -> Result<Reply, Failure> {
    calling(command.server(), around, async |client, _| match command {
        Audit::List(args) => list(args, &client).await,
        Audit::Verify(args) => verify(args, &client).await,
        Audit::Export(args) => export(args, &client).await,
    })
}

async fn list(args: &ListAudit, client: &InternalClient) -> Result<Reply, Failure> {
    let limit = args.limit.to_string();
    let said = [
        ("tpp", args.tpp.as_deref()),
        ("cursor", args.cursor.as_deref()),
        ("limit", Some(limit.as_str())),
    ];
    let query = said.into_iter();
    let query: Vec<_> = query
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let page = client.get(&["v1", "audit"], &query).await?;
    let mut table = Table::new(&["SEQUENCE", "AT", "ACTOR", "ACTION", "TPP"]);
    for entry in page["entries"].as_array().into_iter().flatten() {
        let names = ["sequence", "at", "actor", "action", "tpp"];
        table.row(names.map(|name| text(&entry[name])).to_vec());
    }
    let next = page["next"].as_u64();
    let reply = Reply::new(table.render(), page);
    Ok(match next {
        Some(cursor) => reply.remark(format!("There are more: --cursor {cursor}")),
        None => reply,
    })
}

async fn verify(args: &VerifyAudit, client: &InternalClient) -> Result<Reply, Failure> {
    let known = exported(args.expect.as_deref())?;
    let mut table = Table::new(&["CHAIN", "ENTRIES", "NOT CHAINED", "WHAT IS FOUND"]);
    let (mut rows, mut verdict) = (Vec::new(), Verdict::Yes);
    for chain in chains::heads(client, &known).await? {
        let mut walk = Walk::accepting_until(args.unchained_until);
        let mut pages = chain.pages(0);
        while let Some(page) = pages.next(client).await? {
            for entry in &page {
                walk.next(&chains::read(entry)?);
                chain.links.iter().for_each(|link| walk.expect(*link));
            }
        }
        let name = name_of(chain.client_id.as_ref());
        let (entries, unchained, found) = match walk.end(&chain.links) {
            Ok(walked) => {
                let entries = walked.last.map_or(0, |last| last.number);
                (json!(entries), json!(walked.unchained), None)
            }
            Err(broken) => {
                verdict = Verdict::No;
                (Value::Null, Value::Null, Some(broken.to_string()))
            }
        };
        table.row(vec![
            name,
            text(&entries),
            text(&unchained),
            found.clone().unwrap_or_else(|| "whole".to_owned()),
        ]);
        rows.push(json!({
            "tpp": chain.client_id,
            "entries": entries,
            "not_chained": unchained,
            "broken": found,
        }));
    }
    let whole = verdict == Verdict::Yes;
    let reply = Reply::new(table.render(), json!({"whole": whole, "chains": rows}));
    Ok(reply.verdict(verdict))
}

/// Line by line, so that a trail of any length fits. A reader that goes away ends it.
async fn export(args: &ExportAudit, client: &InternalClient) -> Result<Reply, Failure> {
    let known = exported(args.after.as_deref())?;
    let mut written = 0_u64;
    for chain in chains::heads(client, &known).await? {
        let after = known
            .get(&chain.client_id)
            .map_or(0, |known| known.sequence);
        let mut pages = chain.pages(after);
        while let Some(page) = pages.next(client).await? {
            for entry in &page {
                output::line(entry).map_err(|error| {
                    let mend = "check where standard output goes";
                    Failure::environment("cannot write the trail", mend).because(&error)
                })?;
                written += 1;
            }
        }
    }
    Ok(Reply::written().remark(format!("{written} entries were written")))
}

/// What an earlier export says of each chain: its last entry there.
fn exported(path: Option<&Path>) -> Result<BTreeMap<Option<ClientId>, Known>, Failure> {
    let Some(path) = path else {
        return Ok(BTreeMap::new());
    };
    chains::exported(path)
}

fn name_of(chain: Option<&ClientId>) -> String {
    chain.map_or_else(|| "(operators)".to_owned(), ToString::to_string)
}
