//! event-subscriptions and callback-urls (S, C): one way for both. The body is read into a wish by the domain, the ledger
//! decides under the TPP's lock, and what it kept is what is answered.

use oyez_domain::fault::{Code, Fault};
use oyez_domain::ids::RegistrationId;
use oyez_domain::ledger::registering::{Kind, Refusal as Refused, Target, Wish};
use oyez_domain::registration::request::{self, Action, Call};
use oyez_domain::registration::{Registrations, response};
use oyez_domain::versions::Row;

use super::answer::Answer;
use super::api::Api;
use super::caller::Caller;
use super::refusal::{Forbidden, Refusal};

/// One call that changes a registration.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    /// Of the path's version.
    pub(super) row: &'a Row,
    /// Who calls.
    pub(super) caller: &'a Caller,
    /// With the id as its last segment, where there is one.
    pub(super) path: &'a str,
    /// Exactly as it came.
    pub(super) body: &'a [u8],
}

impl Api {
    pub(super) async fn list(
        &self,
        kind: Kind,
        row: &Row,
        caller: &Caller,
    ) -> Result<Answer, Refusal> {
        let client_id = caller.tpp.client_id.clone();
        let all = self.bank.store.registrations(client_id).await?;
        let base_url = &self.bank.identity.base_url;
        let body = match kind {
            Kind::Subscription => {
                response::subscriptions(row, base_url, all.subscription_seen_from(row.api))
            }
            Kind::CallbackUrl => {
                response::callback_urls(row, base_url, all.callback_url_seen_from(row.api))
            }
        };
        Ok(Answer::new(row.successes.read, body))
    }

    pub(super) async fn create(&self, kind: Kind, change: Change<'_>) -> Result<Answer, Refusal> {
        let wish = self.wish(kind, change, Action::Create).await?;
        let client_id = &change.caller.tpp.client_id;
        let id = RegistrationId::new(self.bank.random.interaction_id().as_str())
            .expect("a UUID has 36 characters");
        let now = self.bank.clock.now();
        let creating =
            self.bank
                .store
                .create_registration(client_id.clone(), id, wish, change.row.api, now);
        let kept = creating.await?.map_err(refused)?;
        self.kept(kind, change, &kept, change.row.successes.created)
    }

    pub(super) async fn replace(&self, kind: Kind, change: Change<'_>) -> Result<Answer, Refusal> {
        let id = last_segment(change.path);
        let wish = self.wish(kind, change, Action::Replace(id)).await?;
        let target = Target {
            kind,
            id: registration_id(id)?,
            api: change.row.api,
        };
        let client_id = &change.caller.tpp.client_id;
        let now = self.bank.clock.now();
        let replacing = self
            .bank
            .store
            .replace_registration(client_id.clone(), target, wish, now);
        let (kept, _) = replacing.await?.map_err(refused)?;
        self.kept(kind, change, &kept, change.row.successes.replaced)
    }

    pub(super) async fn delete(&self, kind: Kind, change: Change<'_>) -> Result<Answer, Refusal> {
        let target = Target {
            kind,
            id: registration_id(last_segment(change.path))?,
            api: change.row.api,
        };
        let client_id = &change.caller.tpp.client_id;
        let now = self.bank.clock.now();
        let deleting = self
            .bank
            .store
            .delete_registration(client_id.clone(), target, now);
        deleting.await?.map_err(refused)?;
        Ok(Answer::new(change.row.successes.deleted, ""))
    }

    /// What the body asks for, once everything about it is right.
    async fn wish(
        &self,
        kind: Kind,
        change: Change<'_>,
        action: Action<'_>,
    ) -> Result<Wish, Refusal> {
        let call = Call {
            rules: &self.bank.rules,
            row: change.row,
            action,
            catalogue_url: &self.catalogue_url,
        };
        let wish = match kind {
            Kind::Subscription => request::subscription(call, change.body).map(Wish::Subscription),
            Kind::CallbackUrl => request::callback_url(call, change.body).map(Wish::CallbackUrl),
        };
        let wish = wish.map_err(Refusal::Faulty)?;
        let (url, path) = match &wish {
            Wish::Subscription(wish) => (wish.callback_url.as_deref(), "Data.CallbackUrl"),
            Wish::CallbackUrl(wish) => (Some(wish.url.as_str()), "Data.Url"),
        };
        match url {
            Some(url) if !self.may_be_called(url).await => Err(Refusal::fault(
                Fault::new(Code::FieldInvalid, "its address is not public").at(path),
            )),
            Some(_) | None => Ok(wish),
        }
    }

    /// The answer to POST and PUT.
    fn kept(
        &self,
        kind: Kind,
        change: Change<'_>,
        kept: &Registrations,
        status: u16,
    ) -> Result<Answer, Refusal> {
        let base_url = &self.bank.identity.base_url;
        let body = match kind {
            Kind::Subscription => kept
                .subscription
                .as_ref()
                .map(|one| response::subscription(change.row, base_url, one)),
            Kind::CallbackUrl => kept
                .callback_url
                .as_ref()
                .map(|one| response::callback_url(change.row, base_url, one)),
        };
        let gone =
            || Refusal::Broken("the ledger kept a registration and does not show it".to_owned());
        Ok(Answer::new(status, body.ok_or_else(gone)?))
    }
}

/// The id in the path. Ours need no escapes, so a spelling with some is another id.
fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// A text that cannot be an id is the id of nothing.
fn registration_id(text: &str) -> Result<RegistrationId, Refusal> {
    RegistrationId::new(text).map_err(|_| not_found())
}

fn refused(refused: Refused) -> Refusal {
    match refused {
        Refused::AlreadyExists => Refusal::AlreadyExists,
        Refused::NotFound => not_found(),
        Refused::AnotherTpps => Refusal::Forbidden(Forbidden::AnotherTpps),
        // It was served a moment ago.
        Refused::NotServed => Refusal::Forbidden(Forbidden::Disabled),
    }
}

fn not_found() -> Refusal {
    Refusal::fault(Fault::new(
        Code::ResourceNotFound,
        "nothing is registered by this id in this version",
    ))
}
