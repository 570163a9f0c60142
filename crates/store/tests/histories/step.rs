//! One step of a history: a request with everything in it but names. TPPs, nodes and events are numbers that the player
//! looks up among those there are, so that every shrunken history is still a history.

use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ledger::history::Retention;
use oyez_domain::ledger::lanes::{Health, HealthState, Hold, Reason, Wanted};
use oyez_domain::ledger::poll::{Limits, Patience};
use oyez_domain::ledger::registering::Kind;
use oyez_domain::ledger::sets::Look;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use oyez_domain::version::ApiVersion;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use oyez_testkit::making::{DAWN, LINKED, REVOKED, UPDATE};

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Pass(Duration),
    /// Somebody sets the clock back.
    SetBack(Duration),
    Govern(usize, Act),
    Mend(usize, Mend),
    /// A key by number is compromised.
    Disown(usize),
    Register(usize, Change),
    Lane(usize, Turn),
    Accept(Vec<Item>),
    /// A batch whose last item has the jti of an event that was accepted before.
    AcceptAgain(Vec<Item>, usize),
    Poll(Box<PollOf>),
    Keep {
        newest: usize,
        bytes: Bytes,
        key: usize,
        handed_out: Option<Option<NonZeroU32>>,
    },
    Recheck(usize, Vec<EventOf>),
    /// A node claims what it can and chooses for a TPP.
    Look(usize, usize, Look),
    PutBack(usize, Vec<EventOf>),
    ListLanes(Option<HealthState>, Option<usize>, u32),
    Attempt(usize, EventOf, VerdictOf),
    Expire {
        accepted_ago: Duration,
        events_max: u32,
    },
    Sweep(Retention),
}

/// What an operator does to a TPP.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Register,
    Change(DeliveryOrder),
    Disable,
    Enable,
    Pause,
    Resume,
}

/// What an operator does to a TPP's events.
#[derive(Debug, Clone)]
pub(crate) enum Mend {
    Withdraw(Vec<EventOf>),
    RetryPushes(Vec<EventOf>),
    Requeue {
        accepted_ago: Duration,
        events_max: u32,
    },
}

/// A change of a TPP's registrations; `owner` has the one that is named.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Create {
        wish: WishOf,
        api: ApiVersion,
    },
    Replace {
        owner: usize,
        wish: WishOf,
        api: ApiVersion,
    },
    Delete {
        owner: usize,
        kind: Kind,
        api: ApiVersion,
    },
    Remove(Kind),
}

/// What a node does.
#[derive(Debug, Clone)]
pub(crate) enum Turn {
    Join(Duration),
    Renew(Duration),
    Release,
    Claim {
        wanted: Wanted,
        lanes_max: u32,
    },
    /// By the newest claim, or one so many before it.
    Report {
        tpp: usize,
        age: u64,
        health: Health,
        hold: Hold,
    },
}

/// Which of two signers' bytes are to be kept.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bytes {
    One,
    Other,
}

/// What a registration says, before it is the TPP's own.
#[derive(Debug, Clone)]
pub(crate) enum WishOf {
    Subscription {
        pushed: bool,
        types: Option<Vec<&'static str>>,
        version: &'static str,
    },
    CallbackUrl,
}

/// One submission.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) tpp: usize,
    pub(crate) family: Family,
    pub(crate) types: Vec<&'static str>,
    /// An idempotency key by number, and what stands for the content.
    pub(crate) key: Option<(u8, u8)>,
}

/// A poll.
#[derive(Debug, Clone)]
pub(crate) struct PollOf {
    pub(crate) tpp: usize,
    pub(crate) acks: Vec<EventOf>,
    pub(crate) errors: Vec<(EventOf, &'static str)>,
    pub(crate) events_max: u32,
    pub(crate) families: Vec<Family>,
    pub(crate) patience: Patience,
    pub(crate) limits: Limits,
}

/// A verdict; refusals are for so long.
#[derive(Debug, Clone)]
pub(crate) enum VerdictOf {
    Acknowledged,
    RefusedFor(Duration),
    RefusedForGood,
    EndpointFailed,
}

pub(crate) const TPPS: usize = 3;
pub(crate) const NODES: usize = 2;
/// A key is disowned once and for all: enough of them that some last.
const KEYS: usize = 6;

/// An event as a step names it: counted back from the newest, so that most requests are about what is still alive.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EventOf {
    /// Among those accepted for the TPP that asks.
    Own(usize),
    /// Among all jtis ever given: another's, one that was not accepted, or none at all.
    Any(usize),
}

/// Whether nodes claim lanes: who gets a lane depends on everybody who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lanes {
    Played,
    LeftOut,
}

pub(crate) fn history(steps_max: usize, nodes: Lanes) -> impl Strategy<Value = Vec<Step>> {
    let of_lanes = match nodes {
        Lanes::Played => lanes().boxed(),
        Lanes::LeftOut => operators().boxed(),
    };
    let step = prop_oneof![
        30 => events().boxed(),
        10 => delivery().boxed(),
        8 => registrations().boxed(),
        5 => operators().boxed(),
        8 => of_lanes,
        12 => span().prop_map(Step::Pass),
        2 => prop_oneof![4 => span(), 1 => Just(DAY)].prop_map(Step::SetBack),
        2 => retention(),
    ];
    vec(step, 1..steps_max)
}

fn events() -> impl Strategy<Value = Step> {
    let handed_out = option::of(option::weighted(0.3, cap(3)));
    let bytes = prop_oneof![Just(Bytes::One), Just(Bytes::Other)];
    prop_oneof![
        6 => vec(item(), 1..5).prop_map(Step::Accept),
        1 => (vec(item(), 0..3), tpp()).prop_map(|(items, tpp)| Step::AcceptAgain(items, tpp)),
        6 => poll().prop_map(|poll| Step::Poll(Box::new(poll))),
        4 => (1..4_usize, bytes, 0..KEYS, handed_out)
            .prop_map(|(newest, bytes, key, handed_out)| Step::Keep { newest, bytes, key, handed_out }),
        2 => (tpp(), vec(event(), 1..3)).prop_map(|(tpp, events)| Step::Recheck(tpp, events)),
    ]
}

fn delivery() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        Just(VerdictOf::Acknowledged),
        span().prop_map(VerdictOf::RefusedFor),
        Just(VerdictOf::RefusedForGood),
        Just(VerdictOf::EndpointFailed),
    ];
    let look = (0..4_u32, span()).prop_map(|(events_max, in_flight_for)| Look {
        events_max,
        in_flight_for,
    });
    prop_oneof![
        5 => (0..NODES, tpp(), look).prop_map(|(node, tpp, look)| Step::Look(node, tpp, look)),
        5 => (tpp(), event(), verdict)
            .prop_map(|(tpp, event, verdict)| Step::Attempt(tpp, event, verdict)),
        2 => (tpp(), vec(event(), 1..4)).prop_map(|(tpp, events)| Step::PutBack(tpp, events)),
    ]
}

fn registrations() -> impl Strategy<Value = Step> {
    let owned = || (tpp(), option::weighted(0.2, tpp()));
    prop_oneof![
        3 => (tpp(), wish(), api())
            .prop_map(|(tpp, wish, api)| Step::Register(tpp, Change::Create { wish, api })),
        3 => (owned(), wish(), api()).prop_map(|((tpp, owner), wish, api)| {
            Step::Register(tpp, Change::Replace { owner: owner.unwrap_or(tpp), wish, api })
        }),
        1 => (owned(), kind(), api()).prop_map(|((tpp, owner), kind, api)| {
            Step::Register(tpp, Change::Delete { owner: owner.unwrap_or(tpp), kind, api })
        }),
        1 => (tpp(), kind()).prop_map(|(tpp, kind)| Step::Register(tpp, Change::Remove(kind))),
    ]
}

fn operators() -> impl Strategy<Value = Step> {
    let order = prop_oneof![Just(DeliveryOrder::Concurrent), Just(DeliveryOrder::Strict)];
    let act = prop_oneof![
        2 => Just(Act::Register),
        2 => order.prop_map(Act::Change),
        1 => Just(Act::Disable),
        2 => Just(Act::Enable),
        1 => Just(Act::Pause),
        1 => Just(Act::Resume),
    ];
    let mend = prop_oneof![
        1 => vec(event(), 1..4).prop_map(Mend::Withdraw),
        2 => vec(event(), 1..4).prop_map(Mend::RetryPushes),
        3 => (span(), 0..3_u32)
            .prop_map(|(accepted_ago, events_max)| Mend::Requeue { accepted_ago, events_max }),
    ];
    prop_oneof![
        5 => (tpp(), act).prop_map(|(tpp, act)| Step::Govern(tpp, act)),
        5 => (tpp(), mend).prop_map(|(tpp, mend)| Step::Mend(tpp, mend)),
        2 => (0..KEYS).prop_map(Step::Disown),
    ]
}

fn lanes() -> impl Strategy<Value = Step> {
    let ttl = || prop_oneof![6 => Just(LONG), 1 => Just(Duration::ZERO)];
    let health = prop_oneof![
        2 => Just(Health::Responsive),
        2 => (1..5_u32, probe_at()).prop_map(|(failures, next_probe_at)| Health::Failing {
            since: DAWN,
            failures,
            next_probe_at,
            reason: Reason::new("503"),
        }),
        1 => option::of(probe_at()).prop_map(|next_probe_at| Health::Unresponsive {
            since: DAWN,
            declared_at: DAWN + LONG,
            failures: 9,
            next_probe_at,
            reason: Reason::new("connect: refused"),
        }),
    ];
    let wake_at = option::of(span().prop_map(|after| DAWN + after));
    let hold = prop_oneof![
        Just(Hold::Keep),
        wake_at.prop_map(|wake_at| Hold::LetGo { wake_at })
    ];
    let wanted = prop_oneof![
        2 => Just(Wanted::Due), 2 => Just(Wanted::Share), 1 => Just(Wanted::All)
    ];
    let age = prop_oneof![6 => Just(0_u64), 1 => Just(1)];
    let turn = prop_oneof![
        1 => ttl().prop_map(Turn::Join),
        1 => ttl().prop_map(Turn::Renew),
        1 => Just(Turn::Release),
        6 => (wanted, 1..3_u32)
            .prop_map(|(wanted, lanes_max)| Turn::Claim { wanted, lanes_max }),
        6 => (tpp(), age, health, hold)
            .prop_map(|(tpp, age, health, hold)| Turn::Report { tpp, age, health, hold }),
    ];
    let state = option::of(prop::sample::select(HealthState::ALL.to_vec()));
    prop_oneof![
        12 => (0..NODES, turn.boxed()).prop_map(|(node, turn)| Step::Lane(node, turn)),
        1 => (state, option::of(tpp()), 1..4_u32)
            .prop_map(|(state, after, rows_max)| Step::ListLanes(state, after, rows_max)),
    ]
}

fn probe_at() -> impl Strategy<Value = Timestamp> {
    prop_oneof![span(), Just(LONG)].prop_map(|after| DAWN + after)
}

fn retention() -> impl Strategy<Value = Step> {
    prop_oneof![
        (span(), 0..3_u32).prop_map(|(accepted_ago, events_max)| Step::Expire {
            accepted_ago,
            events_max
        }),
        (span(), span(), span()).prop_map(|(settled_for, keys_for, minutes_for)| {
            Step::Sweep(Retention {
                settled_for,
                keys_for,
                minutes_for,
                batch_max: 2,
            })
        }),
    ]
}

fn item() -> impl Strategy<Value = Item> {
    let types = prop_oneof![
        4 => Just(vec![UPDATE]),
        1 => Just(vec![REVOKED]),
        1 => Just(vec![LINKED]),
        2 => Just(vec![REVOKED, UPDATE]),
    ];
    let key = option::weighted(0.4, (0..4_u8, 0..2_u8));
    (tpp(), family(), types, key).prop_map(|(tpp, family, types, key)| Item {
        tpp,
        family,
        types,
        key,
    })
}

fn poll() -> impl Strategy<Value = PollOf> {
    let err = prop_oneof![3 => Just("jwtAud"), 1 => Just("dup")];
    let patience = prop_oneof![Just(Patience::Immediate), Just(Patience::WaitForDue)];
    let families = prop_oneof![
        3 => Just(vec![Family::Aisp, Family::Pisp, Family::Cbpii, Family::Vrp]),
        1 => Just(vec![Family::Aisp]),
        1 => Just(vec![Family::Pisp, Family::Vrp]),
    ];
    let errors = vec((event(), err), 0..3);
    (
        tpp(),
        vec(event(), 0..3),
        errors,
        0..4_u32,
        families,
        patience,
        limits(),
    )
        .prop_map(
            |(tpp, acks, errors, events_max, families, patience, limits)| PollOf {
                tpp,
                acks,
                errors,
                events_max,
                families,
                patience,
                limits,
            },
        )
}

fn limits() -> impl Strategy<Value = Limits> {
    let order = prop_oneof![4 => Just(DeliveryOrder::Concurrent), 1 => Just(DeliveryOrder::Strict)];
    (span(), cap(2), option::weighted(0.2, cap(3)), order).prop_map(
        |(redelivery_delay, error_cap, hand_out_cap, order)| Limits {
            redelivery_delay,
            error_cap,
            hand_out_cap,
            order,
        },
    )
}

fn wish() -> impl Strategy<Value = WishOf> {
    let types = option::of(prop_oneof![
        Just(vec![UPDATE]),
        Just(vec![UPDATE, LINKED]),
        Just(vec![REVOKED]),
        Just(vec!["UK.OBIE.Consent-Access-Revoked"]),
    ]);
    let version = prop_oneof![Just("4.0"), Just("3.1")];
    prop_oneof![
        3 => (any::<bool>(), types, version).prop_map(|(pushed, types, version)| {
            WishOf::Subscription { pushed, types, version }
        }),
        1 => Just(WishOf::CallbackUrl),
    ]
}

const LONG: Duration = Duration::from_secs(3_600);

fn tpp() -> impl Strategy<Value = usize> {
    prop_oneof![6 => Just(0), 2 => Just(1), 1 => Just(TPPS - 1)]
}

fn event() -> impl Strategy<Value = EventOf> {
    prop_oneof![
        6 => (0..5_usize).prop_map(EventOf::Own),
        1 => (0..20_usize).prop_map(EventOf::Any),
    ]
}

/// A span out of a few, so that moments meet to the millisecond.
/// Further than any clocks differ.
const DAY: Duration = Duration::from_secs(86_400);

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(5),
        Just(30),
        Just(60),
        Just(90),
        Just(300)
    ]
    .prop_map(Duration::from_secs)
}

fn cap(max: u32) -> impl Strategy<Value = NonZeroU32> {
    (1..=max).prop_map(|cap| NonZeroU32::new(cap).expect("it starts at one"))
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![2 => Just(Kind::Subscription), 1 => Just(Kind::CallbackUrl)]
}

fn api() -> impl Strategy<Value = ApiVersion> {
    prop_oneof![3 => Just(ApiVersion::V4_0), 1 => Just(ApiVersion::V3_1)]
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![2 => Just(Family::Aisp), 1 => Just(Family::Pisp)]
}
