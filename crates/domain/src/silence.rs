//! Why a TPP gets no events, and what mends it (I-03, W-04): a pure function of what the ledger knows.
//!
//! It says all reasons at once, those that stop everything first, each for two readers: the bank's people, who may press
//! something, and the TPP, who may not. An empty list means that everything is as it should be: what is accepted arrives.
//!
//! Absent: looking. Whoever asks brings what it has read; what it did not read is left out and gives no reason.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::{EventType, EventTypes};
use crate::ledger::history::Counts;
use crate::ledger::lanes::Health;
use crate::registration::Registrations;
use crate::routing;
use crate::rules::Rules;
use crate::time::Timestamp;
use crate::tpp::{Standing, Tpp};

/// What is known of a TPP that hears nothing.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The rules of the deployment.
    pub rules: &'a Rules,
    /// The TPP.
    pub tpp: &'a Tpp,
    /// What it has registered.
    pub registrations: &'a Registrations,
    /// Its endpoint.
    pub health: &'a Health,
    /// Where its events stand.
    pub counts: Counts,
    /// Outstanding events that are not pushed any more, as far as they were counted.
    pub poll_only: u64,
    /// What it asked for lately.
    pub asked: Asked,
}

/// What a TPP asked for lately, as its listener noted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// The last poll that was answered, as far back as requests are kept.
    pub polled_at: Option<Timestamp>,
    /// The last request that was turned away for coming too soon, if nothing was answered since.
    pub limited_at: Option<Timestamp>,
    /// The last request that was refused otherwise, if nothing was answered since.
    pub refused: Option<Refused>,
}

/// A request that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// When.
    pub at: Timestamp,
    /// How.
    pub status: u16,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The bank does not serve it.
    Disabled {
        /// Since when.
        since: Timestamp,
        /// In the operator's words.
        reason: String,
    },
    /// It has registered nothing, and so hears nothing.
    NothingRegistered,
    /// It has only a callback-url, the bank pushes nothing, and by that alone it may not poll.
    PushIsOff,
    /// What it has registered lets it hear of no type at all.
    NoTypeHeard,
    /// Nothing that it wants was published for it so far.
    NothingPublished,
    /// An operator paused its endpoint.
    Paused {
        /// Since when.
        since: Timestamp,
    },
    /// Its endpoint did not acknowledge, and is given time.
    Failing {
        /// Since when.
        since: Timestamp,
        /// When it is tried next.
        next_probe_at: Timestamp,
        /// What went wrong last.
        reason: String,
    },
    /// Its endpoint did not acknowledge to the end of the retry policy.
    Unresponsive {
        /// Since when.
        since: Timestamp,
        /// When it is tried next, if it is at all.
        next_probe_at: Option<Timestamp>,
        /// What went wrong last.
        reason: String,
    },
    /// Events wait for polls, and nobody polls.
    NobodyPolls {
        /// How many wait.
        outstanding: u64,
    },
    /// Its requests come too fast.
    RateLimited {
        /// The last that was turned away.
        at: Timestamp,
    },
    /// Its requests are refused.
    RequestsRefused(Refused),
    /// Its endpoint refused some events to the end of the retry policy: they wait for polls.
    PollOnly {
        /// How many.
        events: u64,
    },
    /// It reported errors against some events, and they were set aside.
    SetAside {
        /// How many.
        events: u64,
    },
    /// Its subscription leaves types out that the bank tells others of.
    TypesNotSubscribed {
        /// Which.
        types: Vec<EventType>,
    },
}

/// How much a reason keeps from a TPP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Nothing arrives.
    All,
    /// What would be pushed does not arrive, or waits for polls.
    Pushes,
    /// Some events do not arrive.
    Some,
}

/// Who reads what mends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The bank's people.
    Bank,
    /// The TPP's people.
    Tpp,
}

/// All reasons, the heaviest first.
pub fn reasons(known: &Known<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if let Standing::Disabled { at, reason } = &known.tpp.standing {
        reasons.push(Reason::Disabled {
            since: *at,
            reason: reason.clone(),
        });
    }
    registered(known, &mut reasons);
    pushed(known, &mut reasons);
    polled(known, &mut reasons);
    let events = known.counts.failed;
    if events > 0 {
        reasons.push(Reason::SetAside { events });
    }
    if known.counts.accepted == 0 && reasons.iter().all(|it| it.weight() != Weight::All) {
        reasons.push(Reason::NothingPublished);
    }
    reasons.sort_by_key(Reason::weight);
    reasons
}

/// What follows from registrations alone.
fn registered(known: &Known<'_>, reasons: &mut Vec<Reason>) {
    let (rules, registrations) = (known.rules, known.registrations);
    let may_poll = routing::may_poll(rules, registrations).is_ok();
    let has_any = registrations.subscription.is_some() || registrations.callback_url.is_some();
    if !has_any && !may_poll {
        reasons.push(Reason::NothingRegistered);
        return;
    }
    if !may_poll && routing::push_address(rules, registrations).is_none() {
        reasons.push(Reason::PushIsOff);
    }
    let is_heard = |urn: &EventType| {
        let alone = EventTypes([urn.clone()].into());
        routing::outlives(rules, registrations, &alone).is_ok()
    };
    let urns = rules.catalogue.types().iter().map(|each| &each.urn);
    let (heard, unheard): (Vec<&EventType>, Vec<&EventType>) = urns.partition(|urn| is_heard(urn));
    if heard.is_empty() {
        reasons.push(Reason::NoTypeHeard);
    } else if !unheard.is_empty() {
        let types = unheard.into_iter().cloned().collect();
        reasons.push(Reason::TypesNotSubscribed { types });
    }
}

/// What keeps pushes back.
fn pushed(known: &Known<'_>, reasons: &mut Vec<Reason>) {
    if routing::push_address(known.rules, known.registrations).is_none() {
        return;
    }
    match known.health {
        Health::Responsive => {}
        Health::Paused { since } => reasons.push(Reason::Paused { since: *since }),
        Health::Failing {
            since,
            next_probe_at,
            reason,
            ..
        } => reasons.push(Reason::Failing {
            since: *since,
            next_probe_at: *next_probe_at,
            reason: reason.to_string(),
        }),
        Health::Unresponsive {
            since,
            next_probe_at,
            reason,
            ..
        } => reasons.push(Reason::Unresponsive {
            since: *since,
            next_probe_at: *next_probe_at,
            reason: reason.to_string(),
        }),
    }
    if known.poll_only > 0 {
        let events = known.poll_only;
        reasons.push(Reason::PollOnly { events });
    }
}

/// What keeps polls from bringing events.
fn polled(known: &Known<'_>, reasons: &mut Vec<Reason>) {
    let asked = known.asked;
    if let Some(at) = asked.limited_at {
        reasons.push(Reason::RateLimited { at });
    }
    if let Some(refused) = asked.refused {
        reasons.push(Reason::RequestsRefused(refused));
    }
    let (rules, registrations) = (known.rules, known.registrations);
    let by_polls_alone = routing::push_address(rules, registrations).is_none()
        && routing::may_poll(rules, registrations).is_ok();
    let outstanding = known.counts.outstanding;
    if by_polls_alone && outstanding > 0 && asked.polled_at.is_none() {
        reasons.push(Reason::NobodyPolls { outstanding });
    }
}

impl Reason {
    /// Its name, for machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Disabled { .. } => "disabled",
            Self::NothingRegistered => "nothing_registered",
            Self::PushIsOff => "push_is_off",
            Self::NoTypeHeard => "no_type_heard",
            Self::NothingPublished => "nothing_published",
            Self::Paused { .. } => "paused",
            Self::Failing { .. } => "failing",
            Self::Unresponsive { .. } => "unresponsive",
            Self::NobodyPolls { .. } => "nobody_polls",
            Self::RateLimited { .. } => "rate_limited",
            Self::RequestsRefused(_) => "requests_refused",
            Self::PollOnly { .. } => "poll_only",
            Self::SetAside { .. } => "set_aside",
            Self::TypesNotSubscribed { .. } => "types_not_subscribed",
        }
    }

    /// How much it keeps from the TPP.
    pub const fn weight(&self) -> Weight {
        match self {
            Self::Disabled { .. }
            | Self::NothingRegistered
            | Self::PushIsOff
            | Self::NoTypeHeard
            | Self::NothingPublished
            | Self::NobodyPolls { .. } => Weight::All,
            Self::Paused { .. } | Self::Failing { .. } | Self::Unresponsive { .. } => {
                Weight::Pushes
            }
            Self::RateLimited { .. }
            | Self::RequestsRefused(_)
            | Self::PollOnly { .. }
            | Self::SetAside { .. }
            | Self::TypesNotSubscribed { .. } => Weight::Some,
        }
    }

    /// What to do about it.
    pub const fn mend(&self, reader: Reader) -> &'static str {
        match reader {
            Reader::Bank => self.mend_by_bank(),
            Reader::Tpp => self.mend_by_tpp(),
        }
    }

    const fn mend_by_bank(&self) -> &'static str {
        match self {
            Self::Disabled { .. } => "enable the TPP, if the reason is gone",
            Self::NothingRegistered => "the TPP has to register an event-subscription",
            Self::PushIsOff => {
                "switch push on, let a callback-url alone poll, or ask the TPP for an event-subscription"
            }
            Self::NoTypeHeard | Self::TypesNotSubscribed { .. } => {
                "the TPP has to change the types or the Version of its event-subscription"
            }
            Self::NothingPublished => {
                "look at what publishers were answered: whether anything is published for this client_id, and of which type"
            }
            Self::Paused { .. } => "resume the endpoint",
            Self::Failing { .. } => {
                "nothing: it is tried again by itself; resume the endpoint to try at once"
            }
            Self::Unresponsive { .. } => {
                "the TPP has to mend its endpoint; then resume it, or let the TPP send its registration again"
            }
            Self::NobodyPolls { .. } => "the TPP has to poll, or to register an address to push to",
            Self::RateLimited { .. } => {
                "the TPP has to slow down as Retry-After says, or raise its requests per second"
            }
            Self::RequestsRefused(_) => {
                "look at the TPP's last requests, and at the log by their interaction id"
            }
            Self::PollOnly { .. } => "push them again, once the TPP accepts them, or let it poll",
            Self::SetAside { .. } => {
                "look at what the TPP reported against them; queue them again when the cause is mended"
            }
        }
    }

    const fn mend_by_tpp(&self) -> &'static str {
        match self {
            Self::Disabled { .. } => "ask the bank",
            Self::NothingRegistered => "register an event-subscription",
            Self::PushIsOff => "register an event-subscription, and poll: this bank does not push",
            Self::NoTypeHeard | Self::TypesNotSubscribed { .. } => {
                "change the types or the Version of the event-subscription, if you want to hear of them"
            }
            Self::NothingPublished => "nothing: there was nothing to tell so far",
            Self::Paused { .. } => "poll meanwhile; ask the bank to resume",
            Self::Failing { .. } => {
                "nothing, if the endpoint works again: it is tried again by itself"
            }
            Self::Unresponsive { .. } => {
                "mend the endpoint, then send the registration again by PUT; events can be polled meanwhile"
            }
            Self::NobodyPolls { .. } => "poll, or register an address to push to",
            Self::RateLimited { .. } => "slow down as Retry-After says",
            Self::RequestsRefused(_) => "see the code in the body of the answer",
            Self::PollOnly { .. } => "poll them: the endpoint refused them too often",
            Self::SetAside { .. } => {
                "acknowledge them by a poll if they were accepted after all; else ask the bank to queue them again"
            }
        }
    }
}

/// What is the matter, as a sentence without its full stop.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled { since, reason } => {
                write!(f, "it has not been served since {since}: {reason}")
            }
            Self::NothingRegistered => {
                f.write_str("it has registered neither an event-subscription nor a callback-url")
            }
            Self::PushIsOff => f.write_str(
                "it has registered a callback-url alone, and nothing is pushed by this bank",
            ),
            Self::NoTypeHeard => {
                f.write_str("its event-subscription wants no type that this bank tells of")
            }
            Self::NothingPublished => {
                f.write_str("nothing that it wants was published for it so far")
            }
            Self::Paused { since } => write!(f, "its endpoint was paused at {since}"),
            Self::Failing {
                since,
                next_probe_at,
                reason,
            } => write!(
                f,
                "its endpoint has been failing since {since} ({reason}); it is tried again at {next_probe_at}"
            ),
            Self::Unresponsive { since, reason, .. } => {
                write!(
                    f,
                    "its endpoint has been failing since {since} ({reason}), and was given up"
                )
            }
            Self::NobodyPolls { outstanding } => {
                write!(
                    f,
                    "{outstanding} events wait to be polled, and nobody polls"
                )
            }
            Self::RateLimited { at } => {
                write!(
                    f,
                    "its requests come too fast: the last was turned away at {at}"
                )
            }
            Self::RequestsRefused(Refused { at, status }) => {
                write!(f, "its last request was refused with {status} at {at}")
            }
            Self::PollOnly { events } => write!(
                f,
                "its endpoint refused {events} events to the end of the retry policy: they wait to be polled"
            ),
            Self::SetAside { events } => {
                write!(
                    f,
                    "{events} events were set aside, since it reported errors against them"
                )
            }
            Self::TypesNotSubscribed { types } => {
                write!(
                    f,
                    "its registration leaves out {} types of event",
                    types.len()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
