//! `POST /events` (P): the body is read, the plan made by the bank's policy, and the desk answers, now or when something is
//! due.

use oyez_domain::error_chain::chain;
use oyez_domain::ledger::poll::{Limits, NothingToPoll};
use oyez_domain::polling::read;
use oyez_domain::versions::Row;

use super::answer::Answer;
use super::api::Api;
use super::caller::Caller;
use super::record::Record;
use super::refusal::{Forbidden, Refusal};
use crate::polling::Ask;

impl Api {
    /// Reads a poll, and plans how it is answered.
    pub(super) fn ask(
        &self,
        row: &Row,
        caller: &Caller,
        body: &[u8],
        record: &Record,
    ) -> Result<Ask, Refusal> {
        let request = read(row, body).map_err(Refusal::Faulty)?;
        let policy = &self.options.polling;
        let scopes: Vec<&str> = caller.scopes.iter().map(String::as_str).collect();
        let own = &caller.tpp.profile.overrides;
        Ok(Ask {
            client_id: caller.tpp.client_id.clone(),
            profile: own.header_profile.unwrap_or(self.options.header_profile),
            plan: policy.plan(&request),
            families: policy.families(row, &scopes),
            acks: request.acks,
            errors: request.errors,
            limits: self.limits_of(caller),
            interaction_id: record.interaction_id.clone(),
            trace: record.trace().cloned(),
        })
    }

    /// Answers a poll, perhaps after a while.
    pub(super) async fn poll(&self, row: &Row, ask: Ask) -> Result<Answer, Refusal> {
        let answered = self.desk.answer(ask).await;
        let answer = answered.map_err(|error| Refusal::Unavailable(chain(&error)))?;
        // It was served when it came, and is not any more. What it was handed before that, it gets.
        if answer.refusal == Some(NothingToPoll::NotServed) && answer.sets.is_empty() {
            return Err(Refusal::Forbidden(Forbidden::Disabled));
        }
        Ok(Answer::new(
            row.successes.polled,
            answer.response().to_bytes(),
        ))
    }

    /// The deployment's limits of hand-outs, with the TPP's own before them.
    fn limits_of(&self, caller: &Caller) -> Limits {
        let (common, own) = (self.options.hand_outs, &caller.tpp.profile.overrides);
        Limits {
            redelivery_delay: own.redelivery_delay.unwrap_or(common.redelivery_delay),
            error_cap: own.error_cap.unwrap_or(common.error_cap),
            hand_out_cap: own.hand_out_cap.or(common.hand_out_cap),
            order: self.bank.rules.order_of(&caller.tpp.profile),
        }
    }
}
