//! The desk: one poll from its acknowledgements to its answer.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, InteractionId, Jti};
use oyez_domain::ledger::poll::{Limits, NothingToPoll, Patience, Poll, Polled, SetError};
use oyez_domain::ledger::sets::Purpose;
use oyez_domain::polling::{Plan, Reply, Response};
use oyez_domain::time::{Clock, Timestamp};
use oyez_domain::tpp::{DeliveryOrder, HeaderProfile};
use oyez_domain::trace::TraceContext;
use oyez_issuer::{self as issuer, Issued, Issuer, Order, Outcome, Urgency};
use oyez_store::Store;
use oyez_telemetry::{Step, Tracer, Value};
use tokio::time::Instant;

use super::hand::Hand;
use super::line::View;
use super::room::Learned;
use super::waiters::{Waiters, Woken};
use crate::Bank;
use crate::metrics::{Answered, Delivered, Metrics};

/// Where polls are answered.
pub struct Desk {
    /// The ledger.
    pub store: Arc<dyn Store>,
    /// Signs what is handed out.
    pub issuer: Arc<Issuer>,
    /// When.
    pub clock: Arc<dyn Clock>,
    /// Polls that wait.
    pub waiters: Arc<Waiters>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Traces, where a collector is named.
    pub tracer: Option<Arc<Tracer>>,
}

/// A poll that was read and admitted.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Who polls.
    pub client_id: ClientId,
    /// The shape of its SETs' headers.
    pub profile: HeaderProfile,
    /// How much it gets, and when.
    pub plan: Plan,
    /// Events it has.
    pub acks: Vec<Jti>,
    /// Events it could not take.
    pub errors: Vec<(Jti, SetError)>,
    /// What its token sees.
    pub families: Vec<Family>,
    /// The limits in force for it.
    pub limits: Limits,
    /// For the record of the hand-outs.
    pub interaction_id: InteractionId,
    /// Where in a trace its request is, if that is recorded.
    pub trace: Option<TraceContext>,
}

/// What a poll is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Compact JWSs in the order of hand-out, each jti once.
    pub sets: Vec<(Jti, String)>,
    /// Something else is due and visible to this token.
    pub more_available: bool,
    /// Why there could be nothing, whatever is outstanding (P-10).
    pub refusal: Option<NothingToPoll>,
}

/// A poll that cannot be answered now (503). Its acknowledgements may have been applied; repeating them is harmless.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The ledger did not answer.
    #[error("the ledger gave no answer to a poll")]
    Ledger(#[from] oyez_store::Error),
    /// Events are due, and none of them can be signed.
    #[error("what is due cannot be signed")]
    Signing(#[from] oyez_issuer::Error),
}

impl Answer {
    /// As it is written on the wire.
    pub fn response(&self) -> Response<'_> {
        Response {
            sets: &self.sets,
            more_available: self.more_available,
        }
    }
}

impl From<&Bank> for Desk {
    fn from(bank: &Bank) -> Self {
        Self {
            store: Arc::clone(&bank.store),
            issuer: Arc::clone(&bank.issuer),
            clock: Arc::clone(&bank.clock),
            waiters: Arc::clone(&bank.waiters),
            metrics: Arc::clone(&bank.metrics),
            tracer: bank.tracer.clone(),
        }
    }
}

impl Desk {
    /// Answers a poll: at once, or as soon as an event is due. Dropping the future frees all that the poll held.
    pub async fn answer(&self, ask: Ask) -> Result<Answer, Unavailable> {
        let Ask {
            client_id,
            profile,
            plan,
            acks,
            errors,
            families,
            limits,
            interaction_id,
            trace,
        } = ask;
        let poller = Poller {
            desk: self,
            view: View::of(&families, limits.order),
            client_id,
            profile,
            events_max: plan.events_max,
            families,
            limits,
            interaction_id,
            trace: trace.map(Box::new),
        };
        let question = Poll {
            acks,
            errors,
            ..poller.question(plan.reply.patience(), plan.events_max)
        };
        let (answer, answered) = match plan.reply {
            Reply::AtOnce => (poller.hand_out(question).await?, Answered::AtOnce),
            Reply::WhenDue(wait) => poller.wait(question, Instant::now() + wait).await?,
        };
        self.metrics.poll(answered, answer.sets.len());
        poller.tell_handed_out(&answer);
        Ok(answer)
    }
}

/// A poll without what it reported: that is applied once, and not held while it waits.
struct Poller<'a> {
    desk: &'a Desk,
    client_id: ClientId,
    view: View,
    profile: HeaderProfile,
    events_max: u32,
    families: Vec<Family>,
    limits: Limits,
    interaction_id: InteractionId,
    trace: Option<Box<TraceContext>>,
}

impl Poller<'_> {
    /// In boxes is what a poll needs only while it is awake: a sleeping one is small.
    async fn wait(&self, first: Poll, until: Instant) -> Result<(Answer, Answered), Unavailable> {
        let mut answered = Answered::AtOnce;
        let mut waiting = self.desk.waiters.join(&self.client_id, self.view);
        let mut answer = Box::pin(self.hand_out(first)).await?;
        loop {
            let is_refused = answer.refusal == Some(NothingToPoll::NotServed);
            if is_refused || !answer.sets.is_empty() {
                return Ok((answer, answered));
            }
            if let Woken::Over(how) = waiting.sleep(until, &*self.desk.clock).await {
                return Ok((answer, how));
            }
            answered = Answered::Woken;
            let again = self.question(Patience::WaitForDue, self.events_max);
            answer = Box::pin(self.hand_out(again)).await?;
        }
    }

    /// Asks the ledger, makes what it chose ready to go, and asks again for what changed meanwhile.
    async fn hand_out(&self, mut question: Poll) -> Result<Answer, Unavailable> {
        let mut unanswered = Unanswered {
            poller: self,
            answered: false,
        };
        let mut hand = Hand::default();
        for _ in 0..CHOICES_MAX {
            if let Err(error) = self.fill(&mut hand, question).await {
                tracing::error!(
                    client_id = %self.client_id,
                    interaction_id = %self.interaction_id,
                    error = &error as &dyn std::error::Error,
                    "the ledger gave no answer to a poll"
                );
                hand.fault = Some(error.into());
            }
            let Some(events_max) = hand.wants(self.events_max) else {
                break;
            };
            // Only what is due: what this poll holds already is not.
            question = self.question(Patience::WaitForDue, events_max);
        }
        let answer = hand.into_answer()?;
        unanswered.answered = true;
        Ok(answer)
    }

    /// One choice, signed.
    async fn fill(&self, hand: &mut Hand, question: Poll) -> Result<(), oyez_store::Error> {
        let Polled {
            work,
            more_available,
            refusal,
            ..
        } = self.ask(question).await?;
        hand.more_available = more_available;
        hand.refusal = refusal;
        hand.stale = 0;
        if work.is_empty() {
            return Ok(());
        }
        for Issued { jti, outcome } in self.desk.issuer.issue(self.order(), work).await {
            match outcome {
                Ok(Outcome::Send(set)) => hand.sets.push((jti, set)),
                Ok(Outcome::NoLongerOutstanding) => {}
                Ok(Outcome::ChooseAgain) => hand.stale += 1,
                Err(error) => self.take_fault(hand, jti, error),
            }
        }
        if self.settles_as_it_goes() && !hand.sets.is_empty() {
            // In strict order what was assumed to have arrived lets the next one out.
            let next = self.question(Patience::WaitForDue, 0);
            hand.more_available = self.ask(next).await?.more_available;
        }
        Ok(())
    }

    /// A fault of one event must not stop the others; a fault of the bank's is every event's.
    fn take_fault(&self, hand: &mut Hand, jti: Jti, error: issuer::Error) {
        let is_of_one_event = matches!(error, issuer::Error::Claims(_) | issuer::Error::Panicked);
        if is_of_one_event || hand.fault.is_none() {
            tracing::error!(
                client_id = %self.client_id,
                interaction_id = %self.interaction_id,
                %jti,
                error = &error as &dyn std::error::Error,
                "an event was left out of a poll's answer"
            );
        }
        if !is_of_one_event {
            hand.fault.get_or_insert(error.into());
        }
    }

    /// Asks the ledger, and tells those who wait what it said of them.
    async fn ask(&self, question: Poll) -> Result<Polled, oyez_store::Error> {
        let Desk {
            store,
            clock,
            waiters,
            ..
        } = self.desk;
        let at = clock.now();
        let failing = failing(&question);
        let polled = store.poll(question, at).await?;
        for jti in &polled.settled {
            self.tell_settled(*jti, failing.contains(jti), at);
        }
        let learned = Learned {
            at,
            next_due_at: polled.next_due_at,
            again_at: (!polled.work.is_empty()).then(|| at + self.limits.redelivery_delay),
        };
        waiters.learn(&self.client_id, self.view, learned);
        Ok(polled)
    }

    /// An event ended by what this poll said of it.
    fn tell_settled(&self, jti: Jti, is_failure: bool, at: Timestamp) {
        let metrics = &self.desk.metrics;
        if is_failure {
            metrics.failed();
        } else {
            let after = at.since(jti.moment());
            metrics.delivered(&self.client_id, Delivered::ByPoll, after);
        }
        if let Some(tracer) = &self.desk.tracer {
            let name = if is_failure { "fail" } else { "acknowledge" };
            self.tell(tracer, name, jti, tracer.last_of(jti).as_ref());
        }
    }

    fn tell_handed_out(&self, answer: &Answer) {
        if let Some(tracer) = &self.desk.tracer {
            for (jti, _) in &answer.sets {
                self.tell(tracer, "hand out", *jti, tracer.trace_of(*jti).as_ref());
            }
        }
    }

    /// In the event's trace, linked to the poll's.
    fn tell(&self, tracer: &Tracer, name: &'static str, jti: Jti, trace: Option<&TraceContext>) {
        if trace.is_none() {
            return;
        }
        let interaction_id = Value::from(self.interaction_id.as_str());
        tracer.step(Step {
            attributes: vec![("oyez.interaction_id", interaction_id)],
            links: self.trace.iter().map(|trace| (**trace).clone()).collect(),
            ..Step::new(name, (&self.client_id, jti), trace, Duration::ZERO)
        });
    }

    fn question(&self, patience: Patience, events_max: u32) -> Poll {
        Poll {
            client_id: self.client_id.clone(),
            acks: Vec::new(),
            errors: Vec::new(),
            events_max,
            families: self.families.clone(),
            patience,
            limits: self.limits,
            interaction_id: self.interaction_id.clone(),
        }
    }

    fn order(&self) -> Order {
        Order {
            client_id: self.client_id.clone(),
            profile: self.profile,
            purpose: Purpose::HandOut {
                cap: self.limits.hand_out_cap,
                interaction_id: self.interaction_id.clone(),
            },
            urgency: Urgency::First,
        }
    }

    fn settles_as_it_goes(&self) -> bool {
        self.limits.order == DeliveryOrder::Strict && self.limits.hand_out_cap.is_some()
    }
}

/// Those that a poll reports and does not have: what is settled of them has failed.
fn failing(poll: &Poll) -> Vec<Jti> {
    let reported = poll.errors.iter();
    let reported = reported.filter(|(_, error)| !error.is_duplicate_notice());
    let jtis = reported.map(|(jti, _)| *jti);
    jtis.filter(|jti| !poll.acks.contains(jti)).collect()
}

/// A poll that ends without an answer may have been handed what others now wait for: they look themselves.
struct Unanswered<'a> {
    poller: &'a Poller<'a>,
    answered: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.poller.desk.waiters.wake(&self.poller.client_id);
        }
    }
}

/// Each further choice is for a registration that changed in the very moment of signing. Who has none by then is told that
/// there is more.
const CHOICES_MAX: u32 = 3;
