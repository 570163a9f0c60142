//! How one TPP stands, as its own people may see it (W-04): what it registered, how its endpoint is, what was tried and polled
//! last, and why it gets no events.
//!
//! Attempts and polls are read from files of events: the newest, and the newest that are outstanding. So this costs the same
//! however many there are, and the page says what was looked at.

use oyez_domain::ledger::history::{Counts, EventFile, EventFilter, StateFilter};
use oyez_domain::ledger::lanes::{Health, HealthState};
use oyez_domain::ledger::push::{Answer, Attempt, Verdict};
use oyez_domain::life::State;
use oyez_domain::registration::Registrations;
use oyez_domain::silence::{self, Asked, Known, Reader, Weight};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::Tpp;
use oyez_store::Error;
use serde::Serialize;

use crate::Bank;

/// How a TPP stands.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Status {
    /// Who.
    pub(super) client_id: String,
    /// Its name at the bank.
    pub(super) name: String,
    /// When this was so.
    pub(super) at: String,
    /// What keeps events from it, the heaviest first; empty: nothing.
    pub(super) reasons: Vec<ReasonFacts>,
    /// What it has registered.
    pub(super) registration: Option<Registered>,
    /// Its endpoint, if events are pushed to one.
    pub(super) endpoint: Option<Endpoint>,
    /// Where its events stand.
    pub(super) events: Events,
    /// The last pushes, newest first.
    pub(super) attempts: Vec<AttemptFacts>,
    /// The last polls that brought events, newest first.
    pub(super) polls: Vec<PollFacts>,
}

/// Why events do not arrive.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ReasonFacts {
    /// A fixed word.
    pub(super) code: &'static str,
    /// Whether nothing arrives (`all`), nothing by push (`pushes`), or not everything (`some`).
    pub(super) weight: Weight,
    /// What is the matter.
    pub(super) what: String,
    /// What to do.
    pub(super) mend: &'static str,
}

/// A registration.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Registered {
    /// `event-subscription` or `callback-url`.
    pub(super) kind: &'static str,
    pub(super) id: String,
    /// The version that it was made or changed through last.
    pub(super) api: String,
    pub(super) version: String,
    pub(super) callback_url: Option<String>,
    /// Absent: all that the Version knows.
    pub(super) event_types: Option<Vec<String>>,
    pub(super) changed_at: String,
}

/// An endpoint.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Endpoint {
    /// `responsive`, `failing`, `unresponsive` or `paused`.
    pub(super) health: String,
    pub(super) since: Option<String>,
    pub(super) next_probe_at: Option<String>,
    pub(super) reason: Option<String>,
}

/// Counts of events.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Events {
    pub(super) accepted: u64,
    pub(super) outstanding: u64,
    pub(super) acknowledged: u64,
    pub(super) failed: u64,
    pub(super) expired: u64,
    pub(super) withdrawn: u64,
}

/// A push.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AttemptFacts {
    pub(super) at: String,
    pub(super) jti: String,
    pub(super) interaction_id: String,
    pub(super) milliseconds: u64,
    /// `acknowledged`, `refused` or `endpoint_failed`.
    pub(super) outcome: &'static str,
    /// The status, or what went wrong.
    pub(super) answer: String,
}

/// A poll.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PollFacts {
    pub(super) at: String,
    pub(super) interaction_id: String,
    /// How many of the events that were looked at.
    pub(super) events: usize,
}

impl Status {
    /// Looks.
    pub(crate) async fn read(bank: &Bank, tpp: &Tpp, now: Timestamp) -> Result<Self, Error> {
        let id = || tpp.client_id.clone();
        let registrations = bank.store.registrations(id()).await?;
        let counts = bank.store.counts(id()).await?;
        let lane = bank.store.find_lane(id()).await?;
        let health = lane.map(|lane| lane.health).unwrap_or_default();
        let files = files(bank, tpp).await?;
        let polls = polls(&files);
        let polled_at = files.iter().flat_map(|file| &file.hand_outs);
        let known = Known {
            rules: &bank.rules,
            tpp,
            registrations: &registrations,
            health: &health,
            counts,
            poll_only: poll_only(&files),
            asked: Asked {
                polled_at: polled_at.map(|one| one.at).max(),
                ..Asked::default()
            },
        };
        let reasons = silence::reasons(&known);
        Ok(Self {
            client_id: tpp.client_id.to_string(),
            name: tpp.profile.name.clone(),
            at: now.to_string(),
            reasons: reasons.iter().map(reason).collect(),
            endpoint: pushes_to(&registrations).map(|_| endpoint(&health)),
            registration: registered(&registrations),
            events: counted(counts),
            attempts: attempts(&files),
            polls,
        })
    }

    /// As a document.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("its names are text")
    }
}

/// The files that are looked at, each once.
async fn files(bank: &Bank, tpp: &Tpp) -> Result<Vec<EventFile>, Error> {
    let mut jtis = Vec::new();
    for state in [None, Some(StateFilter::Outstanding)] {
        let filter = EventFilter {
            client_id: Some(tpp.client_id.clone()),
            state,
            ..EventFilter::default()
        };
        let page = bank.store.list_events(filter, None, LAST).await?;
        jtis.extend(page.rows.into_iter().map(|row| row.jti));
    }
    jtis.sort_unstable();
    jtis.dedup();
    let mut files = Vec::new();
    for jti in jtis {
        files.extend(bank.store.find_event(jti).await?);
    }
    Ok(files)
}

fn attempts(files: &[EventFile]) -> Vec<AttemptFacts> {
    let mut attempts: Vec<&Attempt> = files.iter().flat_map(|file| &file.attempts).collect();
    attempts.sort_by_key(|attempt| std::cmp::Reverse(attempt.started_at));
    attempts.truncate(LAST as usize);
    attempts.into_iter().map(attempt).collect()
}

fn attempt(attempt: &Attempt) -> AttemptFacts {
    AttemptFacts {
        at: attempt.started_at.to_string(),
        jti: attempt.jti.to_string(),
        interaction_id: attempt.interaction_id.to_string(),
        milliseconds: u64::try_from(attempt.latency.as_millis()).unwrap_or(u64::MAX),
        outcome: match attempt.verdict {
            Verdict::Acknowledged => "acknowledged",
            Verdict::Refused { .. } => "refused",
            Verdict::EndpointFailed => "endpoint_failed",
        },
        answer: match &attempt.answer {
            Answer::Response { status, .. } => status.to_string(),
            Answer::Error { class, detail } => format!("{class}: {detail}"),
        },
    }
}

/// Hand-outs of one poll have its interaction id.
fn polls(files: &[EventFile]) -> Vec<PollFacts> {
    let mut polls: Vec<(Timestamp, String, usize)> = Vec::new();
    for one in files.iter().flat_map(|file| &file.hand_outs) {
        let id = one.interaction_id.to_string();
        match polls
            .iter_mut()
            .find(|(at, known, _)| *at == one.at && *known == id)
        {
            Some((_, _, events)) => *events += 1,
            None => polls.push((one.at, id, 1)),
        }
    }
    polls.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    polls.truncate(LAST as usize);
    let facts = |(at, interaction_id, events): (Timestamp, String, usize)| PollFacts {
        at: at.to_string(),
        interaction_id,
        events,
    };
    polls.into_iter().map(facts).collect()
}

/// Of those looked at, those that are not pushed any more.
fn poll_only(files: &[EventFile]) -> u64 {
    let given_up = |file: &&EventFile| {
        let last = file.attempts.last().map(|attempt| &attempt.verdict);
        file.summary.state == State::Outstanding
            && matches!(last, Some(Verdict::Refused { again_at: None }))
    };
    files.iter().filter(given_up).count() as u64
}

fn reason(reason: &silence::Reason) -> ReasonFacts {
    ReasonFacts {
        code: reason.code(),
        weight: reason.weight(),
        what: reason.to_string(),
        mend: reason.mend(Reader::Tpp),
    }
}

fn registered(registrations: &Registrations) -> Option<Registered> {
    if let Some(subscription) = &registrations.subscription {
        let wish = &subscription.wish;
        return Some(Registered {
            kind: "event-subscription",
            id: subscription.id.to_string(),
            api: subscription.api.to_string(),
            version: wish.version.to_string(),
            callback_url: wish.callback_url.clone(),
            event_types: wish.event_types.clone(),
            changed_at: subscription.changed_at.to_string(),
        });
    }
    registrations
        .callback_url
        .as_ref()
        .map(|callback| Registered {
            kind: "callback-url",
            id: callback.id.to_string(),
            api: callback.api.to_string(),
            version: callback.wish.version.to_string(),
            callback_url: Some(callback.wish.url.clone()),
            event_types: None,
            changed_at: callback.changed_at.to_string(),
        })
}

fn pushes_to(registrations: &Registrations) -> Option<&str> {
    match &registrations.subscription {
        Some(subscription) => subscription.wish.callback_url.as_deref(),
        None => Some(registrations.callback_url.as_ref()?.wish.url.as_str()),
    }
}

fn endpoint(health: &Health) -> Endpoint {
    let (since, reason) = match health {
        Health::Responsive => (None, None),
        Health::Paused { since } => (Some(*since), None),
        Health::Failing { since, reason, .. } | Health::Unresponsive { since, reason, .. } => {
            (Some(*since), Some(reason.to_string()))
        }
    };
    Endpoint {
        health: match health.state() {
            HealthState::Responsive => "responsive",
            HealthState::Failing => "failing",
            HealthState::Unresponsive => "unresponsive",
            HealthState::Paused => "paused",
        }
        .to_owned(),
        since: since.map(|at| at.to_string()),
        next_probe_at: health.next_probe_at().map(|at| at.to_string()),
        reason,
    }
}

const fn counted(counts: Counts) -> Events {
    Events {
        accepted: counts.accepted,
        outstanding: counts.outstanding,
        acknowledged: counts.acknowledged,
        failed: counts.failed,
        expired: counts.expired,
        withdrawn: counts.withdrawn,
    }
}

/// What fits on a page, and is read in some milliseconds.
const LAST: u32 = 10;
