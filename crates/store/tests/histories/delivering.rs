//! Events in, out and settled.

use std::time::Duration;

use oyez_domain::event::{Family, Submission};
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::lanes::{Lease, Wanted};
use oyez_domain::ledger::poll::{Poll, Polled, SetError};
use oyez_domain::ledger::push::{Answer, Attempt, Choice, Ended, Peer, Verdict};
use oyez_domain::ledger::sets::{Look, Purpose, SetState, Signed, Work};
use oyez_domain::time::Timestamp;

use super::{Company, Player, agree, both, whole};
use crate::step::{Bytes, EventOf, Item, PollOf, VerdictOf};
use oyez_testkit::claims::newest_claim;
use oyez_testkit::making::{DAWN, UPDATE, interaction, keyed, notice, submission};
use tokio::sync::Mutex;

static CLAIMING: Mutex<()> = Mutex::const_new(());

impl Player<'_> {
    pub(super) async fn accept(&mut self, items: Vec<Item>) {
        let tpps: Vec<usize> = items.iter().map(|item| item.tpp).collect();
        let batch: Vec<Submission> = items
            .into_iter()
            .map(|item| self.submission(&item))
            .collect();
        let now = self.now;
        self.given.extend(batch.iter().map(|item| item.jti));
        let answers = both!(self, |it| it.accept(batch.clone(), now), whole).unwrap();
        for (tpp, answer) in tpps.into_iter().zip(answers) {
            if let Acceptance::Accepted(jti) = answer {
                self.accepted[tpp].push(jti);
            }
        }
    }

    /// Nothing of a batch that contradicts the ledger happens, whoever else is in the same commit.
    pub(super) async fn accept_again(&self, items: Vec<Item>, tpp: usize) {
        let mut batch: Vec<Submission> = items
            .into_iter()
            .map(|item| self.submission(&item))
            .collect();
        let Some(used) = self.accepted[tpp].last() else {
            return;
        };
        let notice = notice(&self.name(tpp), Family::Aisp, &[UPDATE]);
        batch.push(submission(*used, notice));
        let now = self.now;
        both!(self, |it| it.accept(batch.clone(), now), whole).ok();
    }

    fn submission(&self, item: &Item) -> Submission {
        let notice = notice(&self.name(item.tpp), item.family, &item.types);
        let submission = submission(self.jtis.next(self.now), notice);
        match item.key {
            Some((key, content)) => keyed(submission, &format!("k-{key}"), content),
            None => submission,
        }
    }

    pub(super) async fn poll(&mut self, poll: PollOf) {
        self.interactions += 1;
        let error = |err: &str| SetError {
            err: err.to_owned(),
            description: String::new(),
        };
        let named = |event: EventOf| self.named(poll.tpp, &[event])[0];
        let tpp = poll.tpp;
        let poll = Poll {
            client_id: self.name(poll.tpp),
            acks: self.named(poll.tpp, &poll.acks),
            errors: poll
                .errors
                .iter()
                .map(|(event, err)| (named(*event), error(err)))
                .collect(),
            events_max: poll.events_max,
            families: poll.families,
            patience: poll.patience,
            limits: poll.limits,
            interaction_id: interaction(&format!("poll-{}", self.interactions)),
        };
        let now = self.now;
        let polled = both!(self, |it| it.poll(poll.clone(), now), |answer: &Result<
            _,
            _,
        >| {
            let mut answer: Polled = Result::clone(answer).unwrap();
            answer.settled.sort_unstable();
            format!("{answer:#?}")
        });
        let work = polled.unwrap().work;
        self.learned = (!work.is_empty()).then(|| (tpp, now + poll.limits.redelivery_delay));
        self.remember(&poll.client_id, work);
    }

    fn remember(&mut self, client_id: &ClientId, work: Vec<Work>) {
        for work in work {
            if let SetState::Unsigned { revision, .. } = work.set {
                self.chosen.push((client_id.clone(), work.jti, revision));
            }
        }
    }

    pub(super) async fn keep(
        &mut self,
        newest: usize,
        (bytes, key): (Bytes, usize),
        purpose: &Purpose,
    ) {
        let from = self.chosen.len().saturating_sub(newest);
        let signer = match bytes {
            Bytes::One => "one",
            Bytes::Other => "other",
        };
        let signed: Vec<Signed> = self.chosen[from..]
            .iter()
            .map(|(client_id, jti, revision)| Signed {
                client_id: client_id.clone(),
                jti: *jti,
                revision: *revision,
                set: format!("{signer}-set-of-{jti}"),
                kid: self.kid(key),
                purpose: purpose.clone(),
            })
            .collect();
        let now = self.now;
        both!(self, |it| it.keep_sets(signed.clone(), now), whole).unwrap();
    }

    /// In company the shared node claims whatever wakes ever, so that nobody's clock matters to the others.
    pub(super) async fn look(&mut self, node: usize, tpp: usize, look: Look) {
        let Some([first, second]) = self.leases[node].clone() else {
            return;
        };
        let [model, backend] = self.ledgers;
        self.claim([first.clone(), second.clone()]).await;
        let (id, now) = (self.name(tpp), self.now);
        let first = newest_claim(model, &first, &id).await;
        let second = newest_claim(backend, &second, &id).await;
        let first = model.due_for_push(first, id.clone(), look, now).await;
        let second = backend.due_for_push(second, id, look, now).await;
        agree(&whole(&first), &whole(&second));
        let Some(due) = first.unwrap() else {
            return;
        };
        let spins = due.next_at.is_some_and(|next_at| next_at <= now);
        assert!(
            look.events_max == 0 || !due.work.is_empty() || !spins,
            "looks again at once"
        );
        for work in &due.work {
            let choices = self.choices.entry(work.jti).or_default();
            choices.push(due.in_flight_until);
        }
        self.remember(&self.name(tpp), due.work);
    }

    async fn claim(&self, leases: [Lease; 2]) {
        let claims_at = match self.company {
            Company::Alone => self.now,
            Company::Among { .. } => Timestamp::MAX,
        };
        // Those in company are one node, and a node makes its claims one after another: of two at once a ledger may let the one
        // pass over what the other is just claiming.
        let _alone = CLAIMING.lock().await;
        for (ledger, lease) in self.ledgers.into_iter().zip(leases) {
            let claimed = ledger.claim_lanes(lease, Wanted::Due, 1_000, claims_at);
            claimed.await.unwrap();
        }
    }

    /// The event as its last choice took it, sometimes as an earlier one or none did.
    pub(super) fn choice(&self, jti: Jti) -> Choice {
        let choices = self.choices.get(&jti).map_or(&[][..], Vec::as_slice);
        let choice = match self.interactions % 8 {
            0 => None,
            1 => choices.first(),
            _ => choices.last(),
        };
        Choice {
            jti,
            in_flight_until: choice.copied().unwrap_or(DAWN),
        }
    }

    /// By each node, and by nobody's claim.
    pub(super) async fn recheck(&mut self, tpp: usize, jtis: Vec<Jti>) {
        let [model, backend] = self.ledgers;
        if let (Company::Among { .. }, Some([first, second])) = (&self.company, &self.leases[0]) {
            self.claim([first.clone(), second.clone()]).await;
        }
        let id = self.name(tpp);
        let mut claims = vec![(None, None)];
        for [first, second] in self.leases.iter().flatten() {
            let first = newest_claim(model, first, &id).await;
            let second = newest_claim(backend, second, &id).await;
            claims.push((Some(first), Some(second)));
        }
        for (first, second) in claims {
            let id = id.clone();
            let first = model.recheck(first, id.clone(), jtis.clone()).await;
            let second = backend.recheck(second, id, jtis.clone()).await;
            agree(&whole(&first), &whole(&second));
        }
    }

    pub(super) async fn attempt(&mut self, tpp: usize, event: EventOf, verdict: &VerdictOf) {
        self.interactions += 1;
        let verdict = match verdict {
            VerdictOf::Acknowledged => Verdict::Acknowledged,
            VerdictOf::RefusedFor(time) => Verdict::Refused {
                again_at: Some(self.now + *time),
            },
            VerdictOf::RefusedForGood => Verdict::Refused { again_at: None },
            VerdictOf::EndpointFailed => Verdict::EndpointFailed,
        };
        let named = self.named(tpp, &[event])[0];
        let mut chosen = self.accepted[tpp].iter().rev();
        let jti = match chosen.find(|jti| self.choices.contains_key(jti)) {
            Some(chosen) if !self.choices.contains_key(&named) => *chosen,
            _ => named,
        };
        let attempt = Attempt {
            jti,
            started_at: self.now,
            latency: Duration::from_millis(self.interactions),
            interaction_id: interaction(&format!("push-{}", self.interactions)),
            peer: Peer {
                address: Some(([192, 0, 2, 1], 443).into()),
                tls_version: Some("TLSv1.3".to_owned()),
                certificate_thumbprint: None,
            },
            answer: Answer::Error {
                class: "timeout".to_owned(),
                detail: "no head".to_owned(),
            },
            verdict,
        };
        let ended = Ended {
            in_flight_until: self.choice(jti).in_flight_until,
            attempt,
        };
        // Sometimes the answer is lost, and the same is asked again beside what is new.
        let again = self.recorded[tpp].replace(ended.clone());
        let again = again.filter(|_| self.interactions.is_multiple_of(3));
        let all: Vec<Ended> = again.into_iter().chain([ended]).collect();
        let now = self.now;
        both!(
            self,
            |it| it.record_attempts(self.name(tpp), all.clone(), now),
            whole
        )
        .unwrap();
    }
}
