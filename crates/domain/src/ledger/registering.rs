//! Changing what a TPP has registered, under its lock (S-02, S-05, S-06, S-12, C-07a, C-08).

use crate::ids::RegistrationId;
use crate::registration::{CallbackUrlWish, SubscriptionWish};
use crate::version::ApiVersion;

/// A registration that a TPP asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// An event-subscription.
    Subscription(SubscriptionWish),
    /// A callback-url.
    CallbackUrl(CallbackUrlWish),
}

/// Which of a TPP's two registrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Its event-subscription.
    Subscription,
    /// Its callback-url.
    CallbackUrl,
}

/// Through which path version, and which registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which of the two.
    pub kind: Kind,
    /// As the path says.
    pub id: RegistrationId,
    /// As the path says.
    pub api: ApiVersion,
}

/// Why a registration could not be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is one of this kind already, in whatever version (S-02).
    AlreadyExists,
    /// This TPP has none by that id, or the path's version may not see it (S-06, G-08).
    NotFound,
    /// It is another TPP's (G-08).
    AnotherTpps,
    /// The TPP is not known here, or disabled.
    NotServed,
}

/// What a change of registration did to what was outstanding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effect {
    /// Events withdrawn (S-05, S-12, C-07a).
    pub withdrawn: u64,
}
