//! One entry, made into a profile: from a TPP as we write it, from client metadata (RFC 7591), from a software statement, or
//! from the last two together.

use oyez_domain::rules::Rules;
use serde_json::{Map, Value, json};

use super::reading::Text;
use super::statement::{Claims, Directory, Trust};

/// Why an entry cannot be imported.
pub(super) type Fault = String;

/// A TPP to be registered.
pub(super) struct Entry {
    pub(super) client_id: String,
    /// What is sent.
    pub(super) members: Map<String, Value>,
    /// Why it is not to be served, if it is not.
    pub(super) disabled: Option<String>,
    /// Whether the statement in it was believed for a reason.
    pub(super) trust: Option<Trust>,
    /// What whoever imports should know.
    pub(super) notes: Vec<String>,
}

impl Entry {
    /// Reads an entry; `client_id` is what the command line says.
    pub(super) fn read(
        text: Text,
        directory: &Directory,
        client_id: Option<&str>,
    ) -> Result<Self, Fault> {
        match text {
            Text::Statement(statement) => {
                of_metadata(&Map::new(), Some(&statement), directory, client_id)
            }
            Text::Object(members) if members.contains_key("keys") => of_ours(members),
            Text::Object(members) => {
                let statement = members.get("software_statement");
                let statement = statement.map(|value| {
                    let text = value.as_str();
                    text.ok_or_else(|| "software_statement is no text".to_owned())
                });
                of_metadata(&members, statement.transpose()?, directory, client_id)
            }
        }
    }

    pub(super) fn name(&self) -> String {
        let name = self.members.get("name").and_then(Value::as_str);
        name.unwrap_or("-").to_owned()
    }
}

/// A TPP as the API gives it. What is not known is left in, for the server to name.
fn of_ours(mut members: Map<String, Value>) -> Result<Entry, Fault> {
    let client_id = members.get("client_id").and_then(Value::as_str);
    let client_id = client_id.ok_or("client_id is missing")?.to_owned();
    let standing = members.remove("standing").unwrap_or_default();
    let disabled = (standing["state"] == "disabled").then(|| {
        let reason = standing["reason"].as_str();
        reason
            .unwrap_or("disabled where it was exported")
            .to_owned()
    });
    for name in READ_ONLY {
        members.remove(name);
    }
    Ok(Entry {
        client_id,
        members,
        notes: Vec::new(),
        disabled,
        trust: None,
    })
}

/// What the metadata says counts more than the statement, but for the keys and the ids that only the directory knows.
fn of_metadata(
    metadata: &Map<String, Value>,
    statement: Option<&str>,
    directory: &Directory,
    client_id: Option<&str>,
) -> Result<Entry, Fault> {
    let (claims, trust) = match statement {
        Some(statement) => {
            let (claims, trust) = directory.read(statement)?;
            (claims, Some(trust))
        }
        None => (Claims::default(), None),
    };
    let mut notes = Vec::new();
    let said = |name: &str| {
        metadata
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let client_id = client_id.map(str::to_owned).or_else(|| said("client_id"));
    let client_id = client_id.or_else(|| {
        let id = claims.software_client_id.clone()?;
        notes.push("its client_id is the directory's; say another with --client-id".to_owned());
        Some(id)
    });
    let mut entry = Entry {
        client_id: client_id.ok_or("client_id is missing")?,
        members: Map::new(),
        disabled: None,
        trust,
        notes,
    };
    let name = said("client_name").or_else(|| claims.software_client_name.clone());
    let name = name.or_else(|| claims.org_name.clone());
    let texts = [
        ("client_id", Some(entry.client_id.clone())),
        ("name", name),
        ("org_id", claims.org_id.clone().or_else(|| said("org_id"))),
        (
            "software_id",
            claims.software_id.clone().or_else(|| said("software_id")),
        ),
    ];
    for (name, text) in texts {
        let text =
            text.ok_or_else(|| format!("{name} is missing: a software_statement would say it"))?;
        entry.members.insert(name.to_owned(), json!(text));
    }
    let keys = keys(metadata, &claims)?;
    entry.members.insert("keys".to_owned(), keys);
    let scopes = scopes(metadata, &claims, &mut entry.notes)?;
    entry.members.insert("scopes".to_owned(), json!(scopes));
    if let Some(overrides) = metadata.get("overrides") {
        entry
            .members
            .insert("overrides".to_owned(), overrides.clone());
    }
    Ok(entry)
}

fn keys(metadata: &Map<String, Value>, claims: &Claims) -> Result<Value, Fault> {
    if let Some(url) = &claims.software_jwks_endpoint {
        return Ok(json!({"jwks_url": url}));
    }
    match (metadata.get("jwks_uri"), metadata.get("jwks")) {
        (Some(url), _) => Ok(json!({"jwks_url": url})),
        (None, Some(set)) => Ok(json!({"jwks": set})),
        (None, None) => Err("there are no keys: jwks_uri, jwks or a software_statement".to_owned()),
    }
}

/// What it is granted: never everything because nothing of what it asks for is known here.
fn scopes(
    metadata: &Map<String, Value>,
    claims: &Claims,
    notes: &mut Vec<String>,
) -> Result<Vec<String>, Fault> {
    let asked: Vec<String> = match metadata.get("scope").or_else(|| metadata.get("scopes")) {
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(list)) => {
            let texts = list.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        }
        Some(_) => return Err("scope is neither a text nor a list".to_owned()),
        None => claims.scopes().into_iter().map(str::to_owned).collect(),
    };
    let rules = Rules::default();
    let known = |asked: &String| {
        let mut scopes = rules.versions.rows().iter().flat_map(|row| &row.scopes);
        scopes.any(|scope| scope.spellings.contains(asked))
    };
    let (mut scopes, others): (Vec<_>, Vec<_>) = asked.into_iter().partition(known);
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        let what = "no scope of events: accounts, payments or fundsconfirmations is expected in scope, \
                    or AISP, PISP or CBPII among the roles";
        return Err(what.to_owned());
    }
    if !others.is_empty() {
        notes.push(format!("without {}", others.join(", ")));
    }
    Ok(scopes)
}

/// What the API gives besides a profile.
const READ_ONLY: [&str; 5] = [
    "registered_at",
    "changed_at",
    "counts",
    "delivery",
    "registrations",
];
