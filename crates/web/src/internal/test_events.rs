//! Test events (I-04): an operator tries the way to a TPP. The event tells of a resource that the configuration names, is
//! marked as a test in the ledger and nowhere else, and goes the way of every event from there on.
//!
//! To send one is an operator's act, not a publisher's: it speaks for no core system.

use axum::body::Body;
use oyez_domain::ids::ClientId;
use oyez_domain::notice;
use serde_json::json;

use super::api::{Api, Call};
use super::input;
use super::leaving::Answer;
use super::problem::Problem;
use super::publish::Batch;

/// What test events are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResource {
    /// Its type, by a name of the resource table.
    pub kind: String,
    /// Its id at the bank.
    pub id: String,
}

impl Api {
    /// `POST /v1/test-events`. Answered as one published item is.
    pub(super) async fn send_test_event(&self, call: &Call, body: Body) -> Result<Answer, Problem> {
        let read = input::object(body, &call.head.headers, |members, faults| {
            members.only(&["tpp"], faults);
            let place = members.required("tpp", faults)?;
            place.parsed(str::parse::<ClientId>, faults)
        });
        let client_id = read.await?;
        let resource = self.test_resource.as_ref().ok_or(NO_RESOURCE)?;
        let item = json!({
            "tpp": client_id,
            "resource": {"type": resource.kind, "id": resource.id},
            "events": [{"type": RESOURCE_UPDATE}],
        });
        let item = notice::read(&self.bank.rules, &item, call.now);
        let item = item.map(|mut item| {
            item.notice.test = true;
            item
        });
        let mut batch = Batch::of(&self.bank, call);
        batch.add(&self.bank, item, call.now);
        self.accept(batch, call).await
    }
}

const NO_RESOURCE: Problem = Problem::Conflict(
    "no resource is configured for test events: set `resource` of [test_event], such as \"domestic-payment/test\"",
);
/// The one type that every bank has.
const RESOURCE_UPDATE: &str = "urn:uk:org:openbanking:events:resource-update";
