//! TPPs: who is known, whether it is served, and whether it hears anything (I-04, A-09).

use axum::body::Body;
use axum::http::StatusCode;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::history::Counts;
use oyez_domain::tpp::Standing;
use serde_json::{Value, json};

use super::api::{Api, Call, NO_TPP};
use super::input;
use super::leaving::Answer;
use super::problem::Problem;
use super::{endpoints, profiles, registrations};

impl Api {
    /// `POST /v1/tpps`.
    pub(super) async fn register_tpp(&self, call: &Call, body: Body) -> Result<Answer, Problem> {
        let rules = &self.bank.rules;
        let read = input::object(body, &call.head.headers, |members, faults| {
            members.only(&profiles::MEMBERS, faults);
            let client_id = members
                .required("client_id", faults)
                .and_then(|place| profiles::client_id(&place, faults));
            let profile = profiles::read(rules, members, faults);
            Some((client_id?, profile?))
        });
        let (client_id, profile) = read.await?;
        let store = &self.bank.store;
        let registered = store.register_tpp(call.actor.clone(), client_id, profile, call.now);
        let tpp = registered.await?;
        let tpp = tpp.ok_or(Problem::Conflict("this client_id is taken"))?;
        let whole = Value::Object(profiles::render(&tpp));
        Ok(Answer::json(StatusCode::CREATED, whole.to_string()))
    }

    /// `PUT /v1/tpps/{client_id}`.
    pub(super) async fn change_tpp(&self, call: &Call, body: Body) -> Result<Answer, Problem> {
        let client_id = call.client_id()?;
        let rules = &self.bank.rules;
        let read = input::object(body, &call.head.headers, |members, faults| {
            members.only(&profiles::MEMBERS, faults);
            if let Some(place) = members.optional("client_id") {
                let said = profiles::client_id(&place, faults);
                if said.is_some_and(|said| said != client_id) {
                    faults.invalid(&place.path, "the path names another; a client_id stays");
                }
            }
            profiles::read(rules, members, faults)
        });
        let profile = read.await?;
        let store = &self.bank.store;
        let changed = store.change_tpp(call.actor.clone(), client_id, profile, call.now);
        let tpp = changed.await?.ok_or(NO_TPP)?;
        Ok(Answer::ok(&Value::Object(profiles::render(&tpp))))
    }

    /// `POST /v1/tpps/{client_id}/disable`.
    pub(super) async fn disable_tpp(&self, call: &Call, body: Body) -> Result<Answer, Problem> {
        let read = input::object(body, &call.head.headers, |members, faults| {
            members.only(&["reason"], faults);
            let place = members.required("reason", faults)?;
            Some(place.text(1..=REASON_CHARS_MAX, faults)?.to_owned())
        });
        let standing = Standing::Disabled {
            at: call.now,
            reason: read.await?,
        };
        self.set_standing(call, standing).await
    }

    /// `POST /v1/tpps/{client_id}/enable`.
    pub(super) async fn enable_tpp(&self, call: &Call) -> Result<Answer, Problem> {
        self.set_standing(call, Standing::Active).await
    }

    async fn set_standing(&self, call: &Call, standing: Standing) -> Result<Answer, Problem> {
        let client_id = call.client_id()?;
        let store = &self.bank.store;
        let changed = store.set_standing(call.actor.clone(), client_id, standing, call.now);
        let tpp = changed.await?.ok_or(NO_TPP)?;
        Ok(Answer::ok(&Value::Object(profiles::render(&tpp))))
    }

    /// `GET /v1/tpps`.
    pub(super) async fn list_tpps(&self, call: &Call) -> Result<Answer, Problem> {
        let mut query = call.query();
        let after: Option<ClientId> = query.optional("cursor");
        let rows_max = query.rows_max();
        let (after, rows_max) = query.checked((after, rows_max))?;
        let page = self.bank.store.list_tpps(after, rows_max).await?;
        let tpps: Vec<_> = page.rows.iter().map(profiles::render).collect();
        Ok(Answer::ok(&json!({"tpps": tpps, "next": page.next})))
    }

    /// `GET /v1/tpps/{client_id}`.
    pub(super) async fn read_tpp(&self, call: &Call) -> Result<Answer, Problem> {
        let tpp = self.tpp(call).await?;
        let store = &self.bank.store;
        let registered = store.registrations(tpp.client_id.clone()).await?;
        let counts = store.counts(tpp.client_id.clone()).await?;
        let mut whole = profiles::render(&tpp);
        whole.insert("counts".to_owned(), render_counts(counts));
        let health = self.health_of(&tpp.client_id).await?;
        let ways = endpoints::ways(&self.bank.rules, &tpp, &registered, &health);
        whole.insert("delivery".to_owned(), ways);
        let registered = registrations::render(&registered);
        whole.insert("registrations".to_owned(), registered);
        Ok(Answer::ok(&Value::Object(whole)))
    }

    /// `GET /v1/tpps/{client_id}/counts`.
    pub(super) async fn read_counts(&self, call: &Call) -> Result<Answer, Problem> {
        let tpp = self.tpp(call).await?;
        let counts = self.bank.store.counts(tpp.client_id).await?;
        Ok(Answer::ok(&render_counts(counts)))
    }
}

pub(super) fn render_counts(counts: Counts) -> Value {
    json!({
        "accepted": counts.accepted,
        "outstanding": counts.outstanding,
        "acknowledged": counts.acknowledged,
        "failed": counts.failed,
        "expired": counts.expired,
        "withdrawn": counts.withdrawn,
    })
}

/// A sentence or two; it stands in the audit trail.
const REASON_CHARS_MAX: usize = 500;
