//! The words that labels hold: a fixed number of each, whatever a caller says.

use axum::http::Method;
use oyez_domain::ledger::lanes::HealthState;
use oyez_domain::ledger::push::Verdict;

/// The two listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Listener {
    /// For TPPs.
    Tpp,
    /// For the bank's own systems.
    Internal,
}

/// What became of one published item (I-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Publication {
    /// It is durable and will be delivered.
    Accepted,
    /// It had been accepted before.
    Duplicate,
    /// The TPP has registered nothing.
    NoSubscription,
    /// The TPP wants none of its types.
    NotSubscribed,
    /// The TPP is disabled.
    Disabled,
    /// Something is wrong with it.
    Rejected,
}

/// How a poll came to its answer (P-07, P-08).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answered {
    /// It did not wait.
    AtOnce,
    /// Something came while it waited.
    Woken,
    /// Nothing came in its time.
    WaitedOut,
    /// Others needed its place.
    Evicted,
    /// The server was stopping.
    Drained,
}

/// What became of one push (D-02 … D-04).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pushed {
    /// The TPP has the event.
    Acknowledged,
    /// It refused this event.
    Refused,
    /// Its endpoint failed.
    EndpointFailed,
}

/// How a TPP said that it has an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivered {
    /// It answered a push (D-02).
    ByPush,
    /// It said so in a poll (P-04).
    ByPoll,
}

/// What was found of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenFound {
    /// It holds.
    Valid,
    /// It does not.
    Invalid,
    /// It did once.
    Expired,
    /// Nobody could say.
    Unavailable,
}

impl Listener {
    /// The word for it in metrics, logs and readiness.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tpp => "tpp",
            Self::Internal => "internal",
        }
    }
}

impl Publication {
    /// The word for it in metrics and in the internal API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::NoSubscription => "no-subscription",
            Self::NotSubscribed => "not-subscribed-to-type",
            Self::Disabled => "disabled",
            Self::Rejected => "rejected",
        }
    }
}

impl Answered {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AtOnce => "at-once",
            Self::Woken => "woken",
            Self::WaitedOut => "waited-out",
            Self::Evicted => "evicted",
            Self::Drained => "drained",
        }
    }
}

impl Pushed {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Refused => "refused",
            Self::EndpointFailed => "endpoint-failed",
        }
    }
}

impl Delivered {
    pub(super) const ALL: [Self; 2] = [Self::ByPush, Self::ByPoll];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ByPush => "push",
            Self::ByPoll => "poll",
        }
    }
}

impl From<&Verdict> for Pushed {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Acknowledged => Self::Acknowledged,
            Verdict::Refused { .. } => Self::Refused,
            Verdict::EndpointFailed => Self::EndpointFailed,
        }
    }
}

impl TokenFound {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Expired => "expired",
            Self::Unavailable => "unavailable",
        }
    }
}

pub(super) const fn name_of(state: HealthState) -> &'static str {
    match state {
        HealthState::Responsive => "responsive",
        HealthState::Failing => "failing",
        HealthState::Unresponsive => "unresponsive",
        HealthState::Paused => "paused",
    }
}

/// Anybody may make up a method; a label may not.
pub(super) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
