//! Where spans begin, and where they go: a bounded queue that whoever exports reads. Nothing here waits.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::time::Clock;
use oyez_domain::trace::TraceContext;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::remembered::Remembered;
use crate::span::{Kind, Open, Span, Value, nanoseconds};

/// Sixteen random bytes, fresh at each call.
pub type Chance = Arc<dyn Fn() -> [u8; 16] + Send + Sync>;

/// Begins spans.
pub struct Tracer {
    queue: mpsc::Sender<Span>,
    counts: Arc<Counts>,
    chance: Chance,
    /// A trace of ours is recorded if the last seven bytes of its id are a number below this.
    sampled_below: u64,
    remembered: Remembered,
    origin: Instant,
    /// The wall's clock at the origin, in nanoseconds; set right when somebody sets the clock.
    origin_ns: AtomicI64,
    clock: Arc<dyn Clock>,
}

/// What became of spans.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) exported: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// What became of spans, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// The collector has them.
    pub exported: u64,
    /// They found no room.
    pub dropped: u64,
    /// The collector did not take them.
    pub refused: u64,
}

/// Spans that wait to be exported.
#[derive(Debug)]
pub struct Gathered {
    pub(crate) queue: mpsc::Receiver<Span>,
    pub(crate) counts: Arc<Counts>,
}

impl Gathered {
    /// The next span; `None` when nobody can record any more.
    pub async fn next(&mut self) -> Option<Span> {
        self.queue.recv().await
    }
}

impl Tracer {
    /// Records this part of the traces that begin here, from 0 to 1; those that others began are recorded as they say.
    pub fn new(ratio: f64, chance: Chance, clock: Arc<dyn Clock>) -> (Arc<Self>, Gathered) {
        let (sender, queue) = mpsc::channel(SPANS_MAX);
        let counts = Arc::new(Counts::default());
        let tracer = Self {
            queue: sender,
            counts: Arc::clone(&counts),
            chance,
            sampled_below: threshold(ratio),
            remembered: Remembered::default(),
            origin: Instant::now(),
            origin_ns: AtomicI64::new(wall(&*clock)),
            clock,
        };
        (Arc::new(tracer), Gathered { queue, counts })
    }

    /// Begins a span below another, or a trace.
    pub fn open(
        self: &Arc<Self>,
        name: &'static str,
        kind: Kind,
        parent: Option<&TraceContext>,
    ) -> Open {
        Open::new(self, name, kind, parent)
    }

    /// A fresh place below another, or in a trace of its own.
    pub fn below(&self, parent: Option<&TraceContext>) -> TraceContext {
        let random = (self.chance)();
        let mut span_id = [0; 8];
        span_id.copy_from_slice(&random[8..]);
        // All zero would mean "none".
        span_id[0] |= 1;
        match parent {
            Some(parent) => TraceContext {
                span_id,
                ..parent.clone()
            },
            None => {
                let mut trace_id = (self.chance)();
                trace_id[0] |= 1;
                let mut number = [0; 8];
                number[1..].copy_from_slice(&trace_id[9..]);
                TraceContext {
                    trace_id,
                    span_id,
                    is_sampled: u64::from_be_bytes(number) < self.sampled_below,
                    state: None,
                }
            }
        }
    }

    /// Tells of a step of one event that has just ended, below what its publisher said; `None`: nobody records it. With what
    /// the step is called and how long it took, `span_id` where it is known outside already.
    pub fn step(&self, step: Step<'_>) {
        let Some(parent) = step.trace.filter(|parent| parent.is_sampled) else {
            return;
        };
        let ended_ns = self.now_ns();
        let mut context = self.below(Some(parent));
        if let Some(span_id) = step.span_id {
            context.span_id = span_id;
        }
        let mut attributes = vec![
            ("oyez.jti", Value::Text(step.jti.to_string())),
            ("oyez.tpp", Value::from(step.client_id.as_str())),
        ];
        attributes.extend(step.attributes);
        self.record(Span {
            context,
            parent: Some(parent.span_id),
            name: step.name,
            kind: step.kind,
            began_ns: ended_ns.saturating_sub(nanoseconds(step.took)),
            ended_ns,
            attributes,
            links: step.links,
            is_error: step.is_error,
        });
    }

    /// Tells of something that has just ended, below another; at a place that others were told before.
    pub fn ended(
        &self,
        name: &'static str,
        (context, parent): (TraceContext, &TraceContext),
        (took, is_error): (Duration, bool),
        attributes: Vec<(&'static str, Value)>,
    ) {
        if !context.is_sampled {
            return;
        }
        let ended_ns = self.now_ns();
        self.record(Span {
            context,
            parent: Some(parent.span_id),
            name,
            kind: Kind::Internal,
            began_ns: ended_ns.saturating_sub(nanoseconds(took)),
            ended_ns,
            attributes,
            links: Vec::new(),
            is_error,
        });
    }

    /// Remembers where the trace of an event leads on, for what is done without its notice.
    pub fn remember(&self, jti: Jti, trace: Option<&TraceContext>) {
        if let Some(trace) = trace.filter(|trace| trace.is_sampled) {
            self.remembered.insert(jti, trace);
        }
    }

    /// Where the trace of an event leads on, if that is remembered.
    pub fn trace_of(&self, jti: Jti) -> Option<TraceContext> {
        self.remembered.find(jti)
    }

    /// The same, of an event that has ended.
    pub fn last_of(&self, jti: Jti) -> Option<TraceContext> {
        self.remembered.take(jti)
    }

    /// What became of spans so far.
    pub fn tally(&self) -> Tally {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Tally {
            exported: of(&self.counts.exported),
            dropped: of(&self.counts.dropped),
            refused: of(&self.counts.refused),
        }
    }

    /// Sets the clock of spans right, after somebody set the machine's.
    pub(crate) fn look_at_the_clock(&self) {
        let by_wall = wall(&*self.clock);
        let ours = i64::try_from(self.now_ns()).unwrap_or(i64::MAX);
        let apart = by_wall.saturating_sub(ours);
        if apart.unsigned_abs() > nanoseconds(APART_MAX) {
            self.origin_ns.fetch_add(apart, Ordering::Relaxed);
        }
    }

    pub(crate) fn now_ns(&self) -> u64 {
        let origin = u64::try_from(self.origin_ns.load(Ordering::Relaxed)).unwrap_or(0);
        origin + nanoseconds(self.origin.elapsed())
    }

    pub(crate) fn record(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A step of one event that has just ended.
#[derive(Debug)]
pub struct Step<'a> {
    /// What was done.
    pub name: &'static str,
    /// On which side of a wire.
    pub kind: Kind,
    /// To which event.
    pub jti: Jti,
    /// Whose event it is.
    pub client_id: &'a ClientId,
    /// Below what.
    pub trace: Option<&'a TraceContext>,
    /// Its id, where somebody outside was told already.
    pub span_id: Option<[u8; 8]>,
    /// How long it took.
    pub took: Duration,
    /// It did not do what it was to do.
    pub is_error: bool,
    /// More of it.
    pub attributes: Vec<(&'static str, Value)>,
    /// What else it belongs to.
    pub links: Vec<TraceContext>,
}

impl<'a> Step<'a> {
    /// That went well, inside.
    pub fn new(
        name: &'static str,
        (client_id, jti): (&'a ClientId, Jti),
        trace: Option<&'a TraceContext>,
        took: Duration,
    ) -> Self {
        Self {
            name,
            kind: Kind::Internal,
            jti,
            client_id,
            trace,
            span_id: None,
            took,
            is_error: false,
            attributes: Vec::new(),
            links: Vec::new(),
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// In 56 bits, as the recommendation for consistent sampling has it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a ratio of 2^56, clamped: rounding is harmless, and the sign is not negative"
)]
fn threshold(ratio: f64) -> u64 {
    (ratio.clamp(0.0, 1.0) * (1_u64 << 56) as f64) as u64
}

fn wall(clock: &dyn Clock) -> i64 {
    clock.now().unix_ms().saturating_mul(1_000_000)
}

/// Some seconds of what a busy node records, in a few megabytes.
const SPANS_MAX: usize = 8_192;
/// The wall's clock is read to the millisecond, and is set by little all the time.
const APART_MAX: Duration = Duration::from_millis(10);
