//! Changing what a TPP has registered (S-02, S-05, S-06, S-12, C-07a, C-08).

use super::{Contradiction, Ledger, Note, json};
use crate::actor::Actor;
use crate::ids::{ClientId, RegistrationId};
use crate::ledger::registering::{Effect, Kind, Refusal, Target, Wish};
use crate::life::Occurrence;
use crate::registration::{CallbackUrl, Registrations, Subscription};
use crate::routing;
use crate::time::Timestamp;
use crate::tpp::Standing;
use crate::version::ApiVersion;

/// What was done to a registration, as far as outstanding events care.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Created,
    Replaced,
    Deleted,
    Removed,
}

impl Change {
    const fn action(self) -> &'static str {
        match self {
            Self::Created => "registration.created",
            Self::Replaced => "registration.replaced",
            Self::Deleted => "registration.deleted",
            Self::Removed => "registration.removed",
        }
    }
}

impl Ledger {
    /// Registers.
    pub fn create_registration(
        &mut self,
        client_id: &ClientId,
        id: RegistrationId,
        wish: Wish,
        api: ApiVersion,
        now: Timestamp,
    ) -> Result<Result<Registrations, Refusal>, Contradiction> {
        if self.served(client_id).is_none() {
            return Ok(Err(Refusal::NotServed));
        }
        let mut after = self.registrations(client_id);
        if named(&after, kind_of(&wish)).is_some() {
            return Ok(Err(Refusal::AlreadyExists));
        }
        if self.holder_of(kind_of(&wish), &id).is_some() {
            return Err(Contradiction(format!(
                "the registration id {id} was given before"
            )));
        }
        put(&mut after, wish, id, api, (now, now));
        self.change(
            &Actor::Tpp(client_id.clone()),
            client_id,
            &after,
            Change::Created,
            now,
        );
        Ok(Ok(after))
    }

    /// Replaces a registration whole and resumes a TPP's pushes.
    pub fn replace_registration(
        &mut self,
        client_id: &ClientId,
        target: &Target,
        wish: Wish,
        now: Timestamp,
    ) -> Result<(Registrations, Effect), Refusal> {
        let (api, created_at) = self.find(client_id, target)?;
        let mut after = self.registrations(client_id);
        put(
            &mut after,
            wish,
            target.id.clone(),
            api.max(target.api),
            (created_at, now),
        );
        let actor = Actor::Tpp(client_id.clone());
        let effect = self.change(&actor, client_id, &after, Change::Replaced, now);
        Ok((after, effect))
    }

    /// Removes a registration and withdraws what only it wanted.
    pub fn delete_registration(
        &mut self,
        client_id: &ClientId,
        target: &Target,
        now: Timestamp,
    ) -> Result<Effect, Refusal> {
        self.find(client_id, target)?;
        let after = without(self.registrations(client_id), target.kind);
        Ok(self.change(
            &Actor::Tpp(client_id.clone()),
            client_id,
            &after,
            Change::Deleted,
            now,
        ))
    }

    /// As [`Ledger::delete_registration`], by an operator, whatever its version.
    pub fn remove_registration(
        &mut self,
        actor: &Actor,
        client_id: &ClientId,
        kind: Kind,
        now: Timestamp,
    ) -> Result<Effect, Refusal> {
        if !self.tpps.contains_key(client_id) {
            return Err(Refusal::NotServed);
        }
        let before = self.registrations(client_id);
        if named(&before, kind).is_none() {
            return Err(Refusal::NotFound);
        }
        Ok(self.change(
            actor,
            client_id,
            &without(before, kind),
            Change::Removed,
            now,
        ))
    }

    fn served(&self, client_id: &ClientId) -> Option<()> {
        let row = self.tpps.get(client_id)?;
        (row.tpp.standing == Standing::Active).then_some(())
    }

    fn holder_of(&self, kind: Kind, id: &RegistrationId) -> Option<&ClientId> {
        let mut rows = self.tpps.iter();
        rows.find(|(_, row)| named(&row.registrations, kind).is_some_and(|found| found.0 == id))
            .map(|(client_id, _)| client_id)
    }

    /// The api and the creation of the registration that a TPP names, if the path's version may see it (S-06).
    fn find(
        &self,
        client_id: &ClientId,
        target: &Target,
    ) -> Result<(ApiVersion, Timestamp), Refusal> {
        self.served(client_id).ok_or(Refusal::NotServed)?;
        match self.holder_of(target.kind, &target.id) {
            Some(holder) if holder == client_id => {
                let (_, api, created_at) = named(&self.tpps[client_id].registrations, target.kind)
                    .ok_or(Refusal::NotFound)?;
                if target.api < api {
                    Err(Refusal::NotFound)
                } else {
                    Ok((api, created_at))
                }
            }
            Some(_) => Err(Refusal::AnotherTpps),
            None => Err(Refusal::NotFound),
        }
    }

    fn change(
        &mut self,
        actor: &Actor,
        client_id: &ClientId,
        after: &Registrations,
        change: Change,
        now: Timestamp,
    ) -> Effect {
        let row = self.tpps.get_mut(client_id).expect("the caller found it");
        let before = std::mem::replace(&mut row.registrations, after.clone());
        row.revision += 1;
        let (was, is) = (json(&before), json(after));
        let note = Note {
            actor: actor.clone(),
            action: change.action(),
            client_id: Some(client_id),
            before: was,
            after: is,
        };
        self.note(note, now);
        let withdrawn = self.withdraw_unwanted(actor, client_id, after, now);
        self.follow_address(client_id, &before, after, change, now);
        self.news_of(client_id).polls = true;
        Effect { withdrawn }
    }

    fn withdraw_unwanted(
        &mut self,
        actor: &Actor,
        client_id: &ClientId,
        after: &Registrations,
        now: Timestamp,
    ) -> u64 {
        let mut withdrawn = 0;
        for jti in self.outstanding_of(client_id) {
            if let Err(reason) =
                routing::outlives(&self.rules, after, &self.events[&jti].notice.types())
            {
                self.settle(jti, Occurrence::Withdrawn(reason), actor.clone(), now);
                withdrawn += 1;
            }
        }
        withdrawn
    }

    /// Outstanding events follow the new address at their next attempt (S-12); a PUT ends backoffs and poll only (D-07). An
    /// outage is one endpoint's: it ends with a PUT, and with the address (D-06). Events keep their turns while there is no
    /// address.
    fn follow_address(
        &mut self,
        client_id: &ClientId,
        before: &Registrations,
        after: &Registrations,
        change: Change,
        now: Timestamp,
    ) {
        let old = routing::push_address(&self.rules, before);
        let new = routing::push_address(&self.rules, after);
        let is_fresh = change == Change::Replaced || old != new;
        let (had_address, has_address) = (old.is_some(), new.is_some());
        if has_address && (change == Change::Replaced || !had_address) {
            self.begin_anew(client_id, now);
        }
        self.free_lane(client_id);
        if is_fresh {
            self.mend_lane(client_id, now);
        }
        if is_fresh {
            self.news_if_pushable(client_id, now);
        }
    }
}

const fn kind_of(wish: &Wish) -> Kind {
    match wish {
        Wish::Subscription(_) => Kind::Subscription,
        Wish::CallbackUrl(_) => Kind::CallbackUrl,
    }
}

/// Id, api and creation of the registration of this kind.
fn named(
    registrations: &Registrations,
    kind: Kind,
) -> Option<(&RegistrationId, ApiVersion, Timestamp)> {
    match kind {
        Kind::Subscription => registrations
            .subscription
            .as_ref()
            .map(|found| (&found.id, found.api, found.created_at)),
        Kind::CallbackUrl => registrations
            .callback_url
            .as_ref()
            .map(|found| (&found.id, found.api, found.created_at)),
    }
}

fn put(
    registrations: &mut Registrations,
    wish: Wish,
    id: RegistrationId,
    api: ApiVersion,
    (created_at, changed_at): (Timestamp, Timestamp),
) {
    match wish {
        Wish::Subscription(wish) => {
            registrations.subscription = Some(Subscription {
                id,
                wish,
                api,
                created_at,
                changed_at,
            });
        }
        Wish::CallbackUrl(wish) => {
            registrations.callback_url = Some(CallbackUrl {
                id,
                wish,
                api,
                created_at,
                changed_at,
            });
        }
    }
}

fn without(mut registrations: Registrations, kind: Kind) -> Registrations {
    match kind {
        Kind::Subscription => registrations.subscription = None,
        Kind::CallbackUrl => registrations.callback_url = None,
    }
    registrations
}
