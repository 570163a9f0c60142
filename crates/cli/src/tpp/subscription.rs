//! `oyez subscription`: what a TPP has asked a bank to be told, and where. Both resources of the standard, in any version.

use oyez_domain::error_chain::chain;
use oyez_domain::registration::{CallbackUrlWish, SubscriptionWish};
use oyez_domain::version::Version;
use oyez_tpp::{Answer, Bank, CallbackUrl, Echo, Error, Subscription};
use serde_json::{Value, json};

use super::config::TppConfig;
use super::parties::{Parties, callable, chosen};
use crate::args::{Resource, SubscriptionCommand, WishArgs};
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::output::{Reply, Table};

/// Does what was asked at one bank.
pub(super) async fn run(
    command: &SubscriptionCommand,
    around: &Surroundings,
) -> Result<Reply, Failure> {
    let at = match command {
        SubscriptionCommand::Create { at, .. }
        | SubscriptionCommand::Show { at }
        | SubscriptionCommand::Update { at, .. }
        | SubscriptionCommand::Delete { at, .. } => at,
    };
    let config = TppConfig::read(&at.config.path)?;
    let banks = chosen(&config.tpp, at.bank.as_slice())?;
    let [configured] = banks.as_slice() else {
        let names: Vec<&str> = banks.iter().map(|bank| bank.name.as_ref()).collect();
        let mend = format!("choose one: --bank {}", names.join(" | "));
        return Err(Failure::usage("there are several banks", mend));
    };
    callable(configured)?;
    let mut configured = (*configured).clone();
    configured.version = at.api.unwrap_or(configured.version);
    let bank = Parties::of(&config.tpp, around)?.bank(&configured)?;
    let done = match at.resource {
        Resource::EventSubscriptions => subscriptions(&bank, command).await,
        Resource::CallbackUrls => callback_urls(&bank, command).await,
    };
    done.map_err(|stopped| match stopped {
        Stopped::Here(failure) => failure,
        Stopped::ByBank(error) => refused(&error, configured.name.as_ref()),
    })
}

/// Why something was not done.
enum Stopped {
    /// It was not asked for.
    Here(Failure),
    /// The bank, or the way there.
    ByBank(Error),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Here(failure)
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::ByBank(error)
    }
}

async fn subscriptions(bank: &Bank, command: &SubscriptionCommand) -> Result<Reply, Stopped> {
    let there = bank.subscriptions();
    let named = async |id: &Option<String>| -> Result<String, Stopped> {
        if let Some(id) = id {
            return Ok(id.clone());
        }
        let read = there.read().await?.value;
        Ok(only(read.into_iter().map(|it| it.id).collect())?)
    };
    Ok(match command {
        SubscriptionCommand::Create { wish, .. } => {
            written(&there.create(&subscription(wish)?).await?, facts)
        }
        SubscriptionCommand::Show { .. } => {
            let read = there.read().await?.value;
            shown(read.iter().map(facts).collect(), "no event-subscription")
        }
        SubscriptionCommand::Update { id, wish, .. } => {
            let wish = subscription(wish)?;
            let id = named(id).await?;
            written(&there.update(&id, &wish).await?, facts)
        }
        SubscriptionCommand::Delete { id, .. } => {
            let id = named(id).await?;
            there.delete(&id).await?;
            deleted(&id)
        }
    })
}

async fn callback_urls(bank: &Bank, command: &SubscriptionCommand) -> Result<Reply, Stopped> {
    let there = bank.callback_urls();
    let named = async |id: &Option<String>| -> Result<String, Stopped> {
        if let Some(id) = id {
            return Ok(id.clone());
        }
        let read = there.read().await?.value;
        Ok(only(read.into_iter().map(|it| it.id).collect())?)
    };
    Ok(match command {
        SubscriptionCommand::Create { wish, .. } => {
            written(&there.create(&callback_url(wish)?).await?, facts_of_url)
        }
        SubscriptionCommand::Show { .. } => {
            let read = there.read().await?.value;
            shown(read.iter().map(facts_of_url).collect(), "no callback-url")
        }
        SubscriptionCommand::Update { id, wish, .. } => {
            let wish = callback_url(wish)?;
            let id = named(id).await?;
            written(&there.update(&id, &wish).await?, facts_of_url)
        }
        SubscriptionCommand::Delete { id, .. } => {
            let id = named(id).await?;
            there.delete(&id).await?;
            deleted(&id)
        }
    })
}

fn subscription(wish: &WishArgs) -> Result<SubscriptionWish, Failure> {
    Ok(SubscriptionWish {
        callback_url: wish.callback_url.clone(),
        version: version(wish)?,
        event_types: (!wish.events.is_empty()).then(|| wish.events.clone()),
    })
}

fn callback_url(wish: &WishArgs) -> Result<CallbackUrlWish, Failure> {
    let url = wish.callback_url.clone().ok_or_else(|| {
        let mend = "add --callback-url URL";
        Failure::usage("a callback-url needs a URL", mend)
    })?;
    if !wish.events.is_empty() {
        let mend = "leave --events out, or use an event-subscription";
        return Err(Failure::usage("a callback-url cannot choose events", mend));
    }
    Ok(CallbackUrlWish {
        url,
        version: version(wish)?,
    })
}

fn version(wish: &WishArgs) -> Result<Version, Failure> {
    wish.version.parse().map_err(|_| {
        let what = format!("`{}` is no version", wish.version);
        Failure::usage(what, "write it as 4.0 or 3.1.2")
    })
}

/// The id of the one that there is.
fn only(ids: Vec<String>) -> Result<String, Failure> {
    match <[String; 1]>::try_from(ids) {
        Ok([id]) => Ok(id),
        Err(ids) if ids.is_empty() => {
            let mend = "see `oyez subscription show`; `create` makes one";
            Err(Failure::usage("there is none", mend))
        }
        Err(ids) => {
            let mend = format!("name one: {}", ids.join(" | "));
            Err(Failure::usage("there are several", mend))
        }
    }
}

fn facts(it: &Subscription) -> (Table, Value) {
    let all = || "all of the version".to_owned();
    let mut table = Table::of_facts();
    table.fact("id", &it.id);
    table.fact("version", &it.version);
    table.fact(
        "pushed to",
        it.callback_url
            .as_deref()
            .unwrap_or("nowhere: it is polled"),
    );
    table.fact(
        "events",
        it.event_types.as_ref().map_or_else(all, |it| it.join(", ")),
    );
    let json = json!({
        "id": it.id, "version": it.version, "callback_url": it.callback_url, "event_types": it.event_types,
    });
    (table, json)
}

fn facts_of_url(it: &CallbackUrl) -> (Table, Value) {
    let mut table = Table::of_facts();
    table.fact("id", &it.id);
    table.fact("version", &it.version);
    table.fact("pushed to", &it.url);
    let json = json!({ "id": it.id, "version": it.version, "callback_url": it.url });
    (table, json)
}

/// What the bank has now, by its own signed word.
fn written<T>(answer: &Answer<T>, facts: fn(&T) -> (Table, Value)) -> Reply {
    let (table, json) = facts(&answer.value);
    let reply = Reply::new(table.render(), json);
    match &answer.echo {
        Echo::Same => reply,
        other => reply.remark(format!("the bank's answer is signed, but {other}")),
    }
}

fn shown(list: Vec<(Table, Value)>, none: &str) -> Reply {
    let (tables, values): (Vec<_>, Vec<_>) = list.into_iter().unzip();
    let tables: Vec<String> = tables.iter().map(Table::render).collect();
    let text = if tables.is_empty() {
        format!("{none}\n")
    } else {
        tables.join("\n")
    };
    Reply::new(text, Value::Array(values))
}

fn deleted(id: &str) -> Reply {
    Reply::new(format!("{id} is deleted\n"), json!({ "deleted": id }))
}

fn refused(error: &Error, bank: &str) -> Failure {
    let what = format!("{bank}: {}", chain(error));
    match error {
        Error::Refused(refused) => {
            let name = refused.id.as_ref();
            let name =
                name.map_or_else(|| "its interaction".to_owned(), |id| format!("the id {id}"));
            let mend = format!("mend what it names; the bank's support finds this by {name}");
            Failure::refused(what, mend)
        }
        Error::Unproven { .. } => {
            let mend = "check `org_id`, `trust_anchors` and the keys of the bank; what was asked for may have been done";
            Failure::refused(what, mend)
        }
        _ => Failure::environment(what, "see the reason, and try again"),
    }
}
