//! `oyez tpps`: who is known to a running server (A-09, I-04).

mod import;
mod profile;
mod shown;
mod status;

use serde_json::{Value, json};

use super::Surroundings;
use super::call::calling;
use super::events::text;
use crate::args::{ChangeTpp, DisableTpp, RegisterTpp, Tpps};
use crate::failure::Failure;
use crate::internal_client::{CallError, InternalClient};
use crate::output::{Reply, Table};

/// Does what is asked.
pub(crate) fn run(command: &Tpps, around: &Surroundings) -> Result<Reply, Failure> {
    calling(command.server(), around, async |client, _| match command {
        Tpps::List(_) => list(&client).await,
        Tpps::Show(args) => show(&args.client_id, &client).await,
        Tpps::Status(args) => status::run(&args.client_id, &client).await,
        Tpps::Register(args) => register(args, &client).await,
        Tpps::Change(args) => change(args, &client).await,
        Tpps::Disable(args) => disable(args, &client).await,
        Tpps::Enable(args) => enable(&args.client_id, &client).await,
        Tpps::Import(args) => import::run(args, around.now, &client).await,
    })
}

async fn list(client: &InternalClient) -> Result<Reply, Failure> {
    let mut tpps = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let after = cursor.as_deref().map(|cursor| ("cursor", cursor));
        let page = client.get(&["v1", "tpps"], after.as_slice()).await?;
        tpps.extend(page["tpps"].as_array().cloned().unwrap_or_default());
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    let mut table = Table::new(&["CLIENT_ID", "NAME", "ORG_ID", "SOFTWARE_ID", "STANDING"]);
    for tpp in &tpps {
        table.row(vec![
            text(&tpp["client_id"]),
            text(&tpp["name"]),
            text(&tpp["org_id"]),
            text(&tpp["software_id"]),
            text(&tpp["standing"]["state"]),
        ]);
    }
    Ok(Reply::new(table.render(), json!({ "tpps": tpps })))
}

async fn show(client_id: &str, client: &InternalClient) -> Result<Reply, Failure> {
    let tpp = client.get(&["v1", "tpps", client_id], &[]).await?;
    Ok(Reply::new(shown::whole(&tpp), tpp))
}

async fn register(args: &RegisterTpp, client: &InternalClient) -> Result<Reply, Failure> {
    let mut body = profile::begun(&args.profile)?;
    if let Some(client_id) = &args.client_id {
        body.insert("client_id".to_owned(), json!(client_id));
    }
    profile::say(&mut body, &args.profile)?;
    profile::is_whole(&body)?;
    let tpp = client.post(&["v1", "tpps"], &Value::Object(body)).await?;
    let said = format!("{} is registered", text(&tpp["client_id"]));
    Ok(Reply::new(said, tpp))
}

/// Reads, changes what is said, and writes the whole: two operators at the same time see the later one win, and the audit
/// trail has both.
async fn change(args: &ChangeTpp, client: &InternalClient) -> Result<Reply, Failure> {
    let path = ["v1", "tpps", args.client_id.as_str()];
    let before = profile::members_of(&client.get(&path, &[]).await?);
    let mut body = before.clone();
    body.extend(profile::begun(&args.profile)?);
    profile::say(&mut body, &args.profile)?;
    if args.all_scopes {
        body.insert("scopes".to_owned(), json!([]));
    }
    profile::unset(&mut body, &args.unset)?;
    if body == before {
        let said = format!("{} is as you say already", args.client_id);
        return Ok(Reply::new(said, Value::Object(before)));
    }
    let tpp = client.put(&path, &Value::Object(body)).await?;
    Ok(Reply::new(shown::profile(&tpp), tpp))
}

async fn disable(args: &DisableTpp, client: &InternalClient) -> Result<Reply, Failure> {
    let tpp = disable_by(&args.client_id, &args.reason, client).await?;
    let said = format!("{} is refused everywhere from now on", args.client_id);
    Ok(Reply::new(said, tpp))
}

async fn enable(client_id: &str, client: &InternalClient) -> Result<Reply, Failure> {
    let path = ["v1", "tpps", client_id, "enable"];
    let tpp = client.post(&path, &json!({})).await?;
    Ok(Reply::new(format!("{client_id} is served again"), tpp))
}

async fn disable_by(
    client_id: &str,
    reason: &str,
    client: &InternalClient,
) -> Result<Value, CallError> {
    let path = ["v1", "tpps", client_id, "disable"];
    client.post(&path, &json!({ "reason": reason })).await
}
