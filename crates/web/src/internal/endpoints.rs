//! Endpoints: where each TPP is pushed to, how that goes and why it does not, and an operator's pause and resume (D-05, D-06,
//! I-04).
//!
//! An endpoint of which the ledger knows nothing yet is a responsive one: nothing was ever held back from it.

use std::time::Duration;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::{Health, HealthState, LaneFilter, LaneStatus};
use oyez_domain::registration::Registrations;
use oyez_domain::retry::Policy;
use oyez_domain::routing;
use oyez_domain::rules::Rules;
use oyez_domain::time::{Timestamp, span};
use oyez_domain::tpp::{Standing, Tpp};
use serde_json::{Map, Value, json};

use super::api::{Api, Call, NO_TPP};
use super::leaving::Answer;
use super::problem::Problem;

/// All that an endpoint's document is made of.
struct File {
    tpp: Tpp,
    registered: Registrations,
    outstanding: u64,
    health: Health,
}

impl Api {
    /// `GET /v1/endpoints`.
    pub(super) async fn list_endpoints(&self, call: &Call) -> Result<Answer, Problem> {
        let mut query = call.query();
        let filter = LaneFilter {
            state: query.parsed("state", state),
        };
        let after: Option<ClientId> = query.optional("cursor");
        let rows_max = query.rows_max();
        let (filter, after, rows_max) = query.checked((filter, after, rows_max))?;
        let page = self.bank.store.list_lanes(filter, after, rows_max).await?;
        let endpoints: Vec<Value> = page.rows.iter().map(line).collect();
        Ok(Answer::ok(
            &json!({"endpoints": endpoints, "next": page.next}),
        ))
    }

    /// `GET /v1/endpoints/{client_id}`.
    pub(super) async fn read_endpoint(&self, call: &Call) -> Result<Answer, Problem> {
        let file = self.endpoint(call).await?;
        Ok(Answer::ok(&self.render(&file)))
    }

    /// `POST /v1/endpoints/{client_id}/pause`. One that is paused stays so.
    pub(super) async fn pause_endpoint(&self, call: &Call) -> Result<Answer, Problem> {
        let mut file = self.endpoint(call).await?;
        let store = &self.bank.store;
        let id = file.tpp.client_id.clone();
        let paused = store.pause_endpoint(call.actor.clone(), id, call.now);
        if !paused.await? {
            return Err(NO_TPP);
        }
        // As the ledger keeps it. To ask once more could fail, and the answer would deny what was done.
        if file.health.state() != HealthState::Paused {
            file.health = Health::Paused { since: call.now };
        }
        Ok(Answer::ok(&self.render(&file)))
    }

    /// `POST /v1/endpoints/{client_id}/resume`. It ends a pause and an outage alike.
    pub(super) async fn resume_endpoint(&self, call: &Call) -> Result<Answer, Problem> {
        let mut file = self.endpoint(call).await?;
        let store = &self.bank.store;
        let id = file.tpp.client_id.clone();
        let resumed = store.resume_endpoint(call.actor.clone(), id, call.now);
        if !resumed.await? {
            return Err(NO_TPP);
        }
        file.health = Health::Responsive;
        Ok(Answer::ok(&self.render(&file)))
    }

    /// By which ways a TPP gets its events now; `null` for one that is not known.
    pub(super) async fn ways_to(&self, client_id: &ClientId) -> Result<Value, Problem> {
        let store = &self.bank.store;
        let Some(tpp) = store.find_tpp(client_id.clone()).await? else {
            return Ok(Value::Null);
        };
        let registered = store.registrations(client_id.clone()).await?;
        let health = self.health_of(client_id).await?;
        Ok(ways(&self.bank.rules, &tpp, &registered, &health))
    }

    /// What is known of a TPP's endpoint.
    pub(super) async fn health_of(&self, client_id: &ClientId) -> Result<Health, Problem> {
        let lane = self.bank.store.find_lane(client_id.clone()).await?;
        Ok(lane.map(|lane| lane.health).unwrap_or_default())
    }

    /// The endpoint of the TPP that the path names.
    async fn endpoint(&self, call: &Call) -> Result<File, Problem> {
        let tpp = self.tpp(call).await?;
        let store = &self.bank.store;
        let registered = store.registrations(tpp.client_id.clone()).await?;
        let counts = store.counts(tpp.client_id.clone()).await?;
        Ok(File {
            health: self.health_of(&tpp.client_id).await?,
            tpp,
            registered,
            outstanding: counts.outstanding,
        })
    }

    fn render(&self, file: &File) -> Value {
        let mut whole = document(&file.tpp.client_id, &file.health, file.outstanding);
        let pushed_to = routing::push_address(&self.bank.rules, &file.registered);
        whole.insert("pushed_to".to_owned(), json!(pushed_to));
        let own = file.tpp.profile.overrides.retry;
        let retry = match own {
            Some(own) => policy(&own, "tpp"),
            None => policy(&self.retry, "deployment"),
        };
        whole.insert("retry".to_owned(), retry);
        Value::Object(whole)
    }
}

/// By which ways a TPP gets its events, and where it gets none, why.
pub(super) fn ways(rules: &Rules, tpp: &Tpp, registered: &Registrations, health: &Health) -> Value {
    let push_address = routing::push_address(rules, registered);
    let may_poll = routing::may_poll(rules, registered).is_ok();
    let has_any = registered.subscription.is_some() || registered.callback_url.is_some();
    let silenced_by = [
        (
            matches!(tpp.standing, Standing::Disabled { .. }),
            "an operator disabled this TPP",
        ),
        (
            !has_any && !may_poll,
            "the TPP has registered neither an event-subscription nor a callback-url",
        ),
        (
            has_any && !may_poll && push_address.is_none(),
            "push is switched off, and a callback-url alone does not let it poll",
        ),
    ];
    let silenced_by = silenced_by.into_iter().filter(|(holds, _)| *holds);
    let silenced_by: Vec<&str> = silenced_by.map(|(_, why)| why).collect();
    json!({
        "pushed_to": push_address,
        "may_poll": may_poll,
        "silenced_by": silenced_by,
        "endpoint": standing(health),
    })
}

fn line(lane: &LaneStatus) -> Value {
    Value::Object(document(&lane.client_id, &lane.health, lane.outstanding))
}

fn document(client_id: &ClientId, health: &Health, outstanding: u64) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("client_id".to_owned(), json!(client_id));
    members.extend(standing(health));
    members.insert("outstanding".to_owned(), json!(outstanding));
    members
}

/// What is known of an endpoint, always with the same members.
fn standing(health: &Health) -> Map<String, Value> {
    let (since, declared_at, failures, reason) = match health {
        Health::Responsive => (None, None, 0, None),
        Health::Failing {
            since,
            failures,
            reason,
            ..
        } => (Some(*since), None, *failures, Some(reason.as_str())),
        Health::Unresponsive {
            since,
            declared_at,
            failures,
            reason,
            ..
        } => (
            Some(*since),
            Some(*declared_at),
            *failures,
            Some(reason.as_str()),
        ),
        Health::Paused { since } => (Some(*since), None, 0, None),
    };
    let moment = |at: Option<Timestamp>| json!(at.map(|at| at.to_string()));
    let members = [
        ("state", json!(health.state())),
        ("since", moment(since)),
        ("declared_at", moment(declared_at)),
        ("failures", json!(failures)),
        ("next_probe_at", moment(health.next_probe_at())),
        ("reason", json!(reason)),
    ];
    let named = members.map(|(name, value)| (name.to_owned(), value));
    named.into_iter().collect()
}

/// The policy in force, and for how long it goes on trying at least and at most (D-05).
fn policy(policy: &Policy, set_for: &str) -> Value {
    let mut members = serde_json::to_value(policy).expect("a policy is JSON");
    let windows = policy.windows();
    members["set_for"] = json!(set_for);
    members["shortest"] = json!(span::print(rounded(windows.shortest)));
    members["longest"] = json!(span::print(rounded(windows.longest)));
    members
}

/// To the second, since the draws differ by more.
fn rounded(time: Duration) -> Duration {
    match time.as_secs() {
        0 => time,
        seconds => Duration::from_secs(seconds),
    }
}

fn state(name: &str) -> Result<HealthState, &'static str> {
    let mut states = HealthState::ALL.into_iter();
    let found = states.find(|state| state.to_string() == name);
    found.ok_or("one of responsive, failing, unresponsive and paused is expected")
}
