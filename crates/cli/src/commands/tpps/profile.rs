//! A profile as it is sent: what a file says, then what the command line says.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::read_text;
use crate::args::ProfileArgs;
use crate::failure::Failure;

/// The members of a profile, as the API takes them.
pub(super) const MEMBERS: [&str; 7] = [
    "client_id",
    "name",
    "org_id",
    "software_id",
    "keys",
    "scopes",
    "overrides",
];

/// Of a TPP as the API gives it, what can be sent back.
pub(super) fn members_of(tpp: &Value) -> Map<String, Value> {
    let said = MEMBERS.into_iter();
    said.filter_map(|name| Some((name.to_owned(), tpp.get(name)?.clone())))
        .collect()
}

/// What `--from` says; nothing without it.
pub(super) fn begun(args: &ProfileArgs) -> Result<Map<String, Value>, Failure> {
    let Some(path) = &args.from else {
        return Ok(Map::new());
    };
    match json_in(path)? {
        Value::Object(members) => Ok(members),
        _ => {
            let what = format!("{} holds no object", path.display());
            Err(Failure::usage(what, "write the members of a TPP there"))
        }
    }
}

/// Adds what the command line says.
pub(super) fn say(body: &mut Map<String, Value>, args: &ProfileArgs) -> Result<(), Failure> {
    let texts = [
        ("name", &args.name),
        ("org_id", &args.org_id),
        ("software_id", &args.software_id),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            body.insert(name.to_owned(), json!(value));
        }
    }
    if let Some(path) = &args.jwks {
        let keys = json!({"jwks": json_in(path)?});
        body.insert("keys".to_owned(), keys);
    }
    if let Some(url) = &args.jwks_url {
        body.insert("keys".to_owned(), json!({"jwks_url": url}));
    }
    if !args.scopes.is_empty() {
        body.insert("scopes".to_owned(), json!(args.scopes));
    }
    if !args.set.is_empty() {
        let overrides = overrides(body)?;
        for (key, value) in &args.set {
            let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
            overrides.insert(key.clone(), value);
        }
    }
    Ok(())
}

/// Refuses what the server would refuse too, in the words of the command line.
pub(super) fn is_whole(body: &Map<String, Value>) -> Result<(), Failure> {
    let missing = NEEDED.iter().filter(|(name, _)| !body.contains_key(*name));
    let flags: Vec<_> = missing.map(|(_, flag)| *flag).collect();
    if flags.is_empty() {
        return Ok(());
    }
    let what = format!("a TPP needs more than that: {}", flags.join(", "));
    let mend = "say it, or write it in the file that --from names";
    Err(Failure::usage(what, mend))
}

/// Takes overrides out; one that is not there is a mistake.
pub(super) fn unset(body: &mut Map<String, Value>, keys: &[String]) -> Result<(), Failure> {
    for key in keys {
        if overrides(body)?.remove(key).is_none() {
            let what = format!("`{key}` is not overridden for this TPP");
            return Err(Failure::usage(
                what,
                "see which are: oyez tpps show CLIENT_ID",
            ));
        }
    }
    Ok(())
}

fn overrides(body: &mut Map<String, Value>) -> Result<&mut Map<String, Value>, Failure> {
    let overrides = body.entry("overrides").or_insert_with(|| json!({}));
    overrides.as_object_mut().ok_or_else(|| {
        Failure::usage(
            "`overrides` is no object",
            "correct the file that --from names",
        )
    })
}

fn json_in(path: &Path) -> Result<Value, Failure> {
    serde_json::from_str(&read_text(path)?).map_err(|error| {
        let what = format!("{} is not JSON", path.display());
        Failure::environment(what, "correct the file").because(&error)
    })
}

/// What every TPP has, and how it is said.
const NEEDED: [(&str, &str); 5] = [
    ("client_id", "its client_id"),
    ("name", "--name"),
    ("org_id", "--org-id"),
    ("software_id", "--software-id"),
    ("keys", "--jwks or --jwks-url"),
];
