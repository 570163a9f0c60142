//! What a TPP has registered, read and removed by operators (I-04).

use oyez_domain::ledger::registering::{Kind, Refusal};
use oyez_domain::registration::Registrations;
use serde_json::{Value, json};

use super::api::{Api, Call, NO_TPP};
use super::leaving::Answer;
use super::problem::Problem;

impl Api {
    /// `GET /v1/tpps/{client_id}/registrations`.
    pub(super) async fn read_registrations(&self, call: &Call) -> Result<Answer, Problem> {
        let tpp = self.tpp(call).await?;
        let registered = self.bank.store.registrations(tpp.client_id).await?;
        Ok(Answer::ok(&render(&registered)))
    }

    /// `DELETE /v1/tpps/{client_id}/event-subscription`.
    pub(super) async fn remove_event_subscription(&self, call: &Call) -> Result<Answer, Problem> {
        self.remove(call, Kind::Subscription).await
    }

    /// `DELETE /v1/tpps/{client_id}/callback-url`.
    pub(super) async fn remove_callback_url(&self, call: &Call) -> Result<Answer, Problem> {
        self.remove(call, Kind::CallbackUrl).await
    }

    /// Answers how many events were withdrawn with it.
    async fn remove(&self, call: &Call, kind: Kind) -> Result<Answer, Problem> {
        let client_id = self.tpp(call).await?.client_id;
        let store = &self.bank.store;
        let removed = store.remove_registration(call.actor.clone(), client_id, kind, call.now);
        let effect = removed.await?.map_err(|refusal| match refusal {
            Refusal::NotServed => NO_TPP,
            Refusal::NotFound | Refusal::AnotherTpps | Refusal::AlreadyExists => {
                Problem::NotFound("this TPP has registered nothing of this kind")
            }
        })?;
        Ok(Answer::ok(&json!({"withdrawn": effect.withdrawn})))
    }
}

/// Both registrations; `null` where there is none.
pub(super) fn render(registered: &Registrations) -> Value {
    let subscription = registered.subscription.as_ref().map(|one| {
        json!({
            "id": one.id,
            "callback_url": one.wish.callback_url,
            "version": one.wish.version,
            "event_types": one.wish.event_types,
            "api": one.api,
            "created_at": one.created_at.to_string(),
            "changed_at": one.changed_at.to_string(),
        })
    });
    let callback_url = registered.callback_url.as_ref().map(|one| {
        json!({
            "id": one.id,
            "url": one.wish.url,
            "version": one.wish.version,
            "api": one.api,
            "created_at": one.created_at.to_string(),
            "changed_at": one.changed_at.to_string(),
        })
    });
    json!({"event_subscription": subscription, "callback_url": callback_url})
}
