//! Delivery as this server runs it: the ledger, the issuer, HTTPS, the clocks, and who hears what comes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use oyez_delivery::post::{self, Postman};
use oyez_delivery::{Chance, Delivery, LEASE_TTL, Observe, Options, Parts, Steady, Trouble};
use oyez_domain::ids::{ClientId, InteractionId, Jti, NodeId};
use oyez_domain::ledger::lanes::Health;
use oyez_domain::ledger::push::{Answer, Attempt};
use oyez_domain::time::Clock;
use oyez_domain::trace::TraceContext;
use oyez_domain::versions::FinancialId;
use oyez_outbound::{HeaderValue, SystemResolver};
use oyez_telemetry::{Kind, Step, Tracer, Value};
use oyez_web::Bank;
use oyez_web::metrics::{Delivered, Metrics, Pushed};
use tokio_util::task::TaskTracker;

use super::material::Material;
use super::outward::Outward;
use crate::config::{Backend, Config};
use crate::failure::Failure;

/// Everything that pushes.
pub(super) fn delivery(
    config: &Config,
    bank: &Bank,
    node_id: NodeId,
    leased: Leased,
    material: &mut Material,
    tasks: &TaskTracker,
) -> Result<Arc<Delivery>, Failure> {
    let random = bank.random.clone();
    let chance: Chance = Arc::new(move || random.bytes());
    let parts = Parts {
        store: Arc::clone(&bank.store),
        issue: Arc::clone(&bank.issuer) as _,
        post: Arc::new(postman(config, bank, material, tasks)?),
        clock: Arc::clone(&bank.clock),
        steady: Arc::new(RunsThroughSleep),
        chance,
        observe: Arc::new(Watch::of(config, bank, leased)),
    };
    let delivery = Delivery::new(parts, options(config, node_id));
    bank.store.listen(Arc::downgrade(&delivery) as _);
    Ok(delivery)
}

fn options(config: &Config, node_id: NodeId) -> Options {
    let (push, retry) = (&config.push, &config.retry);
    Options {
        at_once_max: push.at_once_max,
        order: push.order,
        acknowledgement: push.acknowledgement,
        header_profile: config.signing.header_profile,
        retry: retry.policy(),
        slow_probe: push.slow_probe,
        attempt_time_max: push.total_timeout,
        lease_ttl: match config.store.backend {
            Backend::Sqlite => LEASE_TTL,
            Backend::Postgres => config.store.takeover,
        },
        ..Options::of(node_id)
    }
}

fn postman(
    config: &Config,
    bank: &Bank,
    material: &mut Material,
    tasks: &TaskTracker,
) -> Result<Postman, Failure> {
    let outward = Outward::new(config, Arc::clone(&bank.clock), tasks.clone())?;
    let options = post::Options {
        financial_id: financial_id(config, bank),
        user_agent: HeaderValue::from_static(concat!("oyez/", env!("CARGO_PKG_VERSION"))),
        addresses: outward.tpp_addresses(),
        proxy: outward.proxy(),
        connect_time_max: config.push.connect_timeout,
        attempt_time_max: config.push.total_timeout,
    };
    let parts = post::Parts {
        tls: material.push_tls(config)?,
        resolver: Arc::new(SystemResolver),
        clock: Arc::clone(&bank.clock),
        tracker: tasks.clone(),
    };
    Ok(Postman::new(options, parts))
}

/// As long as any version asks for it, and nobody switched it off (D-01).
fn financial_id(config: &Config, bank: &Bank) -> Option<HeaderValue> {
    let wanted = bank.rules.versions.financial_id() == FinancialId::Sent;
    let org_id = HeaderValue::try_from(config.bank.org_id.to_string());
    let org_id = org_id.expect("an org_id is the text of a header");
    wanted.then_some(org_id)
}

/// `CLOCK_BOOTTIME`.
struct RunsThroughSleep;

impl Steady for RunsThroughSleep {
    fn elapsed(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::from_secs(seconds)
            + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
    }
}

/// Tells log, metrics and traces.
struct Watch {
    metrics: Arc<Metrics>,
    tracer: Option<Arc<Tracer>>,
    /// Says to TPPs where in a trace a push is.
    to_tpps: Option<Arc<Tracer>>,
    clock: Arc<dyn Clock>,
    leased: Leased,
}

/// Whether this node holds its lease.
#[derive(Debug, Clone, Default)]
pub(super) struct Leased(Arc<AtomicBool>);

impl Leased {
    pub(super) fn is_held(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Watch {
    fn of(config: &Config, bank: &Bank, leased: Leased) -> Self {
        let tracer = bank.tracer.clone();
        Self {
            metrics: Arc::clone(&bank.metrics),
            to_tpps: tracer
                .clone()
                .filter(|_| config.telemetry.traceparent_to_tpps),
            tracer,
            clock: Arc::clone(&bank.clock),
            leased,
        }
    }

    /// The span of a push that has ended, where its event is traced.
    fn trace(&self, tracer: &Tracer, client_id: &ClientId, attempt: &Attempt, pushed: Pushed) {
        let (jti, is_acknowledged) = (attempt.jti, pushed == Pushed::Acknowledged);
        let trace = if is_acknowledged {
            tracer.last_of(jti)
        } else {
            tracer.trace_of(jti)
        };
        if trace.is_none() {
            return;
        }
        let id = Value::from(attempt.interaction_id.as_str());
        let mut attributes = vec![("oyez.interaction_id", id)];
        attributes.push(match &attempt.answer {
            Answer::Response { status, .. } => ("http.response.status_code", (*status).into()),
            Answer::Error { class, .. } => ("error.type", class.to_string().into()),
        });
        tracer.step(Step {
            kind: Kind::Client,
            span_id: Some(span_of(&attempt.interaction_id)),
            is_error: !is_acknowledged,
            attributes,
            ..Step::new("push", (client_id, jti), trace.as_ref(), attempt.latency)
        });
    }
}

/// The span of an attempt, which is told to the TPP before the span is there: the end of its interaction id, which is drawn.
fn span_of(interaction_id: &InteractionId) -> [u8; 8] {
    let digits: String = interaction_id
        .as_str()
        .chars()
        .filter(char::is_ascii_hexdigit)
        .collect();
    let tail = digits.get(digits.len().saturating_sub(16)..);
    let number = tail.and_then(|tail| u64::from_str_radix(tail, 16).ok());
    let mut span_id = number.unwrap_or_default().to_be_bytes();
    // All zero would mean "none".
    span_id[0] |= 1;
    span_id
}

impl Observe for Watch {
    fn attempt_ended(&self, client_id: &ClientId, attempt: &Attempt) {
        let pushed = Pushed::from(&attempt.verdict);
        self.metrics.push(client_id, pushed, attempt.latency);
        if pushed == Pushed::Acknowledged {
            let after = self.clock.now().since(attempt.jti.moment());
            self.metrics.delivered(client_id, Delivered::ByPush, after);
        }
        if let Some(tracer) = &self.tracer {
            self.trace(tracer, client_id, attempt, pushed);
        }
        if pushed != Pushed::Acknowledged {
            let (jti, why) = (attempt.jti, why(&attempt.answer));
            tracing::info!(%client_id, %jti, outcome = ?pushed, why, "a push was not acknowledged");
        }
    }

    fn traceparent(&self, jti: Jti, interaction_id: &InteractionId) -> Option<String> {
        let trace = self.to_tpps.as_ref()?.trace_of(jti)?;
        let context = TraceContext {
            span_id: span_of(interaction_id),
            ..trace
        };
        Some(context.to_string())
    }

    fn health_changed(&self, client_id: &ClientId, from: &Health, to: &Health) {
        match to {
            Health::Responsive => tracing::info!(%client_id, ?from, "an endpoint is back"),
            Health::Failing { failures: 1, .. } => {
                tracing::warn!(%client_id, ?to, "an endpoint fails");
            }
            Health::Failing { .. } => tracing::info!(%client_id, ?to, "an endpoint still fails"),
            Health::Unresponsive { .. } if matches!(from, Health::Unresponsive { .. }) => {
                tracing::info!(%client_id, ?to, "an endpoint is still unresponsive");
            }
            Health::Unresponsive { .. } => tracing::error!(
                %client_id, ?to,
                "an endpoint is unresponsive: its events wait for polls, a PUT, an operator or the slow probe"
            ),
            Health::Paused { .. } => tracing::info!(%client_id, "an endpoint is paused"),
        }
    }

    fn lanes_owned(&self, lanes: usize) {
        self.metrics.lanes_owned(lanes);
    }

    fn in_flight(&self, attempts: usize) {
        self.metrics.pushes_in_flight(attempts);
    }

    fn lease_held(&self) {
        self.leased.0.store(true, Ordering::Relaxed);
    }

    fn lease_lost(&self) {
        self.leased.0.store(false, Ordering::Relaxed);
        tracing::warn!("the lease on delivery is over: nothing is pushed until there is another");
    }

    fn trouble(&self, trouble: Trouble<'_>) {
        match trouble {
            Trouble::Ledger { client_id, error } => {
                let client_id = client_id.map(tracing::field::display);
                tracing::warn!(client_id, %error, "the ledger failed delivery; it is tried again");
            }
            Trouble::Unsigned { client_id, error } => {
                tracing::warn!(%client_id, %error, "an event got no SET; it is tried again");
            }
            Trouble::Panicked { client_id } => {
                tracing::error!(%client_id, "a lane panicked; report this. Its events are tried again");
            }
        }
    }
}

fn why(answer: &Answer) -> String {
    match answer {
        Answer::Response { status, .. } => status.to_string(),
        Answer::Error { class, detail } => format!("{class}: {detail}"),
    }
}
