//! A ledger with the words a test wants to say to it: `tpp.news().await`, `tpp.takes(ask()).await`.
//!
//! Time stands still until a test moves it. "Takes" is the whole of P-09: choose, sign, keep, and only then have.

use std::any::Any;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Deref;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::{Family, Notice};
use oyez_domain::ids::{ClientId, Jti, NodeId, RegistrationId};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::history::{Counts, EventFile};
use oyez_domain::ledger::lanes::{Claim, Lease, Wanted};
use oyez_domain::ledger::poll::{Limits, Patience, Poll, Polled, SetError};
use oyez_domain::ledger::push::{
    Answer, Attempt, Choice, DueForPush, Ended, Peer, Recorded, Verdict,
};
use oyez_domain::ledger::registering::{Effect, Kind, Refusal, Target, Wish};
use oyez_domain::ledger::sets::{Kept, Look, Purpose, SetState, Signed, Work};
use oyez_domain::life::{Acknowledged, Outcome, State};
use oyez_domain::registration::{CallbackUrlWish, Registrations, SubscriptionWish};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{DeliveryOrder, Overrides, Standing};
use oyez_domain::version::ApiVersion;
use oyez_store::Store;
use tokio::sync::OnceCell;

use oyez_testkit::claims::newest_claim;
use oyez_testkit::making::{DAWN, Jtis, client, interaction, notice, profile, submission};

/// A backend as a test gets it: empty, and kept alive with whatever it lives in.
pub(crate) struct Backend {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) lives_in: Box<dyn Any + Send + Sync>,
}

/// One test's ledger, its clock and its jtis. Clones are the same ledger.
#[derive(Clone)]
pub(crate) struct Ledger(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    now_ms: AtomicI64,
    jtis: Jtis,
    registrations_made: AtomicU64,
    attempts_made: AtomicU64,
    /// The last choice of each event: until when it is in flight.
    choices: Mutex<BTreeMap<Jti, Timestamp>>,
    /// Of the node that pushes where a test does not say which.
    lease: OnceCell<Lease>,
    _lives_in: Box<dyn Any + Send + Sync>,
}

/// A TPP that the ledger knows. Clones are the same TPP.
#[derive(Clone)]
pub(crate) struct Tpp {
    pub(crate) ledger: Ledger,
    pub(crate) id: ClientId,
}

impl Ledger {
    pub(crate) fn new(backend: Backend) -> Self {
        Self(Arc::new(Inner {
            store: backend.store,
            now_ms: AtomicI64::new(DAWN.unix_ms()),
            jtis: Jtis::from(1),
            registrations_made: AtomicU64::new(0),
            attempts_made: AtomicU64::new(0),
            choices: Mutex::default(),
            lease: OnceCell::new(),
            _lives_in: backend.lives_in,
        }))
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.0.now_ms.load(Ordering::Relaxed))
    }

    pub(crate) fn pass(&self, time: Duration) -> Timestamp {
        let ms = i64::try_from(time.as_millis()).unwrap();
        self.0.now_ms.fetch_add(ms, Ordering::Relaxed);
        self.now()
    }

    /// Somebody sets the clock back.
    pub(crate) fn set_back(&self, time: Duration) -> Timestamp {
        let ms = i64::try_from(time.as_millis()).unwrap();
        self.0.now_ms.fetch_sub(ms, Ordering::Relaxed);
        self.now()
    }

    pub(crate) fn jti(&self) -> Jti {
        self.0.jtis.next(self.now())
    }

    /// The event as its last choice took it; one that was never chosen by a choice that was not.
    pub(crate) fn choice(&self, jti: Jti) -> Choice {
        let choices = self.0.choices.lock().unwrap();
        Choice {
            jti,
            in_flight_until: choices.get(&jti).copied().unwrap_or_default(),
        }
    }

    /// An attempt by the last choice of its event.
    pub(crate) fn ended(&self, attempt: Attempt) -> Ended {
        let in_flight_until = self.choice(attempt.jti).in_flight_until;
        Ended {
            in_flight_until,
            attempt,
        }
    }

    pub(crate) fn registration_id(&self) -> RegistrationId {
        let made = self.0.registrations_made.fetch_add(1, Ordering::Relaxed);
        RegistrationId::new(format!("registration-{made}")).unwrap()
    }

    pub(crate) async fn lease(&self) -> &Lease {
        let join = || async {
            let (node_id, ttl) = (NodeId::new("pusher").unwrap(), Duration::from_secs(3_600));
            self.hold_lease(node_id, None, ttl).await.unwrap().unwrap()
        };
        self.0.lease.get_or_init(join).await
    }

    /// Registers a TPP that has subscribed to nothing.
    pub(crate) async fn tpp(&self, name: &str) -> Tpp {
        self.tpp_with(name, Overrides::default()).await
    }

    pub(crate) async fn tpp_with(&self, name: &str, overrides: Overrides) -> Tpp {
        let id = client(name);
        let made = self
            .register_tpp(operator(), id.clone(), profile(overrides), self.now())
            .await;
        assert!(made.unwrap().is_some(), "{name} is taken");
        Tpp {
            ledger: self.clone(),
            id,
        }
    }

    /// Registers a TPP and its event-subscription.
    pub(crate) async fn subscriber(&self, name: &str, wish: SubscriptionWish) -> Tpp {
        let tpp = self.tpp(name).await;
        tpp.subscribes(wish).await.unwrap();
        tpp
    }
}

impl Deref for Ledger {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &*self.0.store
    }
}

/// Registrations.
impl Tpp {
    pub(crate) async fn subscribes(
        &self,
        wish: SubscriptionWish,
    ) -> Result<Registrations, Refusal> {
        self.creates(Wish::Subscription(wish), ApiVersion::V4_0)
            .await
    }

    pub(crate) async fn registers_callback(
        &self,
        wish: CallbackUrlWish,
    ) -> Result<Registrations, Refusal> {
        self.creates(Wish::CallbackUrl(wish), ApiVersion::V3_1)
            .await
    }

    pub(crate) async fn creates(
        &self,
        wish: Wish,
        api: ApiVersion,
    ) -> Result<Registrations, Refusal> {
        let id = self.ledger.registration_id();
        let now = self.ledger.now();
        self.ledger
            .create_registration(self.id.clone(), id, wish, api, now)
            .await
            .unwrap()
    }

    pub(crate) async fn replaces(&self, wish: SubscriptionWish) -> Effect {
        let target = self.target(Kind::Subscription).await;
        let now = self.ledger.now();
        let replaced = self
            .ledger
            .replace_registration(self.id.clone(), target, Wish::Subscription(wish), now)
            .await;
        replaced.unwrap().unwrap().1
    }

    pub(crate) async fn deletes(&self, kind: Kind) -> Effect {
        let target = self.target(kind).await;
        let now = self.ledger.now();
        self.ledger
            .delete_registration(self.id.clone(), target, now)
            .await
            .unwrap()
            .unwrap()
    }

    /// How the registration of this kind is named through v4.0.
    pub(crate) async fn target(&self, kind: Kind) -> Target {
        let registrations = self.registrations().await;
        let id = match kind {
            Kind::Subscription => registrations.subscription.map(|it| it.id),
            Kind::CallbackUrl => registrations.callback_url.map(|it| it.id),
        };
        Target {
            kind,
            id: id.unwrap(),
            api: ApiVersion::V4_0,
        }
    }

    pub(crate) async fn registrations(&self) -> Registrations {
        self.ledger.registrations(self.id.clone()).await.unwrap()
    }

    pub(crate) async fn is_disabled(&self) {
        let standing = Standing::Disabled {
            at: self.ledger.now(),
            reason: "certificate revoked".to_owned(),
        };
        self.stands(standing).await;
    }

    pub(crate) async fn stands(&self, standing: Standing) {
        let now = self.ledger.now();
        let changed = self
            .ledger
            .set_standing(operator(), self.id.clone(), standing, now)
            .await;
        assert!(changed.unwrap().is_some());
    }
}

/// News.
impl Tpp {
    /// One resource-update about an account-access-consent, accepted.
    pub(crate) async fn news(&self) -> Jti {
        self.told(Family::Aisp, &[oyez_testkit::making::UPDATE])
            .await
    }

    pub(crate) async fn told(&self, family: Family, types: &[&str]) -> Jti {
        match self.publish(notice(&self.id, family, types)).await {
            Acceptance::Accepted(jti) => jti,
            other => panic!("not accepted: {other:?}"),
        }
    }

    /// So many resource-updates in one batch.
    pub(crate) async fn much_news(&self, events: usize) -> Vec<Jti> {
        let notice = notice(&self.id, Family::Aisp, &[oyez_testkit::making::UPDATE]);
        let batch: Vec<_> = (0..events)
            .map(|_| submission(self.ledger.jti(), notice.clone()))
            .collect();
        let jtis: Vec<Jti> = batch.iter().map(|it| it.jti).collect();
        let wanted: Vec<_> = jtis.iter().map(|jti| Acceptance::Accepted(*jti)).collect();
        assert_eq!(
            self.ledger.accept(batch, self.ledger.now()).await.unwrap(),
            wanted
        );
        jtis
    }

    pub(crate) async fn publish(&self, notice: Notice) -> Acceptance {
        let batch = vec![submission(self.ledger.jti(), notice)];
        self.ledger.accept(batch, self.ledger.now()).await.unwrap()[0]
    }
}

/// Polls.
impl Tpp {
    /// Chooses, and signs nothing.
    pub(crate) async fn polls(&self, ask: Ask) -> Polled {
        let poll = ask.of(&self.id);
        self.ledger.poll(poll, self.ledger.now()).await.unwrap()
    }

    /// Polls and receives: the jtis and bytes that leave in the answer, in order.
    pub(crate) async fn takes(&self, ask: Ask) -> Vec<(Jti, String)> {
        let limits = ask.0.limits;
        let interaction_id = ask.0.interaction_id.clone();
        let polled = self.polls(ask).await;
        let purpose = Purpose::HandOut {
            cap: limits.hand_out_cap,
            interaction_id,
        };
        self.sends(polled.work, &purpose).await
    }

    /// As [`Tpp::takes`], the jtis alone.
    pub(crate) async fn receives(&self, ask: Ask) -> Vec<Jti> {
        self.takes(ask)
            .await
            .into_iter()
            .map(|(jti, _)| jti)
            .collect()
    }

    /// The types that the next poll has to sign for an event.
    pub(crate) async fn types_offered(&self, jti: Jti) -> Vec<String> {
        let work = self.polls(ask()).await.work;
        let found = work
            .into_iter()
            .find(|work| work.jti == jti)
            .expect("it is offered");
        match found.set {
            SetState::Unsigned { notice, .. } => notice
                .happenings
                .into_iter()
                .map(|it| it.event_type.0)
                .collect(),
            SetState::Kept(set) => panic!("signed already: {set}"),
        }
    }

    /// Signs and keeps what has no bytes yet.
    async fn sends(&self, work: Vec<Work>, purpose: &Purpose) -> Vec<(Jti, String)> {
        let mut sent = Vec::new();
        for work in work {
            match work.set {
                SetState::Kept(set) => sent.push((work.jti, set)),
                SetState::Unsigned { revision, .. } => {
                    let signed = self.signed(work.jti, revision, purpose.clone());
                    if let Kept::Send(set) = self.keeps(signed).await {
                        sent.push((work.jti, set));
                    }
                }
            }
        }
        sent
    }

    pub(crate) fn signed(&self, jti: Jti, revision: u64, purpose: Purpose) -> Signed {
        Signed {
            client_id: self.id.clone(),
            jti,
            revision,
            set: format!("set-of-{jti}"),
            kid: "key-1".to_owned(),
            purpose,
        }
    }

    pub(crate) async fn keeps(&self, signed: Signed) -> Kept {
        self.ledger
            .keep_sets(vec![signed], self.ledger.now())
            .await
            .unwrap()
            .remove(0)
    }
}

/// Pushes.
impl Tpp {
    /// Chooses up to a hundred events and keeps their SETs; the jtis that a POST now leaves for.
    pub(crate) async fn is_pushed(&self) -> Vec<Jti> {
        self.goes_out(self.looks(100).await).await
    }

    /// The same by a node that may own the lane.
    pub(crate) async fn is_pushed_by(&self, lease: &Lease) -> Vec<Jti> {
        self.goes_out(self.looks_as(lease, 100).await).await
    }

    async fn goes_out(&self, due: Option<DueForPush>) -> Vec<Jti> {
        let work = due.map(|due| due.work).unwrap_or_default();
        let sent = self.sends(work, &Purpose::Push).await;
        sent.into_iter().map(|(jti, _)| jti).collect()
    }

    /// A choice by a node that claims every lane it can; `None` if this one sleeps or is another's.
    pub(crate) async fn looks(&self, events_max: u32) -> Option<DueForPush> {
        let lease = self.ledger.lease().await;
        let now = self.ledger.now();
        let claimed = self
            .ledger
            .claim_lanes(lease.clone(), Wanted::Due, 100, now);
        claimed.await.unwrap();
        self.looks_as(lease, events_max).await
    }

    /// By the newest claim of the lane.
    pub(crate) async fn looks_as(&self, lease: &Lease, events_max: u32) -> Option<DueForPush> {
        let claim = newest_claim(&*self.ledger, lease, &self.id).await;
        self.looks_by(claim, events_max).await
    }

    pub(crate) async fn looks_by(&self, claim: Claim, events_max: u32) -> Option<DueForPush> {
        let look = Look {
            events_max,
            ..look()
        };
        let now = self.ledger.now();
        let due = self.ledger.due_for_push(claim, self.id.clone(), look, now);
        let due = due.await.unwrap();
        if let Some(due) = &due {
            let chosen = due.work.iter().map(|work| (work.jti, due.in_flight_until));
            self.ledger.0.choices.lock().unwrap().extend(chosen);
        }
        due
    }

    /// Gives back what the last choices of these took.
    pub(crate) async fn puts_back(&self, jtis: &[Jti]) -> u64 {
        let choices = jtis.iter().map(|jti| self.ledger.choice(*jti));
        self.puts_choices_back(choices.collect()).await
    }

    pub(crate) async fn puts_choices_back(&self, choices: Vec<Choice>) -> u64 {
        let now = self.ledger.now();
        let put_back = self.ledger.put_back(self.id.clone(), choices, now);
        put_back.await.unwrap()
    }

    /// An attempt by the last choice of the event.
    pub(crate) async fn answers(&self, jti: Jti, verdict: Verdict) -> Recorded {
        let nth = self.ledger.0.attempts_made.fetch_add(1, Ordering::Relaxed);
        let mut attempt = attempt(jti, verdict, self.ledger.now());
        attempt.interaction_id = interaction(&format!("push-{}", nth + 1));
        self.records(self.ledger.ended(attempt)).await
    }

    pub(crate) async fn records(&self, ended: Ended) -> Recorded {
        let (id, now) = (self.id.clone(), self.ledger.now());
        let recorded = self.ledger.record_attempts(id, vec![ended], now).await;
        recorded.unwrap().remove(0)
    }

    /// Where pushes go now.
    pub(crate) async fn address(&self) -> Option<String> {
        self.looks(0).await?.callback_url
    }

    /// When the lane should look again.
    pub(crate) async fn next_push_at(&self) -> Option<Timestamp> {
        self.looks(0).await?.next_at
    }
}

/// Looking.
impl Tpp {
    pub(crate) async fn file(&self, jti: Jti) -> EventFile {
        self.ledger
            .find_event(jti)
            .await
            .unwrap()
            .expect("the ledger has it")
    }

    /// How an event ended; `None` while it is outstanding.
    pub(crate) async fn outcome(&self, jti: Jti) -> Option<Outcome> {
        match self.file(jti).await.summary.state {
            State::Outstanding => None,
            State::Settled(settlement) => Some(settlement.outcome),
        }
    }

    pub(crate) async fn counts(&self) -> Counts {
        let counts = self.ledger.counts(self.id.clone()).await.unwrap();
        assert!(counts.balance(), "{counts:?}");
        counts
    }
}

pub(crate) const BY_POLL: Option<Outcome> = Some(Outcome::Acknowledged(Acknowledged::Poll));
pub(crate) const BY_PUSH: Option<Outcome> = Some(Outcome::Acknowledged(Acknowledged::Push));

pub(crate) fn operator() -> Actor {
    Actor::Operator("ada".to_owned())
}

/// The bounds of one look for work: a hundred events, ten seconds in flight.
pub(crate) fn look() -> Look {
    Look {
        events_max: 100,
        in_flight_for: Duration::from_secs(10),
    }
}

pub(crate) fn attempt(jti: Jti, verdict: Verdict, at: Timestamp) -> Attempt {
    let status = if verdict == Verdict::Acknowledged {
        202
    } else {
        400
    };
    Attempt {
        jti,
        started_at: at,
        latency: Duration::from_millis(12),
        interaction_id: interaction("push-1"),
        peer: Peer::default(),
        answer: Answer::Response {
            status,
            body_head: Vec::new(),
            deviation: None,
        },
        verdict,
    }
}

/// A poll in the making: by default for up to a hundred events of every family, answered at once.
pub(crate) struct Ask(Poll);

pub(crate) fn ask() -> Ask {
    Ask(Poll {
        client_id: client("nobody yet"),
        acks: Vec::new(),
        errors: Vec::new(),
        events_max: 100,
        families: vec![Family::Aisp, Family::Pisp, Family::Cbpii, Family::Vrp],
        patience: Patience::Immediate,
        limits: Limits {
            redelivery_delay: Duration::from_secs(60),
            error_cap: NonZeroU32::new(10).unwrap(),
            hand_out_cap: None,
            order: DeliveryOrder::Concurrent,
        },
        interaction_id: interaction("poll-1"),
    })
}

impl Ask {
    pub(crate) fn max(mut self, events_max: u32) -> Self {
        self.0.events_max = events_max;
        self
    }

    pub(crate) fn ack(mut self, jtis: &[Jti]) -> Self {
        self.0.acks.extend(jtis);
        self
    }

    pub(crate) fn error(mut self, jti: Jti, err: &str) -> Self {
        let description = "as the TPP says it".to_owned();
        self.0.errors.push((
            jti,
            SetError {
                err: err.to_owned(),
                description,
            },
        ));
        self
    }

    /// A long poll's choice: only what is due.
    pub(crate) fn waiting(mut self) -> Self {
        self.0.patience = Patience::WaitForDue;
        self
    }

    pub(crate) fn seeing(mut self, families: &[Family]) -> Self {
        self.0.families = families.to_vec();
        self
    }

    pub(crate) fn error_cap(mut self, cap: u32) -> Self {
        self.0.limits.error_cap = NonZeroU32::new(cap).unwrap();
        self
    }

    pub(crate) fn hand_out_cap(mut self, cap: u32) -> Self {
        self.0.limits.hand_out_cap = NonZeroU32::new(cap);
        self
    }

    pub(crate) fn in_order(mut self) -> Self {
        self.0.limits.order = DeliveryOrder::Strict;
        self
    }

    pub(crate) fn by(mut self, interaction_name: &str) -> Self {
        self.0.interaction_id = interaction(interaction_name);
        self
    }

    pub(crate) fn of(mut self, client_id: &ClientId) -> Poll {
        self.0.client_id = client_id.clone();
        self.0
    }
}
