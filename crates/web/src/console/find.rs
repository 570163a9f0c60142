//! One box for whatever somebody was told on the telephone: a client_id, a jti, a payment, a transaction, an interaction id.

use oyez_domain::ids::ClientId;

use super::Console;
use super::leaving::Reply;
use super::visit::{Trouble, Visit};
use super::words::{segment, tpp_at};
use crate::internal::{Ask, Operation, Problem};

impl Console {
    /// `GET /console/find`: leads to the first thing that is called so.
    pub(super) async fn find(&self, visit: &Visit) -> Result<Reply, Trouble> {
        let wanted = visit.query.of_name("q");
        if wanted.is_empty() {
            return Ok(Reply::Redirect("/console/tpps".to_owned()));
        }
        if let Ok(jti) = wanted.parse()
            && self.bank.store.find_event(jti).await?.is_some()
        {
            return Ok(Reply::Redirect(format!(
                "/console/events/{}",
                segment(wanted)
            )));
        }
        if let Ok(client_id) = wanted.parse::<ClientId>()
            && self.bank.store.find_tpp(client_id).await?.is_some()
        {
            return Ok(Reply::Redirect(tpp_at(wanted)));
        }
        for name in ["resource_id", "txn", "interaction_id"] {
            let said = [(name, wanted), ("limit", "1")];
            let ask = Ask::of(Operation::ListEvents, "").query(said);
            let found = match self.ask(visit, ask).await {
                // A text that cannot be such an id names none.
                Err(Trouble::Problem(problem)) if matches!(*problem, Problem::Invalid(_)) => {
                    continue;
                }
                answered => answered?,
            };
            if found["events"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
            {
                let to = format!("/console/events?{name}={}", segment(wanted));
                return Ok(Reply::Redirect(to));
            }
        }
        let to = format!("/console/tpps?prefix={}", segment(wanted));
        Ok(Reply::Redirect(to))
    }
}
