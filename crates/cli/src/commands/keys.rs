//! `oyez keys`: the bank's signing keys (M-06).

use std::time::Duration;

use oyez_jose::UnixTime;
use oyez_jose::key_set::{
    KeyEntry, KeyState, Manifest, ManifestError, Revocation, RevocationReason, lead,
};
use serde_json::{Value, json};

use super::Surroundings;
use crate::args::{KeyShape, Keys, ListKeys, NewKey, Rotate};
use crate::config::Config;
use crate::failure::Failure;
use crate::key_directory::KeyDirectory;
use crate::output::{Reply, Table, moment};

/// Does what is asked.
pub(crate) fn run(command: &Keys, around: &Surroundings) -> Result<Reply, Failure> {
    match command {
        Keys::New(args) => new(args, around),
        Keys::List(args) => list(args, around),
        Keys::Rotate(args) => rotate(args, around),
        Keys::Jwks(args) => jwks(args, around),
    }
}

fn new(args: &NewKey, around: &Surroundings) -> Result<Reply, Failure> {
    let config = around.config(&args.config.path)?;
    let lead = lead(config.signing.jwks_max_age);
    add(&config, &args.shape, around.now, |manifest, entry| {
        let mut changed = manifest.clone();
        changed.keys.push(entry);
        refuse_faults(&changed)?;
        *manifest = changed;
        let added = manifest.keys.last().expect("one was just added");
        Ok(manifest.signs_from(added, lead))
    })
}

fn rotate(args: &Rotate, around: &Surroundings) -> Result<Reply, Failure> {
    let config = around.config(&args.config.path)?;
    let now = around.now;
    let lead = lead(config.signing.jwks_max_age);
    let published_for = config.retention.unacknowledged + config.signing.retirement_margin;
    let reply = add(&config, &args.shape, now, |manifest, entry| {
        if let Some(kid) = &args.compromised {
            let reason = RevocationReason::Compromised;
            manifest
                .revoke(kid, Revocation { at: now, reason })
                .map_err(|error| refused(&error))?;
        }
        let takes_over = manifest
            .rotate(entry, lead)
            .map_err(|error| refused(&error))?;
        withdraw_retired(manifest, published_for)?;
        Ok(takes_over)
    })?;
    let manifest = directory(&config).manifest()?;
    Ok(match (&args.compromised, manifest.signing_at(now, lead)) {
        (None, _) => reply,
        (Some(kid), Some(signing)) => reply.remark(format!(
            "`{kid}` is no longer published. Until then `{}` signs. Publish the set now: oyez keys jwks",
            signing.kid
        )),
        (Some(kid), None) => reply.remark(format!(
            "`{kid}` is no longer published, and no spare key may sign: events wait until then.\n\
             Publish the set now: oyez keys jwks. Keep a spare key from now on: oyez keys new"
        )),
    })
}

fn list(args: &ListKeys, around: &Surroundings) -> Result<Reply, Failure> {
    let config = around.config(&args.config.path)?;
    let now = around.as_of(&args.as_of);
    let lead = lead(config.signing.jwks_max_age);
    let manifest = directory(&config).manifest()?;
    let mut table = Table::new(&[
        "KID",
        "ALG",
        "STATE",
        "CREATED",
        "SIGNS FROM",
        "RETIRES",
        "PUBLISHED UNTIL",
    ]);
    let mut keys = Vec::new();
    for entry in &manifest.keys {
        let state = state_word(manifest.state_at(entry, now, lead));
        let signs_from = manifest.signs_from(entry, lead);
        let published_until = entry
            .revoked
            .map(|revocation| revocation.at)
            .or(entry.withdraw_at);
        let or_dash = |at: Option<UnixTime>| at.map_or_else(|| "-".to_owned(), moment);
        table.row(vec![
            entry.kid.clone(),
            entry.alg.to_string(),
            state.to_owned(),
            moment(entry.created),
            moment(signs_from),
            or_dash(entry.retire_at),
            or_dash(published_until),
        ]);
        keys.push(json!({
            "kid": entry.kid,
            "alg": entry.alg,
            "state": state,
            "created": moment(entry.created),
            "signs_from": moment(signs_from),
            "retires": entry.retire_at.map(moment),
            "published_until": published_until.map(moment),
            "file": entry.file,
        }));
    }
    let reply = Reply::new(table.render(), json!({ "keys": keys }));
    if manifest.signing_at(now, lead).is_some() {
        return Ok(reply);
    }
    Ok(reply.remark(match next_signing(&manifest, lead, now) {
        Some(from) => format!(
            "no key signs before {}: events wait until then",
            moment(from)
        ),
        None => "no key signs: make one with `oyez keys new`".to_owned(),
    }))
}

fn jwks(args: &ListKeys, around: &Surroundings) -> Result<Reply, Failure> {
    let config = around.config(&args.config.path)?;
    let now = around.as_of(&args.as_of);
    let text = directory(&config)
        .load(config.signing.jwks_max_age, now)?
        .jwks_at(now)
        .to_json();
    let json: Value = serde_json::from_str(&text).expect("a key set is JSON");
    Ok(Reply::new(format!("{json:#}"), json))
}

fn directory(config: &Config) -> KeyDirectory {
    KeyDirectory::at(&config.signing.keys)
}

/// Makes a key and says when it signs; `enter` enters it into the manifest and returns that.
fn add(
    config: &Config,
    shape: &KeyShape,
    now: UnixTime,
    enter: impl FnOnce(&mut Manifest, KeyEntry) -> Result<UnixTime, Failure>,
) -> Result<Reply, Failure> {
    let kind = shape.kind().ok_or_else(|| {
        Failure::usage(
            "an ES256 key has no choice of size",
            "leave --bits out, or use --alg PS256",
        )
    })?;
    let (kid, signs_from) =
        directory(config).add(kind, shape.kid.clone(), now, |manifest, entry| {
            let kid = entry.kid.clone();
            Ok((kid, enter(manifest, entry)?))
        })?;
    let from = moment(signs_from);
    let text = format!("{kid} is published from now on and signs from {from}");
    Ok(Reply::new(text, json!({ "kid": kid, "signs_from": from })))
}

/// A retired key goes when nothing that it signed can be outstanding any more, and a margin has passed.
fn withdraw_retired(manifest: &mut Manifest, published_for: Duration) -> Result<(), Failure> {
    let retired = manifest.keys.iter().filter(|key| key.withdraw_at.is_none());
    let ends: Vec<_> = retired
        .filter_map(|key| Some((key.kid.clone(), key.retire_at? + published_for)))
        .collect();
    for (kid, at) in ends {
        manifest
            .withdraw(&kid, at)
            .map_err(|error| refused(&error))?;
    }
    Ok(())
}

fn refuse_faults(manifest: &Manifest) -> Result<(), Failure> {
    manifest
        .faults()
        .into_iter()
        .next()
        .map_or(Ok(()), |fault| Err(refused(&fault)))
}

fn refused(error: &ManifestError) -> Failure {
    let mend = match error {
        ManifestError::DuplicateKid(_) => "choose another --kid; no kid is ever used twice",
        ManifestError::Kid(_) => "choose a shorter --kid",
        ManifestError::NoSuchKey(_) => "see the kids with `oyez keys list`",
        ManifestError::Times(_) => "see the times with `oyez keys list`; is the clock right?",
    };
    Failure::usage(error.to_string(), mend)
}

/// When a key signs that does not yet.
pub(crate) fn next_signing(manifest: &Manifest, lead: Duration, now: UnixTime) -> Option<UnixTime> {
    let states = manifest
        .keys
        .iter()
        .map(|key| manifest.state_at(key, now, lead));
    let next = states.filter_map(|state| match state {
        KeyState::Next { signs_from } => Some(signs_from),
        _ => None,
    });
    next.min()
}

/// A state as people call it.
fn state_word(state: KeyState) -> &'static str {
    match state {
        KeyState::Next { .. } => "next",
        KeyState::Signing => "signing",
        KeyState::Superseded => "spare",
        KeyState::Retired { .. } => "retiring",
        KeyState::Withdrawn => "retired",
        KeyState::Revoked(Revocation { reason, .. }) => match reason {
            RevocationReason::Compromised => "compromised",
            RevocationReason::CessationOfOperation => "revoked",
        },
    }
}
