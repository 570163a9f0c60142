//! Who hears of what, and by which means: pure functions of the rules, a TPP's registrations and a notice.
//!
//! The ledger asks them under the TPP's lock. They say nothing of time, endpoint health or standing.

use crate::catalogue::Role;
use crate::event::{EventType, EventTypes, Happening, Notice};
use crate::ledger::poll::NothingToPoll;
use crate::life::Withdrawn;
use crate::registration::{Registrations, SubscriptionWish};
use crate::rules::Rules;
use crate::versions::EventLimit;

/// Where a notice goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// It is to be delivered.
    Deliver(Means),
    /// The TPP has registered nothing that could carry it.
    NoSubscription,
    /// Its registration wants none of the types, or nothing of resources of this version.
    NotSubscribed,
}

/// How it gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// Pushed, and offered to polls until acknowledged (S-11).
    PushAndPoll,
    /// Offered to polls (S-11).
    PollOnly,
    /// Pushed; the TPP may not poll (P-10).
    PushOnly,
}

/// Where a notice goes for a TPP with these registrations (S-06, S-09 … S-12, C-07, C-08, P-10).
pub fn route(rules: &Rules, registrations: &Registrations, notice: &Notice) -> Route {
    let push = push_address(rules, registrations).is_some();
    let poll = may_poll(rules, registrations).is_ok();
    let means = match (push, poll) {
        (true, true) => Means::PushAndPoll,
        (true, false) => Means::PushOnly,
        (false, true) => Means::PollOnly,
        (false, false) => return Route::NoSubscription,
    };
    let version = match (&registrations.subscription, &registrations.callback_url) {
        (Some(subscription), _) => Some(subscription.wish.version),
        (None, callback_url) => callback_url.as_ref().map(|one| one.wish.version),
    };
    // A publisher that does not say in which version the resource was made must not keep it from anybody.
    let created_in = notice.resource.version;
    let covered = version.zip(created_in).is_none_or(|(version, created_in)| {
        let created_in = rules.versions.created_in(Some(created_in));
        rules.versions.covers(version, created_in)
    });
    let types = notice.happenings.iter().map(|each| &each.event_type);
    if covered && wants_any(rules, registrations, types) {
        Route::Deliver(means)
    } else {
        Route::NotSubscribed
    }
}

/// The notice with only what these registrations want (T-09), each revocation under the name they know (T-02). `None` if
/// nothing is left.
pub fn tailored(rules: &Rules, registrations: &Registrations, notice: &Notice) -> Option<Notice> {
    let wants = Wants::of(rules, registrations)?;
    let mut happenings: Vec<Happening> = notice
        .happenings
        .iter()
        .filter_map(|happening| {
            let event_type = wants.name_for(rules, &happening.event_type)?.clone();
            Some(Happening {
                event_type,
                ..happening.clone()
            })
        })
        .collect();
    if happenings.is_empty() {
        return None;
    }
    keep_subject(rules, notice, &mut happenings);
    Some(Notice {
        happenings,
        ..notice.clone()
    })
}

/// Whether an outstanding event is still wanted after a change of registration, judged by its types alone (S-05, S-12,
/// C-07a).
pub fn outlives(rules: &Rules, after: &Registrations, types: &EventTypes) -> Result<(), Withdrawn> {
    if wants_any(rules, after, &types.0) {
        Ok(())
    } else if after.subscription.is_some() {
        Err(Withdrawn::TypeNoLongerWanted)
    } else {
        Err(Withdrawn::RegistrationDeleted)
    }
}

/// Where to push: the subscription's CallbackUrl, else the callback-url's if there is no subscription (S-11, C-08). Nowhere
/// while push is switched off, though addresses registered before are kept (G-13).
pub fn push_address<'r>(rules: &Rules, registrations: &'r Registrations) -> Option<&'r str> {
    if !rules.switches.push {
        return None;
    }
    match (&registrations.subscription, &registrations.callback_url) {
        (Some(subscription), _) => subscription.wish.callback_url.as_deref(),
        (None, Some(callback_url)) => Some(&callback_url.wish.url),
        (None, None) => None,
    }
}

/// Whether a TPP gets anything by polling (P-10).
pub fn may_poll(rules: &Rules, registrations: &Registrations) -> Result<(), NothingToPoll> {
    let switches = &rules.switches;
    let may = registrations.subscription.is_some()
        || !switches.polling_requires_subscription
        || (registrations.callback_url.is_some() && switches.polling_with_callback_url);
    if may {
        Ok(())
    } else {
        Err(NothingToPoll::NoSubscription)
    }
}

/// Which types a TPP wants.
enum Wants<'a> {
    /// Whatever there is: it has registered nothing, and the bank lets it poll (P-10).
    Everything,
    /// Only resource-update (C-07).
    ResourceUpdate,
    /// What its subscription says (S-09, S-10).
    Subscribed(&'a SubscriptionWish),
}

impl<'a> Wants<'a> {
    /// `None`: it has registered nothing, and so hears nothing.
    fn of(rules: &Rules, registrations: &'a Registrations) -> Option<Self> {
        match (&registrations.subscription, &registrations.callback_url) {
            (Some(subscription), _) => Some(Self::Subscribed(&subscription.wish)),
            (None, Some(_)) => Some(Self::ResourceUpdate),
            (None, None) if rules.switches.polling_requires_subscription => None,
            (None, None) => Some(Self::Everything),
        }
    }

    /// The name under which an event goes out: as published if the TPP wants that, else its twin's, else not at all (T-02).
    fn name_for<'n>(&self, rules: &'n Rules, published: &'n EventType) -> Option<&'n EventType> {
        if self.includes(rules, published) {
            return Some(published);
        }
        let twin = rules.catalogue.by_urn(published)?.twin.as_ref()?;
        self.includes(rules, twin).then_some(twin)
    }

    fn includes(&self, rules: &Rules, urn: &EventType) -> bool {
        match self {
            Self::Everything => true,
            Self::ResourceUpdate => rules.catalogue.role(urn) == Role::ResourceUpdate,
            Self::Subscribed(wish) => subscribed(rules, wish, urn),
        }
    }
}

/// Whether [`tailored`] would leave anything, without making it.
fn wants_any<'n>(
    rules: &'n Rules,
    registrations: &Registrations,
    types: impl IntoIterator<Item = &'n EventType>,
) -> bool {
    Wants::of(rules, registrations).is_some_and(|wants| {
        let mut types = types.into_iter();
        types.any(|each| wants.name_for(rules, each).is_some())
    })
}

/// Whether a subscription wants this very name: its release can hear of it, and it was asked for, or nothing was asked for
/// and the release knows it.
fn subscribed(rules: &Rules, wish: &SubscriptionWish, urn: &EventType) -> bool {
    let release = rules
        .versions
        .release(wish.version)
        .map(|(_, release)| release);
    if let Some(EventLimit::Only(only)) = release.map(|release| &release.events)
        && !only.contains(urn)
    {
        return false;
    }
    let Some(found) = rules.catalogue.by_urn(urn) else {
        return false;
    };
    let asked = wish.event_types.as_deref().unwrap_or_default();
    if asked.is_empty() {
        release
            .map_or(wish.version, |release| release.version)
            .knows(found.since)
    } else {
        asked.iter().any(|name| found.is_called(name))
    }
}

/// A revocation borrows its subject from the resource-update beside it; when that goes, the subject moves (T-09, T-05).
fn keep_subject(rules: &Rules, notice: &Notice, left: &mut [Happening]) {
    let is_update =
        |happening: &Happening| rules.catalogue.role(&happening.event_type) == Role::ResourceUpdate;
    if left.iter().any(is_update) {
        return;
    }
    let lost = notice
        .happenings
        .iter()
        .find(|happening| is_update(happening));
    let Some(subject) = lost.and_then(|update| update.subject.clone()) else {
        return;
    };
    for happening in left {
        if rules.catalogue.role(&happening.event_type) == Role::Revocation {
            happening.subject.get_or_insert_with(|| subject.clone());
        }
    }
}

#[cfg(test)]
mod tests;
