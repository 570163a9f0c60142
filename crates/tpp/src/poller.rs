//! Polls a bank for as long as it is let (R-02): fetch, verify, hand over, and only then acknowledge.
//!
//! It keeps nothing over a restart and needs nothing: what was not acknowledged comes again, and the intake knows what it
//! had. It asks the bank to wait for events; one that does not wait, or will not be asked to, is polled at an interval.
//! Trouble at either side makes it wait, longer each time, and as long as the bank says.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::error_chain::chain;
use oyez_domain::ids::InteractionId;
use oyez_domain::ledger::poll::SetError;
use tokio::time::{Instant, sleep_until, timeout};

use crate::bank::Bank;
use crate::error::Error;
use crate::hand_over::{Notification, Repeat, Via};
use crate::intake::{Intake, Taken};
use crate::polls::{PollRequest, Polled};

/// Polls one bank. Pollers of many banks run side by side; give each its own.
///
/// ```no_run
/// use oyez_tpp::{Bank, Intake, Pace, Poller, PollerSetup, Round};
///
/// # async fn example(banks: Vec<Bank>, intake: Intake, stop: tokio_util::sync::CancellationToken) {
/// let pollers = banks.into_iter().map(|bank| {
///     let setup = PollerSetup {
///         name: bank.setup().identity.org_id.as_str().into(),
///         bank,
///         intake: intake.clone(),
///         pace: Pace::default(),
///         observer: Some(std::sync::Arc::new(|round: &Round| {
///             if let Round::Failed { error, again_in } = round {
///                 eprintln!("{error}; again in {again_in:?}");
///             }
///         })),
///     };
///     let stop = stop.clone();
///     async move { Poller::new(setup).run(stop.cancelled()).await }
/// });
/// let tasks = tokio_util::task::TaskTracker::new();
/// for poller in pollers {
///     tasks.spawn(poller);
/// }
/// tasks.close();
/// tasks.wait().await;
/// # }
/// ```
pub struct Poller {
    setup: PollerSetup,
    /// Whether the bank is asked to wait. It may turn out not to like that.
    waits: Waits,
    /// What the bank is still to be told.
    reports: VecDeque<(String, Report)>,
    /// At most so many are told at once.
    reports_max: usize,
    /// Rounds that went wrong in a row.
    failures: u32,
}

/// Everything that a [`Poller`] is made of.
pub struct PollerSetup {
    /// How the application calls the bank.
    pub name: Arc<str>,
    /// Whom to poll.
    pub bank: Bank,
    /// Where events go.
    pub intake: Intake,
    /// How often.
    pub pace: Pace,
    /// Hears how each round ended, for logs.
    pub observer: Option<PollObserver>,
}

/// How often a bank is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Whether the bank is asked to wait for an event.
    pub waits: Waits,
    /// How many events to ask for; `None`: as many as the bank likes.
    pub events_max: Option<u32>,
    /// From one poll that brought nothing to the next, if the bank did not wait as long.
    pub interval: Duration,
    /// The first wait after trouble. Each further one is twice as long.
    pub backoff: Duration,
    /// No wait is longer, not even one that the bank asks for.
    pub backoff_max: Duration,
}

/// Whether a bank is asked to wait for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// Long polling.
    Asked,
    /// Each poll is answered at once.
    NotAsked,
}

/// Hears how rounds ended.
pub type PollObserver = Arc<dyn Fn(&Round) + Send + Sync>;

/// How a round ended.
#[derive(Debug)]
pub enum Round {
    /// The bank answered, and what it handed out was seen to.
    Done(Yield),
    /// It went wrong.
    Failed {
        /// How.
        error: Error,
        /// The next one begins after this.
        again_in: Duration,
    },
    /// The bank will not be asked to wait: it is polled at an interval from now on.
    WillNotWait(Error),
    /// The bank refuses to be told of this one event, and is not told again. It will hand it out again.
    WillNotBeTold {
        /// Which.
        jti: String,
        /// Why.
        error: Error,
    },
}

/// What a round brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Yield {
    /// Events that the application has since now.
    pub handed_over: usize,
    /// Events that it had.
    pub had: usize,
    /// What is not to be believed, and what the application will never take: the bank is told why.
    pub refused: Vec<(String, SetError)>,
    /// What could not be taken this time: jti and reason.
    pub not_now: Vec<(String, String)>,
    /// Whether the bank has more.
    pub more_available: bool,
}

/// What the bank is told of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Report {
    Ack,
    Error(SetError),
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            waits: Waits::Asked,
            events_max: None,
            interval: Duration::from_secs(5),
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(300),
        }
    }
}

impl Poller {
    /// Polls nothing before it runs.
    pub fn new(setup: PollerSetup) -> Self {
        Self {
            waits: setup.pace.waits,
            setup,
            reports: VecDeque::new(),
            reports_max: REPORTS_MAX,
            failures: 0,
        }
    }

    /// Polls until `stop`. What is being handed over then is handed over, and what the application has is acknowledged.
    pub async fn run(&mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let begun = Instant::now();
            let request = self.request(self.waits);
            let polled = tokio::select! {
                biased;
                () = &mut stop => break,
                polled = self.setup.bank.polls().poll(&request) => polled,
            };
            let next = match polled {
                Ok(answer) => {
                    let interaction_id = answer.interaction_id;
                    self.told(&request);
                    let brought = self.take(answer.value, Some(interaction_id)).await;
                    self.next_after(brought, begun)
                }
                Err(error) => self.next_after_trouble(error, &request),
            };
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = sleep_until(next) => {}
            }
        }
        self.say_farewell().await;
    }

    /// Polls until the bank has nothing more, without asking it to wait, and acknowledges everything.
    pub async fn drain(&mut self) -> Result<Yield, Error> {
        let mut all = Yield::default();
        loop {
            let request = self.request(Waits::NotAsked);
            let answer = self.setup.bank.polls().poll(&request).await?;
            let interaction_id = answer.interaction_id;
            self.told(&request);
            let brought = self.take(answer.value, Some(interaction_id)).await;
            let is_dry = brought.is_empty() || !brought.not_now.is_empty();
            self.observe(&Round::Done(brought.clone()));
            all.add(brought);
            if is_dry {
                self.acknowledge().await?;
                return Ok(all);
            }
        }
    }

    fn request(&self, waits: Waits) -> PollRequest {
        let mut request = PollRequest {
            max_events: self.setup.pace.events_max,
            return_immediately: Some(waits == Waits::NotAsked),
            ..PollRequest::default()
        };
        for (jti, report) in self.reports.iter().take(self.reports_max) {
            match report {
                Report::Ack => request.ack.push(jti.clone()),
                Report::Error(error) => request.set_errs.push((jti.clone(), error.clone())),
            }
        }
        request
    }

    /// The bank has heard the reports of this request.
    fn told(&mut self, request: &PollRequest) {
        self.reports.drain(..reports_of(request));
        self.reports_max = REPORTS_MAX;
    }

    /// Hands over what can be believed.
    async fn take(&mut self, polled: Polled, interaction_id: Option<InteractionId>) -> Yield {
        let mut brought = Yield {
            more_available: polled.more_available,
            ..Yield::default()
        };
        let received_at = self.setup.bank.setup().clock.now();
        let (mut jtis, mut notifications) = (Vec::new(), Vec::new());
        for set in polled.sets {
            match set.outcome {
                Ok(verified) => {
                    jtis.push(set.jti);
                    notifications.push(Notification {
                        bank: Arc::clone(&self.setup.name),
                        claims: verified.claims,
                        raw: set.raw,
                        via: Via::Poll,
                        interaction_id: interaction_id.clone(),
                        received_at,
                        repeat: Repeat::No,
                    });
                }
                Err(error) => match error.report() {
                    Some(report) => brought.refused.push((set.jti, report)),
                    None => brought.not_now.push((set.jti, chain(&error))),
                },
            }
        }
        let taken = self.setup.intake.take(notifications).await;
        for (jti, taken) in jtis.into_iter().zip(taken) {
            match taken {
                Taken::HandedOver => brought.handed_over += 1,
                Taken::HadIt => brought.had += 1,
                Taken::Refused(error) => {
                    brought.refused.push((jti, error));
                    continue;
                }
                Taken::NotNow(reason) => {
                    brought.not_now.push((jti, chain(&reason)));
                    continue;
                }
            }
            self.reports.push_back((jti, Report::Ack));
        }
        let refused = brought.refused.iter().cloned();
        self.reports
            .extend(refused.map(|(jti, error)| (jti, Report::Error(error))));
        brought
    }

    /// When to poll again after a poll that began then.
    fn next_after(&mut self, brought: Yield, begun: Instant) -> Instant {
        let now = Instant::now();
        let next = if !brought.not_now.is_empty() {
            now + self.backoff()
        } else if brought.is_empty() && self.reports.is_empty() {
            self.failures = 0;
            begun + self.setup.pace.interval
        } else {
            self.failures = 0;
            now
        };
        self.observe(&Round::Done(brought));
        next
    }

    fn next_after_trouble(&mut self, error: Error, request: &PollRequest) -> Instant {
        let now = Instant::now();
        let status = error.refusal().map(|refused| refused.status);
        let is_refused = matches!(status, Some(400 | 422));
        match (is_refused, reports_of(request)) {
            // Is it one of the reports? The half of them, and so on, until it is found.
            (true, 2..) => {
                self.reports_max = reports_of(request) / 2;
                return now + self.fail(error);
            }
            (true, 1) => {
                if let Some((jti, _)) = self.reports.pop_front() {
                    self.reports_max = REPORTS_MAX;
                    self.observe(&Round::WillNotBeTold { jti, error });
                }
                return now + self.backoff();
            }
            (true, _) if request.return_immediately == Some(false) => {
                self.waits = Waits::NotAsked;
                self.observe(&Round::WillNotWait(error));
                return now + self.backoff();
            }
            _ => {}
        }
        now + self.fail(error)
    }

    /// Tells of trouble; answers how long to wait.
    fn fail(&mut self, error: Error) -> Duration {
        let asked = error.refusal().and_then(|refused| refused.retry_after);
        let again_in = self.backoff().max(asked.unwrap_or_default());
        let again_in = again_in.min(self.setup.pace.backoff_max);
        self.observe(&Round::Failed { error, again_in });
        again_in
    }

    /// The next wait: of twice the last one, the upper half, by chance, so that many who failed together do not come together.
    fn backoff(&mut self) -> Duration {
        let Pace {
            backoff,
            backoff_max,
            ..
        } = self.setup.pace;
        let step = backoff.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        let step = step.min(backoff_max);
        step / 2 + (step / 2).mul_f64(self.setup.bank.setup().random.fraction())
    }

    /// Acknowledges what the application has, once; whoever stops does not wait for long. What is not heard comes again.
    async fn say_farewell(&mut self) {
        if self.reports.is_empty() {
            return;
        }
        let told = timeout(FAREWELL_MAX, self.acknowledge()).await;
        if let Ok(Err(error)) = told {
            let again_in = Duration::ZERO;
            self.observe(&Round::Failed { error, again_in });
        }
    }

    /// Tells everything that is to be told, and asks for nothing.
    async fn acknowledge(&mut self) -> Result<(), Error> {
        while !self.reports.is_empty() {
            let request = PollRequest {
                max_events: Some(0),
                ..self.request(Waits::NotAsked)
            };
            let answer = self.setup.bank.polls().poll(&request).await?;
            self.told(&request);
            // A bank that knows no 0 hands out all the same. It will again.
            drop(answer);
        }
        Ok(())
    }

    fn observe(&self, round: &Round) {
        if let Some(observer) = &self.setup.observer {
            observer(round);
        }
    }
}

impl Yield {
    /// Whether nothing was handed out.
    pub fn is_empty(&self) -> bool {
        self.handed_over + self.had + self.refused.len() + self.not_now.len() == 0
    }

    fn add(&mut self, other: Self) {
        self.handed_over += other.handed_over;
        self.had += other.had;
        self.refused.extend(other.refused);
        self.not_now.extend(other.not_now);
        self.more_available = other.more_available;
    }
}

fn reports_of(request: &PollRequest) -> usize {
    request.ack.len() + request.set_errs.len()
}

/// Far more than a bank hands out at once.
const REPORTS_MAX: usize = 1_000;
const FAREWELL_MAX: Duration = Duration::from_secs(5);
