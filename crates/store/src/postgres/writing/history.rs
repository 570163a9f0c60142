//! What a group adds to history: rows that are written once.

use oyez_domain::ledger::push::{Answer, Attempt, Verdict};

use super::{Write, array, column};
use crate::codes::{ACKNOWLEDGED, ENDPOINT_FAILED, REFUSED};
use crate::postgres::changes::{Changes, NewEvent, PollEntry};
use crate::postgres::columns::uuid;
use crate::postgres::keys::supersede;

/// Everything that a group adds.
pub(super) fn add(changes: &mut Changes, writes: &mut Vec<Write>) {
    events(&changes.events, writes);
    let remembered = &changes.remembered;
    if !remembered.is_empty() {
        writes.push(Write {
            sql: INSERT_KEYS,
            columns: vec![
                column(remembered, |it| it.tpp.0),
                column(remembered, |it| it.key.as_str().to_owned()),
                column(remembered, |it| it.fingerprint.to_vec()),
                column(remembered, |it| uuid(it.jti)),
                column(remembered, |it| it.accepted_at.unix_ms()),
            ],
        });
    }
    sets(changes, writes);
    polls(&changes.polls, writes);
    let handed = &changes.hand_outs;
    if !handed.is_empty() {
        writes.push(Write {
            sql: INSERT_HAND_OUTS,
            columns: vec![
                column(handed, |((tpp, _), ..)| tpp.0),
                column(handed, |((_, jti), ..)| uuid(*jti)),
                column(handed, |(_, poll, _)| *poll),
                column(handed, |(.., at)| at.unix_ms()),
            ],
        });
    }
    let errors = &changes.errors;
    if !errors.is_empty() {
        writes.push(Write {
            sql: INSERT_ERRORS,
            columns: vec![
                column(errors, |it| it.key.0.0),
                column(errors, |it| uuid(it.key.1)),
                column(errors, |it| it.entry),
                column(errors, |it| it.poll),
                column(errors, |it| it.at.unix_ms()),
                column(errors, |it| storable(&it.error.err)),
                column(errors, |it| storable(&it.error.description)),
            ],
        });
    }
    attempts(changes, writes);
    let settled = &changes.settlements;
    if !settled.is_empty() {
        writes.push(Write {
            sql: INSERT_SETTLEMENTS,
            columns: vec![
                column(settled, |it| it.key.0.0),
                column(settled, |it| uuid(it.key.1)),
                column(settled, |it| it.ends),
                column(settled, |it| it.code()),
                column(settled, |it| it.superseded),
                column(settled, |it| it.at.unix_ms()),
                column(settled, |it| it.actor.clone()),
            ],
        });
    }
}

/// SETs that are sent from now on, where there were others instead of those.
fn sets(changes: &mut Changes, writes: &mut Vec<Write>) {
    let gone = &changes.superseded_sets;
    if !gone.is_empty() {
        writes.push(Write {
            sql: SUPERSEDE_SETS,
            columns: vec![
                column(gone, |(tpp, _)| tpp.0),
                column(gone, |(_, jti)| uuid(*jti)),
            ],
        });
    }
    let sets = std::mem::take(&mut changes.sets);
    if !sets.is_empty() {
        let (keys, sets): (Vec<_>, Vec<_>) = sets
            .into_iter()
            .map(|(key, signed, at)| (key, (signed.set, signed.kid, at)))
            .unzip();
        writes.push(Write {
            sql: INSERT_SETS,
            columns: vec![
                column(&keys, |(tpp, _)| tpp.0),
                column(&keys, |(_, jti)| uuid(*jti)),
                column(&sets, |(.., at)| at.unix_ms()),
                column(&sets, |(_, kid, _)| kid.clone()),
                Box::new(sets.into_iter().map(|(set, ..)| set).collect::<Vec<_>>()),
            ],
        });
    }
}

fn events(events: &[NewEvent], writes: &mut Vec<Write>) {
    if events.is_empty() {
        return;
    }
    writes.push(Write {
        sql: INSERT_EVENTS,
        columns: vec![
            column(events, |it| it.key.0.0),
            column(events, |it| uuid(it.key.1)),
            column(events, |it| it.position),
            column(events, |it| it.accepted_at.unix_ms()),
            column(events, |it| it.kind),
            column(events, |it| it.family),
            column(events, |it| it.resource_id.clone()),
            column(events, |it| it.txn.clone()),
            column(events, |it| it.notice.clone()),
        ],
    });
}

/// Arrays in an array have no columns of their own: the jtis of a poll go as the text of one.
fn polls(polls: &[PollEntry], writes: &mut Vec<Write>) {
    if polls.is_empty() {
        return;
    }
    let jtis = |poll: &PollEntry| array(poll.jtis.iter());
    writes.push(Write {
        sql: INSERT_POLLS,
        columns: vec![
            column(polls, |it| it.tpp.0),
            column(polls, |it| it.entry),
            column(polls, |it| it.at.unix_ms()),
            column(polls, |it| it.interaction_id.as_str().to_owned()),
            column(polls, jtis),
        ],
    });
}

fn attempts(changes: &Changes, writes: &mut Vec<Write>) {
    let attempts = &changes.attempts;
    if attempts.is_empty() {
        return;
    }
    let of = |it: fn(&Attempt) -> Option<String>| column(attempts, move |(.., made)| it(made));
    writes.push(Write {
        sql: INSERT_ATTEMPTS,
        columns: vec![
            column(attempts, |((tpp, _), ..)| tpp.0),
            column(attempts, |((_, jti), ..)| uuid(*jti)),
            column(attempts, |(_, entry, _)| *entry),
            column(attempts, |(.., it)| it.started_at.unix_ms()),
            column(attempts, |(.., it)| {
                i64::try_from(it.latency.as_nanos()).unwrap_or(i64::MAX)
            }),
            column(attempts, |(.., it)| again_at(it)),
            column(attempts, |(.., it)| status(it)),
            column(attempts, |(.., it)| verdict(it)),
            of(|it| Some(it.interaction_id.as_str().to_owned())),
            of(|it| it.peer.address.map(|address| address.to_string())),
            of(|it| it.peer.tls_version.as_deref().map(storable)),
            of(|it| it.peer.certificate_thumbprint.as_deref().map(storable)),
            column(attempts, |(.., it)| body_head(it)),
            of(|it| deviation(it).map(storable)),
            of(|it| error(it).map(|(class, _)| storable(class))),
            of(|it| error(it).map(|(_, detail)| storable(detail))),
        ],
    });
}

const fn again_at(attempt: &Attempt) -> Option<i64> {
    match attempt.verdict {
        Verdict::Refused {
            again_at: Some(again_at),
        } => Some(again_at.unix_ms()),
        Verdict::Refused { again_at: None } | Verdict::Acknowledged | Verdict::EndpointFailed => {
            None
        }
    }
}

fn verdict(attempt: &Attempt) -> i16 {
    let code = match attempt.verdict {
        Verdict::Acknowledged => ACKNOWLEDGED,
        Verdict::Refused { .. } => REFUSED,
        Verdict::EndpointFailed => ENDPOINT_FAILED,
    };
    i16::try_from(code).unwrap_or_default()
}

fn status(attempt: &Attempt) -> Option<i32> {
    match &attempt.answer {
        Answer::Response { status, .. } => Some(i32::from(*status)),
        Answer::Error { .. } => None,
    }
}

fn body_head(attempt: &Attempt) -> Option<Vec<u8>> {
    match &attempt.answer {
        Answer::Response { body_head, .. } => Some(body_head.clone()),
        Answer::Error { .. } => None,
    }
}

fn deviation(attempt: &Attempt) -> Option<&str> {
    match &attempt.answer {
        Answer::Response { deviation, .. } => deviation.as_deref(),
        Answer::Error { .. } => None,
    }
}

fn error(attempt: &Attempt) -> Option<(&str, &str)> {
    match &attempt.answer {
        Answer::Response { .. } => None,
        Answer::Error { class, detail } => Some((class, detail)),
    }
}

/// What the other side said, as this database can keep it: a text cannot hold the character of number zero.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

const INSERT_EVENTS: &str = "
    INSERT INTO events (tpp, jti, position, accepted_at, kind, family, resource_id, txn, notice)
    SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::integer[], $6::smallint[],
        $7::text[], $8::text[], $9::text[])";

const INSERT_KEYS: &str = "
    INSERT INTO idempotency (tpp, key, fingerprint, jti, accepted_at)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::uuid[], $5::bigint[])";

pub(in crate::postgres) const SUPERSEDE_SETS: &str = supersede!(
    "USING unnest($1::bigint[], $2::uuid[]) o (tpp, jti) WHERE s.tpp = ANY (ARRAY[o.tpp]) AND s.jti = o.jti"
);

const INSERT_SETS: &str = "
    INSERT INTO sets (tpp, jti, kept_at, kid, jws)
    SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::text[])";

const INSERT_POLLS: &str = "
    INSERT INTO polls (tpp, entry, at, interaction_id, jtis)
    SELECT tpp, entry, at, interaction_id, jtis::uuid[]
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[])
        n (tpp, entry, at, interaction_id, jtis)";

const INSERT_HAND_OUTS: &str = "
    INSERT INTO hand_outs (tpp, jti, poll, at)
    SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[])";

const INSERT_ERRORS: &str = "
    INSERT INTO set_errors (tpp, jti, entry, poll, at, err, description)
    SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[])";

const INSERT_ATTEMPTS: &str = "
    INSERT INTO attempts (tpp, jti, entry, started_at, latency_ns, again_at, status, verdict, interaction_id, address,
        tls_version, thumbprint, body_head, deviation, error_class, error_detail)
    SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::integer[], $8::smallint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bytea[], $14::text[],
        $15::text[], $16::text[])";

const INSERT_SETTLEMENTS: &str = "
    INSERT INTO settlements (tpp, jti, ends, outcome, superseded, at, actor)
    SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::integer[], $4::smallint[], $5::boolean[], $6::bigint[],
        $7::text[])";
